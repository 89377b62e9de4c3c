"""The host as a fuzz target, by Atheris: libFuzzer with the coverage of Python code, that of host/.

python -m tests.fuzz.receiver [libFuzzer's options] [folders, or files to run again]
"""

import sys

import atheris
from atheris.import_hook import HookManager

# Branches count, compared values do not: no byte of a script is what the host compares. To watch them takes 60 kB of
# memory for each input, too, which Atheris 3.0.0 never gives back.
with HookManager({"host"}, set(), enable_loader_override=True, trace_dataflow=False):
    from tests.fuzz import host_line

if __name__ == "__main__":
    host_line.bundles()
    atheris.Setup(sys.argv, host_line.run)
    atheris.Fuzz()
