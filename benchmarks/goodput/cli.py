"""Goodput at equal channel: Inkling, the same features behind a CRC or Reed-Solomon code, and compressed images.

All test images are sent over LoRa at SNRs around the sensitivity of each spreading factor, and over a serial radio
that flips bits. Each experiment (one scheme over one link in one state) is kept as soon as it is measured: run the
same command again to resume. JPEG and WebP are included if `python -m benchmarks.goodput.compressed_classifier` has
run before, or --earlier has their figures.
"""

import argparse
from pathlib import Path

from benchmarks import command
from benchmarks.goodput.compressed import COMPRESSED
from benchmarks.goodput.links import LINKS
from benchmarks.goodput.measure import Settings, measure


def main() -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goodput", description=__doc__)
    command.add_bundle(parser)
    command.add_count(parser, "--images", 10_000, "test images")
    command.add_seed(parser)
    parser.add_argument("--links", nargs="+", choices=LINKS, default=list(LINKS), help="default: all")
    command.add_path(parser, "--experiments", "build/bench/goodput", "folder of the measured experiments")
    command.add_path(parser, "--compressed", COMPRESSED, "folder of the classifiers of compressed images")
    parser.add_argument(
        "--earlier",
        type=Path,
        metavar="FILE",
        help="figures of this model whose JPEG and WebP are taken over, where their classifiers are missing",
    )
    command.add_path(parser, "--out", command.RESULTS / "goodput.json", "file for the figures")
    args = parser.parse_args()

    def run() -> None:
        settings = Settings(
            args.bundle, args.images, args.seed, args.links, args.experiments, args.compressed, args.earlier
        )
        command.write_json(args.out, measure(settings))
        print(f"Figures: {args.out}")

    return command.execute("goodput", run, resumable=True)
