"""A general bundle, taught classes that its training never saw, beside what one would do instead.

Opponents: the board alone with the same trunk, trained from scratch on the same images or pretrained and refitted;
WebP and JPEG files of equal bytes with the pretrained network on the host; and that network on the perfect image.
CIFAR-10 and Tiny ImageNet are found or fetched as for a training; blood cells are in a clone of
https://github.com/Shenggan/BCCD_Dataset below INKLING_DATA; digits come with scikit-learn.

Every part is kept as soon as it is measured: run the same command again to resume, and delete the folder --kept after a
change of the code.
"""

import argparse
from pathlib import Path

from benchmarks import command
from benchmarks.general.data.sets import SETS

BUNDLE = Path("bundles/general64")


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.general", description=__doc__)
    command.add_bundle(parser)
    parser.set_defaults(bundle=BUNDLE)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="default: all")
    command.add_count(parser, "--seeds", 3, "seeds of taught images, trainings and bit flips")
    command.add_path(parser, "--kept", "build/bench/general", "folder of what was measured before")
    command.add_path(parser, "--out", command.RESULTS / "general.json", "file for the figures")
    args = parser.parse_args(arguments)

    def run() -> None:
        from benchmarks.general.measure import Settings, measure  # imports torch, which --help need not wait for

        command.write_json(args.out, measure(Settings(args.bundle, args.sets, args.seeds, args.kept)))
        print(f"Figures: {args.out}")

    return command.execute("general", run, resumable=True)
