"""Evaluation of a folder: find out what it is, load images, measure, show and write."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from export.evaluation import runs
from export.evaluation.data import data_of
from export.evaluation.evaluate import evaluate, steps
from export.evaluation.report import show, write
from export.evaluation.subject import BundleSubject, Subject
from train.data.datasets import Dataset
from train.data.sampling import stratified
from train.evaluate import BER_GRID
from wire.bundle import load as load_bundle
from wire.text import printable


@dataclass(frozen=True)
class Loaded:
    """A subject, its data, and the facts about it that the figures begin with."""

    subject: Subject
    data: Dataset
    facts: dict[str, Any]
    probability: np.ndarray | None = None  # of a bundle's board, by confidence level


def evaluate_folder(
    folder: Path, count: int | None, draws: int, out: Path | None, bers: Sequence[float] | None = None
) -> None:
    """Evaluate the bundle or run in a folder on `count` test images, all by default.

    bers: bit error rates besides 0; by default those of the benchmarks.
    """
    console = Console(highlight=False, markup=False, emoji=False)  # names of classes are no markup
    loaded = _load(folder, console)
    data = loaded.data
    index = stratified(data.y_test, count or len(data.y_test))
    images, labels = data.x_test[index], data.y_test[index]
    console.print(printable(f"{loaded.facts['name']}: {len(labels):,} test images of {data.name}"))
    rates = sorted({0.0, *(BER_GRID if bers is None else bers)})
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("evaluating", total=steps(loaded.subject, len(labels), draws, rates))
        on_progress = partial(bar.advance, task)
        classes, probability = list(data.classes), loaded.probability
        figures = evaluate(loaded.subject, images, labels, classes, draws, probability, on_progress, rates)
    figures = {**loaded.facts, "dataset": data.name, **figures}
    show(figures, console)
    if out:
        console.print(printable(f"written: {', '.join(map(str, write(figures, out)))}"))


def _load(folder: Path, console: Console) -> Loaded:
    """Load a bundle or a run. Raises TrainError if the folder is neither, or a run is not finished."""
    if (folder / "bundle.json").is_file():
        bundle = load_bundle(folder)
        facts = {"name": bundle.name, "model_id": bundle.model_id, "threshold": bundle.threshold}
        probability = bundle.answer.probability if bundle.answer else None
        data = data_of(bundle, console.print)  # first: it refuses a general bundle, whose decoder gives no classes
        return Loaded(BundleSubject(bundle), data, facts, probability)
    subject, config, data = runs.load(folder, console.print)
    return Loaded(subject, data, {"name": config.name})
