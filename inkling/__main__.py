"""Run `python -m inkling`, which is the console command `inkling`."""

import sys

from inkling.cli import main

if __name__ == "__main__":
    sys.exit(main())
