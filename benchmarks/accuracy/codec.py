"""Accuracy of a bundle on the full test set: int8 encoder, real frames, real receiver, estimated BER.

The symbols come from TFLite's reference kernels, whose bytes the firmware reproduces (`make test` and `make demo` check
that). Each image's frame passes through the binary symmetric channel into the receiver, frame after frame as a known
device sends them. The decoder is given the BER that the receiver estimates.

The figures of the default bundle are committed; give --out with any other option.
"""

import argparse
import datetime
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks import command
from benchmarks.delivery import Delivery
from benchmarks.images import images_for
from benchmarks.progress import progress_bar
from channel_sim.channels.bsc import BER_GRID
from export.reference import ReferenceEncoder
from host.classify.decoder import Decoder
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle

OUT = command.RESULTS / "codec.json"


def main() -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.codec", description=__doc__)
    command.add_bundle(parser)
    command.add_count(parser, "--images", 10_000, "test images")
    command.add_seed(parser, text="random seed of the bit flips")
    command.add_path(parser, "--out", OUT, "file for the figures")
    args = parser.parse_args()

    def run() -> None:
        command.write_json(args.out, measure(args.bundle, args.images, args.seed))
        print(f"figures: {args.out}")

    return command.execute("codec", run)


def measure(path: Path, count: int, seed: int) -> dict:
    """Return all figures of one bundle, by chunk and BER."""
    started = time.monotonic()
    bundle, console = load_bundle(path), Console()
    test = images_for(bundle, count, console.print)
    images, labels = test.images, test.labels
    training = _training(bundle)
    decoder = Decoder(bundle)
    prefixes = [i for i, (first, _) in enumerate(bundle.chunks) if first == 0]
    chunks = {}
    with progress_bar(console) as bar:
        task = bar.add_task("TFLite's reference kernels", total=len(images))
        latents = ReferenceEncoder(bundle.encoder_path).latents(images, partial(bar.advance, task))
        symbols = bundle.symbols(latents)
        for chunk in prefixes:
            rows = {}
            for ber in BER_GRID:
                task = bar.add_task(f"{bundle.chunk_bytes(chunk)} bytes, BER {ber:g}", total=len(images))
                delivery = Delivery(bundle, decoder, chunk, ber, seed)
                delivery.send(symbols, labels, partial(bar.advance, task))
                rows[f"{ber:g}"] = row = delivery.figures()
                console.print(_line(bundle, chunk, ber, row), highlight=False, soft_wrap=True)
            chunks[str(bundle.chunk_bytes(chunk))] = {
                "frame_bytes": bundle.chunk_layout(chunk).serial_size,
                "by_ber": rows,
            }
    return {
        "bundle": bundle.name,
        "model_id": bundle.model_id,
        "dataset": bundle.manifest["dataset"],
        "training": training,
        "images": len(images),
        "seed": seed,
        "accuracy_float_clean": bundle.manifest["accuracy_float_clean"],
        "raw_bytes": int(np.prod(bundle.input_shape)),
        "float_feature_bytes": 4 * int(np.prod(bundle.latent_shape)),
        "payload_bytes": chunks,
        "command": f"python -m benchmarks.accuracy.codec --bundle {path} --images {count} --seed {seed}",
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - started, 1),
    }


def _training(bundle: Bundle) -> dict:
    """Return the training budget of a bundle: its float and int8 epochs, and whether a teacher helped."""
    recipe = bundle.manifest["recipe"]
    try:
        schedule = recipe["schedule"]
        budget = {"epochs": schedule["epochs"], "qat_epochs": schedule["qat_epochs"]}
    except (KeyError, TypeError) as error:
        raise BundleError(f"bundle {bundle.path}: the recipe in bundle.json has no {error}") from None
    return {**budget, "teacher": recipe.get("teacher") is not None}


def _line(bundle: Bundle, chunk: int, ber: float, row: dict[str, float]) -> str:
    return (
        f"{bundle.chunk_bytes(chunk)} bytes  BER {ber:<5g}  accuracy {100 * row['accuracy']:.2f} %  "
        f"of all sent {100 * row['accuracy_sent']:.2f} %  true BER given {100 * row['accuracy_true_ber_told']:.2f} %  "
        f"lost {row['frames_lost']}  BER estimated {row['ber_estimated']:.4f}"
    )


if __name__ == "__main__":
    sys.exit(main())
