"""Run the benchmark `receiver`."""

import sys

from benchmarks.receiver.cli import main

if __name__ == "__main__":
    sys.exit(main())
