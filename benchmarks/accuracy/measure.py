"""Training and measurement of the experiments that are missing, into one JSON per experiment."""

import argparse
import datetime
import os
import sys
import time
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks import command
from benchmarks.accuracy import models
from benchmarks.accuracy.experiments import PLAIN, Experiment, Figures, experiments, stored
from benchmarks.accuracy.models import Prepared, TrainedSystem
from benchmarks.progress import progress_bar
from channel_sim.channels.bsc import BER_GRID
from train.compute_device import choose_device
from train.data.datasets import Dataset, load_for
from train.data.sampling import stratified
from train.errors import TrainError
from train.trainers.split import SplitConfig


def run_all(args: argparse.Namespace) -> None:
    """Train and measure what is missing of the chosen experiments, or list them."""
    if args.threads > 0:
        torch.set_num_threads(args.threads)
    console = Console() if sys.stdout.isatty() else Console(width=160)
    chosen = [experiment for experiment in experiments(args.configs) if fnmatch(experiment.name, args.experiments)]
    if not chosen:
        raise TrainError(f"no experiment is called {args.experiments}; --list shows their names")
    if args.list:
        console.print(_table(chosen, args))
        return
    args.device = choose_device(args.device)
    for experiment in chosen:
        _run(experiment, args, console)


def seeds_of(experiment: Experiment, requested: list[int] | None) -> list[int]:
    """Return the training seeds: the requested ones, else the config's; `plain` is not trained and keeps its own."""
    if requested is None or experiment.system == PLAIN:
        return [models.config_of(experiment).seed]
    return sorted(set(requested))


def missing(experiment: Experiment, old: Figures | None, args: argparse.Namespace) -> str | None:
    """Return the reason to measure an experiment; None if its stored figures are as good as requested."""
    if old is None:
        return "not measured"
    if not models.is_recipe(old.get("recipe"), experiment):
        return "config changed"
    if not set(seeds_of(experiment, args.seeds)) <= set(old["seeds"]):
        return "seeds missing"
    less = old["images"] < min(args.images, old["test_images"]) or old["draws"] < args.draws
    return "measured on less" if less else None


def _run(experiment: Experiment, args: argparse.Namespace, console: Console) -> None:
    file = args.out / f"{experiment.name}.json"
    reason = missing(experiment, stored(args.out).get(experiment.name), args)
    if reason is None:
        console.print(f"{experiment.name}: already measured, skipped", highlight=False)
        return
    console.print(f"{experiment.name}: {reason}", highlight=False)
    settings = models.config_of(experiment).data
    data = load_for(settings, console.print)
    report = _report(experiment, data, seeds_of(experiment, args.seeds), args, console)
    command.write_json(file, report)
    console.print(f"figures: {file}", highlight=False)


def _report(
    experiment: Experiment, data: Dataset, seeds: list[int], args: argparse.Namespace, console: Console
) -> Figures:
    index = np.sort(stratified(data.y_test, args.images))
    images, labels = data.x_test[index], data.y_test[index]
    prepared, rows = [], []
    for seed in seeds:
        prepared.append(models.prepare(experiment, seed, data, images, labels, args.device))
        started = time.monotonic()
        title = experiment.name if len(seeds) == 1 else f"{experiment.name}, seed {seed}"
        rows.append(_grid(title, prepared[-1].system, labels, args.draws, console))
        console.print(f"{title}: measured in {time.monotonic() - started:.0f} s", highlight=False)
    return {
        **_facts(experiment, prepared[0], rows, data),
        **_figures(rows),
        **_circumstances(experiment, prepared, seeds, data, args),
    }


def _grid(title: str, system: TrainedSystem, labels: np.ndarray, draws: int, console: Console) -> dict[str, list[dict]]:
    """Return the figures of each draw, by BER."""
    rows: dict[str, list[dict]] = {}
    with progress_bar(console) as bar:
        for ber in BER_GRID:
            task = bar.add_task(f"{title}, BER {ber:g}", total=draws * len(labels))
            on_progress = partial(bar.advance, task)
            rows[f"{ber:g}"] = [system.figures(labels, ber, draw, on_progress) for draw in range(draws)]
            mean, sent = (np.mean([row[key] for row in rows[f"{ber:g}"]]) for key in ("accuracy", "accuracy_sent"))
            line = f"{title}  BER {ber:<5g}  accuracy {100 * mean:.2f} %  of all sent {100 * sent:.2f} %"
            console.print(line, highlight=False)
    return rows


