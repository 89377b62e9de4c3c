"""Run `python -m host`."""

import sys

from inkling.cli import main
from inkling.commands import HOST

if __name__ == "__main__":
    sys.exit(main(group=HOST, prog="python -m host"))
