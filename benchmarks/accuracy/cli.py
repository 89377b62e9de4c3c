"""Compare the systems under equal terms: train what is not trained yet, and measure it into one JSON per experiment.

The experiments are the configs in configs/systems, and int8 features behind a CRC (`plain`) on each base classifier
that a config names. Experiments that are already measured with the same configs and at least as many images, draws and
seeds are skipped; an interrupted training is resumed.

Systems that split a classifier are measured in float unless their config trains int8 epochs; Inkling is measured with
its int8 encoder, rounded as in training. Each image's frame passes through the binary symmetric channel into the
receiver. The decoder is given the BER that the receiver estimates, and so is the encoder if it asks for it, before
each 500 images. `python -m benchmarks.results --sections accuracy` writes the page.
"""

import argparse

from benchmarks import command
from benchmarks.accuracy.experiments import CONFIGS, RESULTS


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, then train and measure what is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--experiments", default="*", metavar="PATTERN", help="names like cifar10-*; default: all")
    parser.add_argument("--list", action="store_true", help="list what is measured and what is not, and stop")
    command.add_count(parser, "--images", 10_000, "test images")
    command.add_count(parser, "--draws", 3, "draws of the bit flips")
    parser.add_argument(
        "--seeds", type=command.seed, nargs="+", metavar="N", help="training seeds (default: the one in each config)"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all cores)")
    parser.add_argument("--device", help="training device: cpu, cuda, cuda:1 (default: cuda if available, else cpu)")
    command.add_path(parser, "--configs", CONFIGS, "folder of the systems' configs")
    command.add_path(parser, "--out", RESULTS, "folder for the figures")
    args = parser.parse_args(arguments)

    def run() -> None:
        from benchmarks.accuracy.measure import run_all  # imports torch, which --help need not wait for

        run_all(args)

    return command.execute("accuracy", run, resumable=True)