def _facts(experiment: Experiment, prepared: Prepared, rows: list[dict[str, list[dict]]], data: Dataset) -> Figures:
    system, config = prepared.system, models.config_of(experiment)
    schedule = config.schedule
    payload = float(np.mean([draw["payload_bytes"] for row in rows[0].values() for draw in row]))
    base = models.recipe(experiment)["classifier"]
    epochs = {} if experiment.system == PLAIN else {"system": schedule.epochs + schedule.qat_epochs}
    if base:
        epochs["classifier"] = base["schedule"]["epochs"] + base["schedule"]["qat_epochs"]
    return {
        "system": experiment.system,
        "dataset": experiment.dataset,
        "classifier": base and base["architecture"],
        "base_trained": isinstance(config, SplitConfig) and config.fine_tune is not None,
        "ablation": experiment.ablation,
        "payload_bytes": int(payload) if payload.is_integer() else round(payload, 2),
        "ratio_rgb": round(int(np.prod(data.x_test.shape[1:])) / payload, 2),
        "ratio_float_features": round(4 * system.feature_values / payload, 2),
        "encoder_macs": system.encoder_macs,
        "encoder_arithmetic": system.arithmetic,
        "classifier_accuracy": prepared.classifier_accuracy,
        "epochs": sum(epochs.values()),
        "epochs_by_part": epochs,
    }


def _figures(rows: list[dict[str, list[dict]]]) -> Figures:
    """Return the means of every figure by BER over seeds and draws, and the spread of the accuracy."""
    figures: Figures = {}
    for key in next(iter(rows[0].values()))[0]:
        if key != "payload_bytes":
            values = {ber: [[draw[key] for draw in row[ber]] for row in rows] for ber in rows[0]}  # (seeds, draws)
            figures[key] = {ber: round(float(np.mean(value)), 6) for ber, value in values.items()}
            if key == "accuracy":
                figures["accuracy_std"] = {ber: _spread(np.array(value)) for ber, value in values.items()}
    figures["accuracy_std_over"] = "seeds" if len(rows) > 1 else "draws"
    return figures


def _spread(values: np.ndarray) -> float | None:
    """Return the sample standard deviation over seeds (of the means over draws), or over draws if there is one seed.

    values (seeds, draws). None for a single value.
    """
    means = values.mean(1) if len(values) > 1 else values[0]
    return round(float(means.std(ddof=1)), 6) if len(means) > 1 else None


def _circumstances(
    experiment: Experiment, prepared: list[Prepared], seeds: list[int], data: Dataset, args: argparse.Namespace
) -> Figures:
    options = [f"--images {args.images}", f"--draws {args.draws}"]
    if args.seeds is not None and experiment.system != PLAIN:
        options.append(f"--seeds {' '.join(map(str, seeds))}")
    return {
        "seeds": seeds,
        "draws": args.draws,
        "images": min(args.images, len(data.y_test)),
        "test_images": len(data.y_test),
        "training_seconds": {part: [one.seconds[part] for one in prepared] for part in prepared[0].seconds},
        "hardware": hardware({device for seed in seeds for device in models.trained_on(experiment, seed)}),
        "command": f"python -m benchmarks.accuracy --experiments {experiment.name} {' '.join(options)}",
        "date": datetime.date.today().isoformat(),
        "recipe": models.recipe(experiment),
    }


def hardware(trained_on: set[str]) -> str:
    """Return the processor, its cores, PyTorch and its threads, and the devices that the training logs name."""
    names = [
        line.partition(":")[2].strip()
        for line in (Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else "").splitlines()
        if line.startswith("model name")
    ]
    name = names[0] if names else "unknown processor"
    gpus = "".join(f"; trained on {device}" for device in sorted(trained_on - {"cpu"}))
    return f"{name}, {os.cpu_count()} cores; PyTorch {torch.__version__}, {torch.get_num_threads()} threads{gpus}"


def _table(chosen: list[Experiment], args: argparse.Namespace) -> Table:
    table, old = Table("experiment", "trained", "measured", "BER 0", "BER 0.1"), stored(args.out)
    for experiment in chosen:
        schedule = models.config_of(experiment).schedule
        total, seeds = schedule.epochs + schedule.qat_epochs, seeds_of(experiment, args.seeds)
        trained = ", ".join(f"{models.epochs_done(models.run_folder(experiment, s))}/{total}" for s in seeds)
        report = old.get(experiment.name)
        measured = report["date"] if report else ""
        accuracy = report["accuracy"] if report else {}
        shown = [f"{100 * accuracy[ber]:.2f} %" if ber in accuracy else "-" for ber in ("0", "0.1")]
        table.add_row(experiment.name, trained, missing(experiment, report, args) or measured, *shown)
    return table
