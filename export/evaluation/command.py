"""Evaluation of a folder: find out what it is, load images, measure, show and write."""

from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from export.errors import ExportError
from export.evaluation.data import data_of
from export.evaluation.evaluate import evaluate, steps
from export.evaluation.report import show, write
from export.evaluation.subject import BundleSubject
from train.data.sampling import stratified
from wire.bundle import load as load_bundle


def evaluate_folder(folder: Path, count: int | None, draws: int, out: Path | None) -> None:
    """Evaluate the bundle or run in a folder on `count` test images, all by default."""
    console = Console()
    if not (folder / "bundle.json").is_file():
        raise ExportError(f"{folder} is neither a bundle nor a run")
    bundle = load_bundle(folder)
    data = data_of(bundle, console.print)
    index = stratified(data.y_test, count or len(data.y_test))
    images, labels = data.x_test[index], data.y_test[index]
    subject, probability = BundleSubject(bundle), bundle.answer.probability if bundle.answer else None
    console.print(f"{bundle.name}, model {bundle.model_id}: {len(labels):,} test images of {data.name}")
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("evaluating", total=steps(subject, len(labels), draws))
        on_progress = partial(bar.advance, task)
        figures = evaluate(subject, images, labels, bundle.classes, draws, probability, on_progress)
    figures |= {"name": bundle.name, "model_id": bundle.model_id, "dataset": data.name, "threshold": bundle.threshold}
    show(figures, console)
    if out:
        console.print(f"written: {', '.join(map(str, write(figures, out)))}")
