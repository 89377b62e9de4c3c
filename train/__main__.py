"""Run `python -m train`."""

import sys

from inkling.cli import main_of
from inkling.commands import TRAIN

if __name__ == "__main__":
    sys.exit(main_of(TRAIN, "python -m train"))
