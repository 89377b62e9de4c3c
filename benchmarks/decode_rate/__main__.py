"""Entry point of `python -m benchmarks.decode_rate`."""

import sys

from benchmarks.decode_rate.cli import main

if __name__ == "__main__":
    sys.exit(main())
