"""A classifier of compressed images, so that JPEG and WebP are compared at their best.

A ResNet-20 trained on clean images fails on images that are compressed so much. This command fine-tunes it on training
images that are cropped, flipped and compressed in the same way. The epoch is chosen on held-out training images, and
the test images are classified once. Run the same command again to resume after the last whole epoch.
"""

import argparse
import sys

from rich.console import Console

from benchmarks import command
from benchmarks.goodput.compressed import COMPRESSED, DATASETS, FORMATS


def main() -> int:
    """Parse the command line; train and evaluate a classifier for each format. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goodput.compressed_classifier", description=__doc__)
    parser.add_argument("--data", choices=DATASETS, default=DATASETS[0], help="data set (default: %(default)s)")
    names = [form.name for form in FORMATS]
    parser.add_argument("--formats", nargs="+", choices=names, default=names, help="default: all")
    command.add_count(parser, "--epochs", 6, "epochs")
    command.add_seed(parser)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all cores)")
    command.add_path(parser, "--out", COMPRESSED, "folder for the classifiers, with one folder per data set")
    args = parser.parse_args()

    def run() -> None:
        import torch  # takes seconds, which --help need not wait for

        from benchmarks.goodput.fine_tuning import Settings, make
        from train.data.datasets import load

        if args.threads > 0:
            torch.set_num_threads(args.threads)
        settings = Settings(args.data, args.epochs, args.seed, args.out / args.data)
        console = Console() if sys.stdout.isatty() else Console(width=160)
        data = load(args.data, None, False, console.print)
        settings.out.mkdir(parents=True, exist_ok=True)
        for form in (form for form in FORMATS if form.name in args.formats):
            make(form, data, settings, console)

    return command.execute("compressed", run, resumable=True)


if __name__ == "__main__":
    sys.exit(main())
