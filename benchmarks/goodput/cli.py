"""Goodput at equal channel: Inkling, the same features behind a CRC or Reed-Solomon, and compressed pictures.

All test images go over LoRa at SNRs around the sensitivity of each spreading factor, and over a serial radio that
flips bits. Each cell (a medium in one state, a system) is kept as soon as it is measured: interrupted, the same
command goes on. JPEG and WebP take part where `python -m benchmarks.goodput.compressed_classifier` has run.
"""

import argparse
import datetime
import json
import sys
import time
import zlib
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.goodput.baselines import Outcome, Scheme
from benchmarks.goodput.links import LINKS
from benchmarks.goodput.schemes import fits, with_features, with_pictures
from benchmarks.images import images_for
from export.reference import ReferenceEncoder
from host.errors import HostError
from train.errors import TrainError
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle

DUTY_CYCLE = 0.01
SECONDS_AN_HOUR = 3600


def main() -> int:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goodput", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/cifar10"), help="default: %(default)s")
    parser.add_argument("--images", type=int, default=10_000, help="test images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (default: %(default)s)")
    parser.add_argument("--media", nargs="+", choices=LINKS, default=list(LINKS), help="default: all")
    parser.add_argument("--cells", type=Path, default=Path("build/bench/link"), help="default: %(default)s")
    parser.add_argument("--compressed", type=Path, default=Path("build/bench/compressed"), help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("build/bench/goodput.json"), help="default: %(default)s")
    args = parser.parse_args()
    if args.images < 1 or args.seed < 0:
        parser.error("--images must be at least 1, --seed at least 0")
    try:
        report = measure(args.bundle, args.images, args.seed, args.media, args.cells, args.compressed)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n")
    except (BundleError, HostError, TrainError, OSError) as error:
        print(f"link: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nlink: interrupted; the same command goes on", file=sys.stderr)
        return 130
    print(f"figures: {args.out}")
    return 0


def measure(path: Path, count: int, seed: int, media: list[str], cells: Path, compressed: Path) -> dict:
    """All figures, by medium, system and state."""
    bundle, console = load_bundle(path), Console()
    images, labels = (part[:count] for part in images_for(bundle, console.print))
    cells = cells / f"{bundle.model_id}-{len(images)}-{seed}"
    cells.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description:<48}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    figures, seconds = {}, 0.0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        systems = with_features(bundle, _symbols(bundle, images, cells / "symbols.npy", bar), labels)
        pictures, reports = with_pictures(compressed, len(images), console.print)
        systems |= pictures if bundle.manifest["dataset"] == "cifar10" else {}
        for name in media:
            figures[name] = {"title": LINKS[name].title, "state": LINKS[name].state, "systems": {}}
            for key, system in systems.items():
                if not fits(system, LINKS[name]):
                    continue
                rows = {f"{value:g}": _cell(name, value, key, system, seed, cells, bar) for value in LINKS[name].values}
                seconds += sum(row["seconds"] for row in rows.values())
                figures[name]["systems"][key] = {"title": system.title, "rows": rows}
                console.print(_line(name, system, rows), highlight=False, soft_wrap=True)
    return {
        "bundle": bundle.name,
        "model_id": bundle.model_id,
        "images": len(images),
        "seed": seed,
        "duty_cycle": DUTY_CYCLE,
        "media": figures,
        "compressed": reports,
        "seconds": round(seconds, 1),
        "command": f"python -m benchmarks.goodput --bundle {path} --images {count} --seed {seed}",
        "date": datetime.date.today().isoformat(),
    }


def _symbols(bundle: Bundle, images: np.ndarray, file: Path, bar: Progress) -> np.ndarray:
    """Symbols (n, S) by TFLite's reference kernels, kept beside the cells."""
    if not file.is_file():
        task = bar.add_task("TFLite's reference kernels", total=len(images))
        latents = ReferenceEncoder(bundle.encoder_path).latents(images, partial(bar.advance, task))
        part = file.with_suffix(".part.npy")
        np.save(part, bundle.symbols(latents))
        part.replace(file)
    return np.load(file)


def _cell(name: str, value: float, key: str, system: Scheme, seed: int, cells: Path, bar: Progress) -> dict[str, float]:
    """One system over one medium in one state, as kept or measured now."""
    file = cells / f"{name}_{value:g}_{key}.json"
    if file.is_file():
        return json.loads(file.read_text())
    started = time.monotonic()
    task = bar.add_task(f"{name} {value:g}  {system.title}")
    rng = np.random.default_rng([seed, zlib.crc32(file.stem.encode())])
    outcome = system.send(LINKS[name], value, rng, partial(bar.advance, task))
    bar.remove_task(task)
    row = figures_of(outcome) | {"seconds": round(time.monotonic() - started, 2)}
    part = file.with_suffix(".part")
    part.write_text(json.dumps(row))
    part.replace(file)
    return row


def figures_of(outcome: Outcome) -> dict[str, float]:
    """What is reported of an outcome; lost frames are wrong in accuracy_sent."""
    delivered, air_s = int(outcome.arrived.sum()), float(outcome.air_s.mean())
    sent = float(outcome.right.mean())
    return {
        "accuracy": int(outcome.right.sum()) / delivered if delivered else 0.0,
        "accuracy_sent": sent,
        "lost": len(outcome.arrived) - delivered,
        "air_time_s": air_s,
        "correct_an_hour": DUTY_CYCLE * SECONDS_AN_HOUR / air_s * sent,
        **outcome.extra,
    }


def _line(name: str, system: Scheme, rows: dict[str, dict]) -> str:
    shown = "  ".join(f"{value}: {100 * row['accuracy_sent']:.1f}" for value, row in rows.items())
    return f"{name}  {system.title}  of all sent, %  {shown}"


if __name__ == "__main__":
    sys.exit(main())
