"""Entry point of `python -m benchmarks.serve_soak`."""

import sys

from benchmarks.serve_soak.cli import main

if __name__ == "__main__":
    sys.exit(main())
