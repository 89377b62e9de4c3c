"""The tests; see tests/conftest.py for what they share."""

import os

# One thread each: on few cores, the threads of parallel workers slow each other down many times over. Read when torch
# is first imported; the test's subprocesses inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
