"""Accuracy of all images sent against mean air time, bytes and modelled energy per image.

Inkling's modes (answers, features, adaptive) beside boards that classify alone, the same features over conventional
links, and compressed images: LoRa SF7 to SF12, SNR -15 to -5 dB and a clean link. Everything is kept as soon as it is
measured: run the same command again to resume, and delete the folder --kept after a change of the code.
`python -m benchmarks.device` measures the boards first; JPEG and WebP are included if
`python -m benchmarks.goodput.compressed_classifier` has run before.
"""

import argparse

from benchmarks import command
from benchmarks.adaptive.measure import measure
from benchmarks.adaptive.prepare import Settings
from benchmarks.adaptive.schemes.packets import CODING_RATES
from benchmarks.goodput.compressed import COMPRESSED


def main() -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adaptive", description=__doc__)
    command.add_bundle(parser)
    command.add_boards(parser, "PATH", "bundles, or .tflite classifiers")
    command.add_count(parser, "--images", 10_000, "test images")
    command.add_count(parser, "--held-out", 2500, "held-out training images, on which settings are chosen")
    command.add_count(parser, "--draws", 3, "draws of the channel for Inkling's frames")
    command.add_seed(parser)
    parser.add_argument(
        "--coding-rates",
        nargs="+",
        type=int,
        choices=CODING_RATES,
        default=[5, 8],
        metavar="N",
        help="LoRa coding rates 4/N of Inkling's answers (default: 5 8); features have the lowest, opponents all",
    )
    command.add_count(parser, "--packets", 100_000, "conventional packets per cell and coding rate")
    command.add_count(parser, "--coded-packets", 10_000, "packets behind the convolutional code per cell and length")
    command.add_path(parser, "--kept", "build/bench/adaptive", "folder of what was measured before")
    command.add_path(parser, "--compressed", COMPRESSED, "folder of the classifiers of compressed images")
    command.add_path(parser, "--device", command.RESULTS / "device.json", "figures of make bench-device")
    command.add_out(parser, "adaptive")
    args = parser.parse_args()

    def run() -> None:
        settings = Settings(
            args.bundle,
            args.boards,
            args.images,
            args.held_out,
            args.draws,
            args.seed,
            sorted(set(args.coding_rates)),
            args.packets,
            args.coded_packets,
            args.kept,
            args.compressed,
            args.device,
        )
        file = args.out or command.result_file("adaptive", args.bundle)
        command.write_json(file, measure(settings))
        print(f"Figures: {file}")

    return command.execute("adaptive", run, resumable=True)
