"""Entry point of `python -m benchmarks.general`."""

import sys

from benchmarks.general.cli import main

if __name__ == "__main__":  # workers import this file, too
    sys.exit(main())
