"""`inkling export`: turn a trained run into a bundle."""

import argparse
import os
import tempfile
from pathlib import Path


def parser(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        "Makes a bundle from a trained run, or adds a trained preview network to the bundle of its codec, and checks "
        "each conversion step against the one before it. When a check fails, nothing is written."
    )
    parser.epilog = """examples:
  inkling export runs/cifar10 -o build/bundles/mine
  inkling export runs/preview64 -o build/bundles/general64"""
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="folder of a run, made by inkling train")
    add(
        "-o",
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the bundle; of a preview, an existing one",
    )
    add("--force", action="store_true", help="replace the bundle in DIR, or its preview, if there is one")
    add(
        "--test-images",
        type=count,
        default=10_000,
        metavar="N",
        help="test images for the accuracy figures (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Export and return the exit status. Raises InklingError."""
    from export.errors import ExportError

    if not options.run.is_dir():
        raise ExportError(f"no such run: {options.run}")
    if not (options.run / "config.json").is_file():  # before the imports, which take seconds
        raise ExportError(f"{options.run} is not a run: it has no config.json")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from train.config import PREVIEW, kind_of
    from train.settings import read_run

    if kind_of(read_run(options.run)) == PREVIEW:
        from export.preview import add

        add(options.run, options.out, options.force)
        return 0
    from export.pipeline import export

    with tempfile.TemporaryDirectory() as scratch:
        export(options.run, options.out, options.test_images, Path(scratch), options.force)
    return 0


def count(text: str) -> int:
    """Parse an integer of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1, got {text!r}")
    return int(text)
