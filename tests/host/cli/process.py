"""`python -m host` in a process of its own, as users run it."""

import subprocess
import sys
from typing import IO

from tests.support import ROOT

WITHOUT_PACKAGES = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError("blocked: " + name, name=name)
sys.meta_path.insert(0, Blocker())
from inkling.cli import main
sys.exit(main(sys.argv[1:]))
"""


END_S = 120.0  # longer than any of these commands takes on a machine with other work


def start(
    *arguments: object, blocked: tuple[str, ...] = (), stdout: int | IO[str] = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start the command. Importing a package in `blocked` fails as if it were not installed."""
    program = ["-c", WITHOUT_PACKAGES.format(blocked=set(blocked))] if blocked else ["-m", "host"]
    command = [sys.executable, *program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=ROOT, errors="replace")


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end, and return exit status, output and errors, which must have no traceback."""
    out, err = process.communicate(timeout=END_S)
    assert "Traceback" not in err
    return process.returncode, out, err


def run(*arguments: object, blocked: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Start the command and wait for its end."""
    return finish(start(*arguments, blocked=blocked))
