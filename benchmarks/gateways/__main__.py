"""Entry point of `python -m benchmarks.gateways`."""

import sys

from benchmarks.gateways.cli import main

if __name__ == "__main__":
    sys.exit(main())
