"""The comparison under equal terms: trains what is not trained yet and measures it, one JSON a cell.

The experiments are the configs in configs/systems, and int8 features behind a CRC on each base classifier that these name.
What is measured already, of the same configs and of as many images, draws and seeds, is skipped; what was interrupted
goes on. Float systems are measured in PyTorch, Inkling with its int8 encoder as training rounds it; each picture's
frame goes through the binary symmetric channel into the receiver, whose estimate the decoder is told, and the encoder
as well where it asks for one, 500 images later. `python -m benchmarks.accuracy.page` makes the page.
"""

import argparse
import datetime
import json
import os
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.accuracy import models as accuracy_models
from benchmarks.accuracy.experiments import CONFIGS, PLAIN, RESULTS, Experiment, experiments, stored
from benchmarks.accuracy.models import Model, Ready
from benchmarks.delivery import BERS
from host.errors import HostError
from train.data.datasets import Dataset, load
from train.errors import TrainError
from train.trainers.compute_device import choose

IMAGES, DRAWS = 10_000, 3
COLUMNS = (TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and train and measure what is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--experiments", default="*", metavar="PATTERN", help="names like cifar10-*; default: all")
    parser.add_argument("--list", action="store_true", help="show what is measured and what is not, and stop")
    parser.add_argument("--images", type=int, default=IMAGES, help="test images (default: %(default)s)")
    parser.add_argument("--draws", type=int, default=DRAWS, help="of the bit flips (default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", help="of the training (default: the one in each config)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all cores)")
    parser.add_argument("--device", help="to train on: cpu, cuda, cuda:1 (default: cuda where there is one, else cpu)")
    parser.add_argument("--configs", type=Path, default=CONFIGS, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    args = parser.parse_args(arguments)
    if min(args.images, args.draws) < 1 or min(args.seeds or [0]) < 0:
        parser.error("--images and --draws must be at least 1, --seeds at least 0")
    if args.threads > 0:
        torch.set_num_threads(args.threads)
    console = Console() if sys.stdout.isatty() else Console(width=160)
    try:
        chosen = [cell for cell in experiments(args.configs) if fnmatch(cell.name, args.experiments)]
        if not chosen:
            raise TrainError(f"no cell is called {args.experiments}; --list shows their names")
        if args.list:
            console.print(_table(chosen, args))
            return 0
        args.device = choose(args.device)
        for cell in chosen:
            _cell(cell, args, console)
    except (TrainError, HostError, OSError) as error:
        print(f"accuracy: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\naccuracy: interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


def seeds_of(cell: Experiment, asked: list[int] | None) -> list[int]:
    """Seeds to train: those asked for, else the config's; nothing is trained for `plain`."""
    return [accuracy_models.own_config(cell).seed] if asked is None or cell.system == PLAIN else sorted(set(asked))


def missing(cell: Experiment, old: dict | None, args: argparse.Namespace) -> str | None:
    """Why a cell has to be measured; None when it is there, as good as asked for."""
    if old is None:
        return "not measured"
    if old.get("recipe") != accuracy_models.recipe(cell):
        return "config changed"
    if not set(seeds_of(cell, args.seeds)) <= set(old["seeds"]):
        return "seeds missing"
    less = old["images"] < min(args.images, old["test_images"]) or old["draws"] < args.draws
    return "measured on less" if less else None


def _cell(cell: Experiment, args: argparse.Namespace, console: Console) -> None:
    file = args.out / f"{cell.name}.json"
    why = missing(cell, stored(args.out).get(cell.name), args)
    if why is None:
        console.print(f"{cell.name}: measured already, skipped", highlight=False)
        return
    console.print(f"{cell.name}: {why}", highlight=False)
    settings = accuracy_models.own_config(cell).data
    data = load(settings.name, settings.size, settings.grey, console.print)
    report = _report(cell, data, seeds_of(cell, args.seeds), args, console)
    args.out.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    part.replace(file)
    console.print(f"figures: {file}", highlight=False)


def _report(cell: Experiment, data: Dataset, seeds: list[int], args: argparse.Namespace, console: Console) -> dict:
    images, labels = data.x_test[: args.images], data.y_test[: args.images]
    ready, rows = [], []
    for seed in seeds:
        ready.append(accuracy_models.prepare(cell, seed, data, images, labels, args.device))
        started = time.monotonic()
        title = cell.name if len(seeds) == 1 else f"{cell.name}, seed {seed}"
        rows.append(_grid(title, ready[-1].model, labels, args.draws, console))
        console.print(f"{title}: measured in {time.monotonic() - started:.0f} s", highlight=False)
    return {
        **_facts(cell, ready, rows, data),
        **_figures(rows),
        **_circumstances(cell, ready, seeds, data, args),
    }


def _grid(title: str, model: Model, labels: np.ndarray, draws: int, console: Console) -> dict[str, list[dict]]:
    """What each draw gave, by BER."""
    rows: dict[str, list[dict]] = {}
    with Progress(*COLUMNS, console=console, transient=True, disable=not sys.stdout.isatty()) as bar:
        for ber in BERS:
            task = bar.add_task(f"{title}, BER {ber:g}", total=draws * len(labels))
            rows[f"{ber:g}"] = [
                model.figures(labels, ber, draw, lambda done: bar.advance(task, done))  # noqa: B023 - called at once
                for draw in range(draws)
            ]
            mean, sent = (np.mean([row[key] for row in rows[f"{ber:g}"]]) for key in ("accuracy", "accuracy_sent"))
            line = f"{title}  BER {ber:<5g}  accuracy {100 * mean:.2f} %  of all sent {100 * sent:.2f} %"
            console.print(line, highlight=False)
    return rows


def _facts(cell: Experiment, ready: list[Ready], rows: list[dict[str, list[dict]]], data: Dataset) -> dict:
    model, own = ready[0].model, accuracy_models.own_config(cell)
    payload = float(np.mean([draw["payload_bytes"] for row in rows[0].values() for draw in row]))
    base = accuracy_models.recipe(cell)["classifier"]
    schedules = {"system": None if cell.system == PLAIN else own.schedule}
    epochs = {name: s.epochs + s.qat_epochs for name, s in schedules.items() if s}
    if base:
        epochs["classifier"] = base["schedule"]["epochs"] + base["schedule"]["qat_epochs"]
    return {
        "system": cell.system,
        "dataset": cell.dataset,
        "classifier": base and base["architecture"],
        "ablation": cell.ablation,
        "payload_bytes": int(payload) if payload.is_integer() else round(payload, 2),
        "ratio_rgb": round(int(np.prod(data.x_test.shape[1:])) / payload, 2),
        "ratio_float_features": round(4 * model.feature_values / payload, 2),
        "encoder_macs": model.encoder_macs,
        "encoder_arithmetic": model.arithmetic,
        "classifier_accuracy": ready[0].classifier_accuracy,
        "epochs": sum(epochs.values()),
        "epochs_by_part": epochs,
    }


def _figures(rows: list[dict[str, list[dict]]]) -> dict:
    """Means over seeds and draws of every figure by BER; the spread over seeds where there are several."""
    found: dict[str, dict] = {}
    for key in next(iter(rows[0].values()))[0]:
        if key != "payload_bytes":
            values = {ber: [[draw[key] for draw in row[ber]] for row in rows] for ber in rows[0]}  # (seeds, draws)
            found[key] = {ber: round(float(np.mean(value)), 6) for ber, value in values.items()}
            if key == "accuracy":
                found["accuracy_std"] = {ber: _spread(np.array(value)) for ber, value in values.items()}
    found["accuracy_std_over"] = "seeds" if len(rows) > 1 else "draws"
    return found


def _spread(values: np.ndarray) -> float | None:
    """Sample standard deviation over seeds (of the means over draws), else over draws; None of one alone."""
    of = values.mean(1) if len(values) > 1 else values[0]
    return round(float(of.std(ddof=1)), 6) if len(of) > 1 else None


def _circumstances(
    cell: Experiment, ready: list[Ready], seeds: list[int], data: Dataset, args: argparse.Namespace
) -> dict:
    options = [f"--images {args.images}", f"--draws {args.draws}"]
    if args.seeds is not None and cell.system != PLAIN:
        options.append(f"--seeds {' '.join(map(str, seeds))}")
    return {
        "seeds": seeds,
        "draws": args.draws,
        "images": min(args.images, len(data.y_test)),
        "test_images": len(data.y_test),
        "training_seconds": {part: [one.seconds[part] for one in ready] for part in ready[0].seconds},
        "hardware": hardware({device for seed in seeds for device in accuracy_models.trained_on(cell, seed)}),
        "command": f"python -m benchmarks.accuracy --experiments {cell.name} {' '.join(options)}",
        "date": datetime.date.today().isoformat(),
        "recipe": accuracy_models.recipe(cell),
    }


def hardware(trained_on: set[str]) -> str:
    """The processor, its cores, what computes on it, and which other devices the logs of the trainings name."""
    names = [
        line.partition(":")[2].strip()
        for line in (Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else "").splitlines()
        if line.startswith("model name")
    ]
    name = names[0] if names else "unknown processor"
    gpus = "".join(f"; trained on {device}" for device in sorted(trained_on - {"cpu"}))
    return f"{name}, {os.cpu_count()} cores; PyTorch {torch.__version__}, {torch.get_num_threads()} threads{gpus}"


def _table(chosen: list[Experiment], args: argparse.Namespace) -> Table:
    table, old = Table("cell", "trained", "measured", "BER 0", "BER 0.1"), stored(args.out)
    for cell in chosen:
        schedule = accuracy_models.own_config(cell).schedule
        total, seeds = schedule.epochs + schedule.qat_epochs, seeds_of(cell, args.seeds)
        trained = ", ".join(f"{accuracy_models.epochs_done(accuracy_models.folder(cell, s))}/{total}" for s in seeds)
        report = old.get(cell.name)
        accuracy = report["accuracy"] if report else {}
        shown = [f"{100 * accuracy[ber]:.2f} %" if ber in accuracy else "-" for ber in ("0", "0.1")]
        table.add_row(cell.name, trained, missing(cell, report, args) or report["date"], *shown)
    return table


if __name__ == "__main__":
    sys.exit(main())
