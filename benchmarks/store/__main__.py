"""Entry point of `python -m benchmarks.store`."""

import sys

from benchmarks.store.cli import main

if __name__ == "__main__":
    sys.exit(main())
