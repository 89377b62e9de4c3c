"""Entry point of `python -m benchmarks.answers`."""

import sys

from benchmarks.answers.cli import main

if __name__ == "__main__":
    sys.exit(main())
