"""`inkling teach`: teach a task from labelled readings, and show how well it does on left-out images."""

import argparse
from typing import Any

import numpy as np
from rich.progress import Progress
from rich.table import Table

from host.classify.decoder import EmbeddingDecoder
from host.cli.output import Output, plain_console
from host.confusion import draw
from host.tasks.examples import Examples, TaskError
from host.tasks.files import load, names, save
from host.tasks.images import list_pictures, read_pictures
from host.tasks.readings import read_labels, read_readings
from host.tasks.report import with_report
from host.tasks.task import SEED, Task, check_name, teach
from wire.bundle import Bundle
from wire.bundle import load as load_bundle
from wire.text import printable

MATRIX_CLASSES = 20  # up to so many, the confusion matrix is shown


def run(options: argparse.Namespace) -> int:
    """Teach the task, write it, show its figures, and return the exit status."""
    check_name(options.task)
    bundle = load_bundle(options.bundle)
    decoder = EmbeddingDecoder(bundle)
    exists = options.task in names(bundle)
    if options.add and not exists:
        raise TaskError(f"bundle {bundle.path} has no task {options.task!r}: teach it without --add first")
    if exists and not options.add and not options.force:
        raise TaskError(
            f"bundle {bundle.path} has task {options.task!r}: pass --add to add to it, --force to replace it"
        )
    earlier = load(bundle, options.task) if options.add else None
    copies = _examples(options, bundle).with_damaged_copies(bundle.bits_per_symbol, SEED)
    task = teach(bundle, decoder, options.task, copies, earlier=earlier)
    task = with_report(task, bundle, decoder, copies)
    if options.confusion:  # first: if it fails, nothing is written
        draw(options.confusion, {task.name: np.array(task.fitted.figures["confusion"])}, task.classes)
    folder = save(task, bundle)
    _show(task)
    for path in filter(None, (folder, options.confusion)):
        plain_console().print(f"wrote {printable(path)}")
    return 0


def _examples(options: argparse.Namespace, bundle: Bundle) -> Examples:
    """Return the examples in a folder of pictures, or in labelled readings."""
    if options.examples.is_dir():
        if options.labels:
            raise TaskError("--labels is for readings: the classes of pictures are the names of their folders")
        output = Output()
        pictures = list_pictures(options.examples, output.note)
        console = plain_console()
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(f"encoding {len(pictures):,} pictures", total=len(pictures))
            return read_pictures(pictures, bundle, lambda: bar.advance(task), output.note, strict=options.strict)
    if not options.labels:
        raise TaskError(f"{options.examples} is not a folder of pictures; readings need --labels")
    return read_labels(options.labels, read_readings(options.examples, bundle, Output().note), bundle.model_id)


def _show(task: Task) -> None:
    figures, console = task.fitted.figures, plain_console(wrap=True)
    console.print(f"task {task.name}: {len(task.classes)} classes, {figures['images']} images, each left out in turn")
    shown = [
        *((f"at BER {copy['mean_ber']:.1e}", copy) for copy in [*figures["by_copy"], *figures["by_ber"]]),
        *((f"from the first {prefix['bytes']} bytes", prefix) for prefix in figures["by_prefix"]),
        *((f"if taught {few['images_per_class']} images per class", few) for few in figures["by_shots"]),
    ]
    for case, values in shown:
        part = "" if values["images"] == figures["images"] else f", of {values['images']} images"
        console.print(f"  correct {case}: {_accuracy(values)}{part}")
    console.print(f"  {figures['rejected']:.1%} rejected as none of these")
    table = Table()
    for heading in ("class", "images", "correct", "rejected"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for label, values in figures["by_class"].items():
        table.add_row(label, str(values["images"]), _accuracy(values), f"{values['rejected']:.1%}")
    console.print(table)
    if len(task.classes) <= MATRIX_CLASSES:
        console.print(_matrix(task))


def _accuracy(values: dict[str, Any]) -> str:
    low, high = values["interval_95"]
    return f"{values['accuracy']:.1%} ({low:.1%} to {high:.1%})"


def _matrix(task: Task) -> Table:
    table = Table(title="true classes down, predicted across")
    table.add_column("")
    for number in range(len(task.classes)):
        table.add_column(str(number + 1), justify="right")
    for number, (label, row) in enumerate(zip(task.classes, task.fitted.figures["confusion"], strict=True), 1):
        table.add_row(f"{number} {label}", *(str(count) if count else "." for count in row))
    return table
