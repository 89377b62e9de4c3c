"""A lock on a file that several processes change."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from host.errors import HostError
from wire.files import naming

WAIT_S, POLL_S = 5.0, 0.02

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def locked(path: Path, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock of a file, in a file of its own beside it, which stays. The system frees it if the process ends.

    Raises HostError if another process holds it for `wait_s`, and OSError if the file of the lock cannot be made.
    """
    file = path.with_name(f".{path.name}.lock")
    with naming(file):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                _lock(descriptor)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise HostError(f"{path} is being changed by another process: try again") from None
                time.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)
