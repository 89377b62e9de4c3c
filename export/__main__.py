"""Run `python -m export`."""

import sys

from inkling.cli import main_of
from inkling.commands import EXPORT

if __name__ == "__main__":
    sys.exit(main_of(EXPORT, "python -m export"))
