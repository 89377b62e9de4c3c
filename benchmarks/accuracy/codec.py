"""Accuracy of a bundle on the full test set: int8 encoder, real frames, real receiver, estimated BER.

Symbols and answers come from TFLite's reference kernels, whose bytes the firmware reproduces (`make test` and
`make demo` check that). Each image's frame passes through the binary symmetric channel into the receiver, frame after
frame as a known device sends them. The decoder is given the BER that the receiver estimates. Measured are every prefix
of the features, the board's answers alone, both as in mode adaptive with the bundle's threshold, and the answers of
other boards. Bundles of the same recipe and other seeds tell how much the seed matters.

The figures of the bundles that ship are committed; give --out with any other option.
"""

import argparse
import datetime
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from benchmarks import command
from benchmarks.delivery import Delivery
from benchmarks.encoding import ANSWER, Encoded, encode
from benchmarks.images import TestImages, images_for
from benchmarks.progress import progress_bar
from benchmarks.sender import ANSWER_FRAME_BYTES, mean_frame_bytes
from channel_sim.channels.bsc import BER_GRID
from host.classify.classifier import LogitsModel
from host.classify.decoder import decoder_of
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle

SEED_BERS = (0.0, 0.1)


def main() -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.codec", description=__doc__)
    command.add_bundle(parser)
    command.add_boards(parser, "BUNDLE", "boards that classify alone")
    parser.add_argument(
        "--seeds", nargs="*", type=Path, default=[], metavar="BUNDLE", help="the same recipe, trained with other seeds"
    )
    command.add_count(parser, "--images", 10_000, "test images")
    command.add_count(parser, "--draws", 3, "draws of the bit flips")
    command.add_seed(parser, text="random seed of the first draw")
    command.add_out(parser, "codec")
    args = parser.parse_args()

    def run() -> None:
        file = args.out or command.result_file("codec", args.bundle)
        command.write_json(file, measure(args.bundle, args.images, args.draws, args.seed, args.boards, args.seeds))
        print(f"figures: {file}")

    return command.execute("codec", run)


@dataclass(frozen=True)
class Way:
    """A way to send the images: a chunk or ANSWER, or both by a threshold."""

    title: str
    chunk: int
    threshold: int | None = None


def measure(
    path: Path, count: int, draws: int, seed: int, boards: Sequence[Path] = (), seeds: Sequence[Path] = ()
) -> dict:
    """Return all figures of one bundle, by way to send and BER, of other boards that answer alone, and other seeds."""
    started = time.monotonic()
    bundle, console = load_bundle(path), Console()
    others = [_other_seed(other, bundle) for other in seeds]
    test = images_for(bundle, count, console.print)
    training = _training(bundle)
    with progress_bar(console) as bar:
        figures = _figures(bundle, test, draws, seed, console, bar)
        figures["boards"] = {
            other.name: _figures(other, test, draws, seed, console, bar)["answers"] for other in map(_board, boards)
        }
        # A spread over seeds needs two BERs and one draw: seeds differ far more than draws of flips.
        figures["seeds"] = {
            str(other.manifest["recipe"]["seed"]): _figures(other, test, 1, seed, console, bar, SEED_BERS)
            for other in others
        }
    return {
        "bundle": bundle.name,
        "model_id": bundle.model_id,
        "dataset": bundle.manifest["dataset"],
        "training": training,
        "training_seed": bundle.manifest["recipe"].get("seed", 0),
        "images": len(test.labels),
        "draws": draws,
        "seed": seed,
        "accuracy_float_clean": bundle.manifest["accuracy_float_clean"],
        "raw_bytes": int(np.prod(bundle.input_shape)),
        "float_feature_bytes": 4 * bundle.latent_size,
        **figures,
        "command": f"python -m benchmarks.accuracy.codec --bundle {path}{command.paths_option('--boards', boards)}"
        f"{command.paths_option('--seeds', seeds)} --images {count} --draws {draws} --seed {seed}",
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - started, 1),
    }


def _board(path: Path) -> Bundle:
    """Return a bundle whose board answers. Raises BundleError if it does not."""
    bundle = load_bundle(path)
    if bundle.answer is None:
        raise BundleError(f"bundle {path}: its board does not answer")
    return bundle


