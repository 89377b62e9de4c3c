"""Entry point of `python -m benchmarks.serve_demo`."""

import sys

from benchmarks.serve_demo.cli import main

if __name__ == "__main__":
    sys.exit(main())
