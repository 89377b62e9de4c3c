"""Run the benchmark `demo`."""

import sys

from benchmarks.demo.cli import main

if __name__ == "__main__":
    sys.exit(main())
