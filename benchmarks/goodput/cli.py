"""Goodput at equal channel: Inkling, the same features behind a CRC or Reed-Solomon code, and compressed images.

All test images are sent over LoRa at SNRs around the sensitivity of each spreading factor, and over a serial radio
that flips bits. Each experiment (one scheme over one link in one state) is kept as soon as it is measured: run the
same command again to resume. JPEG and WebP are included if `python -m benchmarks.goodput.compressed_classifier` has
run before.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.goodput.links import LINKS
from benchmarks.goodput.measure import Settings, measure
from wire.errors import InklingError


def main() -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goodput", description=__doc__)
    parser.add_argument(
        "--bundle", type=Path, default=Path("bundles/cifar10"), metavar="DIR", help="bundle (default: %(default)s)"
    )
    parser.add_argument("--images", type=int, default=10_000, metavar="N", help="test images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="random seed (default: %(default)s)")
    parser.add_argument("--links", nargs="+", choices=LINKS, default=list(LINKS), help="default: all")
    parser.add_argument(
        "--experiments",
        type=Path,
        default=Path("build/bench/goodput"),
        help="folder of the measured experiments (default: %(default)s)",
    )
    parser.add_argument(
        "--compressed",
        type=Path,
        default=Path("build/bench/compressed"),
        help="folder of the classifiers of compressed images (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("benchmarks/results/goodput.json"),
        help="file for the figures (default: %(default)s)",
    )
    args = parser.parse_args()
    if args.images < 1 or args.seed < 0:
        parser.error("--images must be at least 1, --seed at least 0")
    settings = Settings(args.bundle, args.images, args.seed, args.links, args.experiments, args.compressed)
    try:
        report = measure(settings)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n")
    except (InklingError, OSError) as error:
        print(f"goodput: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ngoodput: interrupted; run the same command again to resume", file=sys.stderr)
        return 130
    print(f"Figures: {args.out}")
    return 0