def _other_seed(path: Path, bundle: Bundle) -> Bundle:
    """Return a bundle of the same recipe and another seed than `bundle`. Raises BundleError if it is not."""
    other = load_bundle(path)
    recipes = [{**each.manifest["recipe"], "name": None, "seed": None} for each in (bundle, other)]
    if recipes[0] != recipes[1]:
        raise BundleError(f"bundle {path}: its recipe differs from that of {bundle.path} in more than the seed")
    if other.manifest["recipe"].get("seed") == bundle.manifest["recipe"].get("seed"):
        raise BundleError(f"bundle {path}: trained with the same seed as {bundle.path}")
    return other


def _figures(
    bundle: Bundle,
    test: TestImages,
    draws: int,
    seed: int,
    console: Console,
    bar: Progress,
    bers: Sequence[float] = BER_GRID,
) -> dict:
    """Return the figures of every prefix, of answers and of mode adaptive, as far as the bundle has them."""
    decoder, encoded, count = decoder_of(bundle), encode(bundle, test.images, bar), len(test.labels)
    prefixes = [i for i, (first, _) in enumerate(bundle.chunks) if first == 0]

    def by_ber(way: Way) -> dict[str, dict[str, float]]:
        rows = {}
        for ber in bers:
            task = bar.add_task(f"{bundle.name}, {way.title}, BER {ber:g}", total=draws * count)
            sent = partial(_send, bundle, decoder, encoded, test.labels, way, ber, partial(bar.advance, task))
            rows[f"{ber:g}"] = row = mean_of([sent(seed + draw) for draw in range(draws)])
            console.print(_line(bundle, way, ber, row), highlight=False, soft_wrap=True)
        return rows

    figures: dict = {"payload_bytes": {}}
    for chunk in prefixes:
        size = bundle.chunk_bytes(chunk)
        frame_bytes = bundle.chunk_layout(chunk).serial_size
        figures["payload_bytes"][str(size)] = {
            "frame_bytes": frame_bytes,
            "by_ber": by_ber(Way(f"{size} bytes", chunk)),
        }
    if encoded.confidences is not None:
        figures["answers"] = {"frame_bytes": ANSWER_FRAME_BYTES, "by_ber": by_ber(Way("answers", ANSWER, 0))}
    if encoded.confidences is not None and prefixes:
        answered = float((encoded.confidences >= bundle.threshold).mean())
        way = Way(f"adaptive, threshold {bundle.threshold}", 0, bundle.threshold)
        figures["adaptive"] = {
            "threshold": bundle.threshold,
            "answered": answered,
            "frame_bytes": mean_frame_bytes(bundle, answered),
            "by_ber": by_ber(way),
        }
    return figures


def _send(
    bundle: Bundle,
    decoder: LogitsModel,
    encoded: Encoded,
    labels: np.ndarray,
    way: Way,
    ber: float,
    on_progress: Callable[[int], None],
    seed: int,
) -> dict[str, float]:
    delivery = Delivery(bundle, decoder, way.chunk, ber, seed, way.threshold)
    delivery.send(encoded, labels, on_progress)
    return delivery.figures()


def mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each figure over draws, and the standard deviation of the accuracies."""
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    spread = {
        f"{key}_std": float(np.std([row[key] for row in rows], ddof=1)) if len(rows) > 1 else 0.0
        for key in ("accuracy", "accuracy_sent")
    }
    return means | spread


def _training(bundle: Bundle) -> dict:
    """Return the training budget of a bundle: its epochs by phase, and whether a teacher helped."""
    recipe = bundle.manifest["recipe"]
    try:
        schedule = recipe["schedule"]
        balance_epochs = (recipe.get("balance") or {"epochs": 0})["epochs"]
        budget = {"epochs": schedule["epochs"], "balance_epochs": balance_epochs, "qat_epochs": schedule["qat_epochs"]}
    except (KeyError, TypeError) as error:
        raise BundleError(f"bundle {bundle.path}: the recipe in bundle.json has no {error}") from None
    board_epochs = schedule.get("board_epochs", 0)  # older recipes have none
    return {"board_epochs": board_epochs, **budget, "teacher": recipe.get("teacher") is not None}


def _line(bundle: Bundle, way: Way, ber: float, row: dict[str, float]) -> str:
    given = row.get("accuracy_true_ber_given")
    return (
        f"{bundle.name}  {way.title}  BER {ber:<5g}  accuracy {100 * row['accuracy']:.2f} %  "
        f"of all sent {100 * row['accuracy_sent']:.2f} %  "
        f"{'' if given is None else f'true BER given {100 * given:.2f} %  '}"
        f"lost {row['frames_lost']:.1f}  BER estimated {row['ber_estimated']:.4f}"
    )


if __name__ == "__main__":
    sys.exit(main())
