"""Entry point of `python -m benchmarks.goodput`."""

import sys

from benchmarks.goodput.cli import main

if __name__ == "__main__":
    sys.exit(main())
