"""`inkling evaluate`: test a bundle or a run on the test images of its data set."""

import argparse
from pathlib import Path

from export.cli import count


def parser(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        "Tests a bundle, or a finished run, on the test images of its data set: accuracy by bit error rate and "
        "payload, the board alone, mode adaptive by threshold, accuracy by class, and the confusion matrix. A bundle "
        "is run as in the field, by TFLite's reference kernels and ONNX Runtime; a run in PyTorch."
    )
    parser.epilog = """examples:
  inkling evaluate bundles/cifar10
  inkling evaluate runs/mine --out build/evaluation/mine
  inkling evaluate runs/cifar10-semanticnn --ber 0.02 0.2"""
    add = parser.add_argument
    add("subject", type=Path, metavar="BUNDLE|RUN", help="folder of a bundle or of a run")
    add("--images", type=count, metavar="N", help="test images, chosen at random with all classes (default: all)")
    add("--draws", type=count, default=3, metavar="N", help="draws of the bit flips (default: %(default)s)")
    add("--ber", type=ber, nargs="+", metavar="P", help="bit error rates besides 0 (default: 0.001 to 0.1)")
    add("--out", type=Path, metavar="DIR", help="folder for evaluation.json, classes.csv and confusion.png")


def run(options: argparse.Namespace) -> int:
    """Evaluate, show, and return the exit status. Raises InklingError."""
    from export.errors import ExportError

    folder: Path = options.subject
    # Before the imports, which take seconds.
    if not folder.is_dir():
        raise ExportError(f"no such bundle or run: {folder}")
    if not any((folder / name).is_file() for name in ("bundle.json", "config.json")):
        raise ExportError(f"{folder} is neither a bundle nor a run: it has no bundle.json and no config.json")
    from export.evaluation.command import evaluate_folder

    evaluate_folder(folder, options.images, options.draws, options.out, options.ber)
    return 0


def ber(text: str) -> float:
    """Parse a bit error rate from 0 to 0.5."""
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 0.5:  # not a number is refused, too
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 0.5, got {text!r}")
    return rate
