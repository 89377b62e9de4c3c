"""The host as a fuzz target for Atheris: libFuzzer with the coverage of the Python code in host/.

python -m tests.fuzz.receiver [libFuzzer's options] [folders, or files to replay]
"""

import shlex
import sys

import atheris
from atheris.import_hook import HookManager

# Count branches, but do not trace compared values: the host compares no byte of a script. Tracing also takes 60 kB of
# memory per input, which Atheris 3.0.0 never frees.
with HookManager({"host"}, set(), enable_loader_override=True, trace_dataflow=False):
    from tests.fuzz import script_runner

if __name__ == "__main__":
    script_runner.bundles()
    # A merge restarts itself after a crash with this command in a shell.
    atheris.Setup([f"{shlex.quote(sys.executable)} -m {__spec__.name}", *sys.argv[1:]], script_runner.run)
    atheris.Fuzz()
