"""The host as a fuzz target, by Atheris: libFuzzer with the coverage of Python code, that of host/.

python -m tests.fuzz.receiver [libFuzzer's options] [folders, or files to run again]
"""

import sys

import atheris

with atheris.instrument_imports(include=["host"]):
    from tests.fuzz import host_line

if __name__ == "__main__":
    host_line.bundles()
    atheris.Setup(sys.argv, host_line.run)
    atheris.Fuzz()
