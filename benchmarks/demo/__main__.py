"""Entry point of `python -m benchmarks.demo`."""

import sys

from benchmarks.demo.cli import main

if __name__ == "__main__":
    sys.exit(main())
