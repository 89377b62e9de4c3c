"""Command line of the export."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from export.errors import ExportError
from train.errors import TrainError


def main() -> int:
    """Parse the command line and export."""
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Make a bundle from a trained run, and prove each conversion step. A failed proof writes nothing.",
        epilog="example: python -m export runs/cifar10 -o bundles/mine",
    )
    parser.add_argument("run", type=Path, help="a folder made by python -m train")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument(
        "--test-images", type=int, default=10_000, help="test images for the accuracy figures (default: %(default)s)"
    )
    args = parser.parse_args()
    if args.test_images < 1:
        parser.error("--test-images must be at least 1")
    if not args.run.is_dir():
        print(f"export: no such run: {args.run}", file=sys.stderr)
        return 1
    try:
        from export.pipeline import export

        with tempfile.TemporaryDirectory() as scratch:
            export(args.run, args.out, args.test_images, Path(scratch))
    except (ExportError, TrainError, OSError) as error:  # OSError: a folder that cannot be written, a full disk
        print(f"export: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nexport: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
