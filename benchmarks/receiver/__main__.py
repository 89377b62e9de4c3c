"""Entry point of `python -m benchmarks.receiver`."""

import sys

from benchmarks.receiver.cli import main

if __name__ == "__main__":
    sys.exit(main())
