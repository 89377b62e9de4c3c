"""The host as a fuzz target, by Atheris: libFuzzer with the coverage of Python code, that of host/.

python -m tests.fuzz.receiver [libFuzzer's options] [folders, or files to run again]
"""

import shlex
import sys

import atheris
from atheris.import_hook import HookManager

# Branches count, compared values do not: no byte of a script is what the host compares. To watch them takes 60 kB of
# memory for each input, too, which Atheris 3.0.0 never gives back.
with HookManager({"host"}, set(), enable_loader_override=True, trace_dataflow=False):
    from tests.fuzz import host_line

if __name__ == "__main__":
    host_line.bundles()
    # A merge runs itself again for what crashes, by these words in a shell.
    atheris.Setup([f"{shlex.quote(sys.executable)} -m {__spec__.name}", *sys.argv[1:]], host_line.run)
    atheris.Fuzz()
