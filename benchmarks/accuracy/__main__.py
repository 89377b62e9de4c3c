"""Entry point of `python -m benchmarks.accuracy`."""

import sys

from benchmarks.accuracy.cli import main

if __name__ == "__main__":
    sys.exit(main())
