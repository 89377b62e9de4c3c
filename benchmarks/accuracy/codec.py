"""Accuracy of a bundle on the full test set: int8 encoder, real frames, real receiver, estimated BER.

Symbols come from TFLite's reference kernels, whose bytes the firmware reproduces (`make test` and `make demo` hold
them together). Each image's frame goes through the binary symmetric channel and into `host.receive.stream`, one frame
after the other as a known device sends them; the decoder is told the BER that `host.classify.ber` estimates.
"""

import argparse
import datetime
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.delivery import BERS, Delivery
from benchmarks.images import images_for
from export.reference import ReferenceEncoder
from host.classify.decoder import Decoder
from host.errors import HostError
from train.errors import TrainError
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle

BATCH = 500


def main() -> int:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.codec", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/cifar10"), help="default: %(default)s")
    parser.add_argument("--images", type=int, default=10_000, help="test images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the bit flips (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("build/bench/codec.json"), help="default: %(default)s")
    args = parser.parse_args()
    if args.images < 1:
        parser.error("--images must be at least 1")
    try:
        report = measure(args.bundle, args.images, args.seed)
    except (BundleError, HostError, TrainError) as error:
        print(f"codec: {error}", file=sys.stderr)
        return 1
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"figures: {args.out}")
    return 0


def measure(path: Path, count: int, seed: int) -> dict:
    """All figures for one bundle, by chunk and BER."""
    started = time.monotonic()
    bundle, console = load_bundle(path), Console()
    images, labels = (part[:count] for part in images_for(bundle, console.print))
    decoder = Decoder(bundle)
    prefixes = [i for i, (first, _) in enumerate(bundle.chunks) if first == 0]
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    chunks = {}
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("TFLite's reference kernels", total=len(images))
        latents = ReferenceEncoder(bundle.encoder_path).latents(images, partial(bar.advance, task))
        symbols = bundle.symbols(latents)
        for chunk in prefixes:
            rows = {}
            for ber in BERS:
                task = bar.add_task(f"{bundle.chunk_bytes(chunk)} bytes, BER {ber:g}", total=len(images))
                row = one_chunk(bundle, decoder, symbols, labels, chunk, ber, seed, partial(bar.advance, task))
                rows[f"{ber:g}"] = row
                console.print(_line(bundle, chunk, ber, row), highlight=False, soft_wrap=True)
            chunks[str(bundle.chunk_bytes(chunk))] = {
                "frame_bytes": bundle.chunk_layout(chunk).serial_size,
                "by_ber": rows,
            }
    return {
        "bundle": bundle.name,
        "model_id": bundle.model_id,
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


def one_chunk(
    bundle: Bundle,
    decoder: Decoder,
    symbols: np.ndarray,
    labels: np.ndarray,
    chunk: int,
    ber: float,
    seed: int,
    each: Callable[[], None],
) -> dict[str, float]:
    """All figures of one chunk at one BER; symbols (N, S) as sent, labels (N,), seed of the flips."""

    def classes(got: np.ndarray, told: np.ndarray) -> np.ndarray:
        parts = range(0, len(got), BATCH)
        return np.concatenate([decoder.logits(got[i : i + BATCH], told[i : i + BATCH]).argmax(1) for i in parts])

    delivery = Delivery(bundle, chunk, ber, seed)
    delivery.send(symbols, each)
    return delivery.figures(classes, labels)


def _line(bundle: Bundle, chunk: int, ber: float, row: dict[str, float]) -> str:
    return (
        f"{bundle.chunk_bytes(chunk)} bytes  BER {ber:<5g}  accuracy {100 * row['accuracy']:.2f} %  "
        f"of all sent {100 * row['accuracy_sent']:.2f} %  true BER told {100 * row['accuracy_true_ber_told']:.2f} %  "
        f"lost {row['frames_lost']}  BER estimated {row['ber_estimated']:.4f}"
    )


if __name__ == "__main__":
    sys.exit(main())
