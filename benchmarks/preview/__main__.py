"""Entry point of `python -m benchmarks.preview`."""

import sys

from benchmarks.preview.cli import main

if __name__ == "__main__":
    sys.exit(main())
