"""Copies of several gateways: headers lost, images combined by mistake, and accuracy over LoRa."""

import argparse
import datetime
import time
from pathlib import Path

from rich.console import Console

from benchmarks import command
from benchmarks.answers.measure import OnProgress
from benchmarks.encoding import encode
from benchmarks.gateways import air, losses, pairs
from benchmarks.images import images_for
from benchmarks.progress import progress_bar
from wire.bundle import load

BUNDLE = Path("bundles/cifar10-features")


def main() -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateways", description=__doc__)
    command.add_count(parser, "--frames", 200, "frames per BER and number of copies")
    command.add_count(parser, "--pairs", 1_000_000, "pairs of different images")
    command.add_count(parser, "--images", 500, "test images per SNR")
    command.add_seed(parser)
    command.add_path(parser, "--out", command.RESULTS / "gateways.json", "file for the figures")
    args = parser.parse_args()

    def run() -> None:
        command.write_json(args.out, measure_all(args.frames, args.pairs, args.images, args.seed, Console()))
        print(f"Figures: {args.out}")

    return command.execute("gateways", run)


def measure_all(frames: int, n_pairs: int, images: int, seed: int, console: Console) -> dict:
    """Return all figures, and how they were measured."""
    started, bundle = time.monotonic(), load(BUNDLE)
    test = images_for(bundle, images)
    with progress_bar(console) as bar:

        def task(name: str, total: int) -> OnProgress:
            number = bar.add_task(name, total=total)
            return lambda steps: bar.advance(number, steps)

        encoded = encode(bundle, test.images, bar)
        on_air = {}
        for snr in air.SNRS:
            done = task(f"LoRa, {snr:g} dB", len(air.GATEWAYS) * len(test.labels))
            on_air[f"{snr:g}"] = air.measure(bundle, encoded, test.labels, snr, seed, done)
        header_loss = {}
        for one in losses.EXPERIMENTS:
            done = task(one.title, len(losses.BERS) * len(losses.COPIES) * frames)
            header_loss[one.title] = {
                f"{ber:g}": {str(count): losses.loss(one, ber, count, frames, seed, done) for count in losses.COPIES}
                for ber in losses.BERS
            }
        hard, easy = pairs.pairs_per_cell(n_pairs)
        false: dict[str, dict] = {}
        for kind, (is_hard, _, _) in pairs.KINDS.items():
            count = hard if is_hard else easy
            done = task(kind, count * len(pairs.BERS))
            found = {f"{ber:g}": pairs.false_pairs(kind, ber, count, seed, done) for ber in pairs.BERS}
            false[kind] = {"pairs": count * len(pairs.BERS), "combined": sum(found.values()), "by_ber": found}
    return {
        "header_loss": header_loss,
        "false_pairs": false,
        "air": on_air,
        "sf": air.SF,
        "model_id": bundle.model_id,
        "frames": frames,
        "images": len(test.labels),
        "seed": seed,
        "command": f"python -m benchmarks.gateways --frames {frames} --pairs {n_pairs} --images {images} --seed {seed}",
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - started, 1),
    }
