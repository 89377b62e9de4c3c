"""Entry point of `python -m benchmarks.results`."""

import sys

from benchmarks.results.cli import main

if __name__ == "__main__":
    sys.exit(main())
