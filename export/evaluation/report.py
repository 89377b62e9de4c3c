"""The report of an evaluation: tables on the console, evaluation.json, classes.csv and confusion.png."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from export.evaluation.metrics import Confusion
from host.confusion import draw
from wire.answer import CONFIDENCES
from wire.files import naming, to_json
from wire.text import printable

SHOWN_CLASSES = 20  # in the table on the console: all, or as many of the worst
SHOWN_PAIRS = 5
HOST = "host"
PARTS = (HOST, "board", "classifier")  # of the figures, those with a confusion matrix


def show(figures: dict[str, Any], console: Console) -> None:
    """Print the tables."""
    classes = figures["classes"]
    if HOST in figures:
        console.print(_by_ber(figures))
    for part in _parts(figures):
        if part != HOST:
            error = figures[part].get("expected_calibration_error")
            calibration = "" if error is None else f"; expected calibration error {100 * error:.1f} points"
            console.print(f"{part} alone: {_percent(figures[part]['accuracy'])}{calibration}")
    if figures.get("adaptive"):
        console.print(_sweep(figures["adaptive"], figures.get("threshold")))
    console.print(_classes(figures))
    for part in _parts(figures):
        confusion = Confusion(np.array(figures[part]["confusion"]))
        pairs = [f"{classes[a]} as {classes[b]} {n}" for a, b, n in confusion.most_confused(SHOWN_PAIRS)]
        console.print(printable(f"{part}, most often confused: {', '.join(pairs) or 'nothing'}"))


def write(figures: dict[str, Any], folder: Path) -> list[Path]:
    """Write the files to a folder and return them. Raises HostError if matplotlib is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "evaluation.json", folder / "classes.csv", folder / "confusion.png"]
    parts = _parts(figures)
    with naming(files[0]):
        files[0].write_text(to_json(figures, indent=1) + "\n", encoding="utf-8")
    with naming(files[1]), files[1].open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["class", "images", *[f"accuracy of the {part}" for part in parts]])
        for index, name in enumerate(figures["classes"]):
            shares = [figures[part]["per_class"][index] for part in parts]
            count = sum(figures[parts[0]]["confusion"][index])
            writer.writerow([name, count, *["" if share is None else f"{share:.4f}" for share in shares]])
    matrices = {part: np.array(figures[part]["confusion"]) for part in parts}
    draw(files[2], matrices, figures["classes"])
    return files


def _parts(figures: dict[str, Any]) -> list[str]:
    return [part for part in PARTS if part in figures]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _by_ber(figures: dict[str, Any]) -> Table:
    accuracies = figures["host"]["accuracy"]
    table = Table(title=f"{figures['images']} images; accuracy of the host by bit error rate, which it is given")
    table.add_column("payload")
    for ber in next(iter(accuracies.values())):
        table.add_column(ber, justify="right")
    for title, by_ber in accuracies.items():
        table.add_row(title, *[_percent(row["accuracy"]) for row in by_ber.values()])
    return table


def _sweep(by_payload: dict[str, list[dict[str, Any]]], default: int | None) -> Table:
    """Return the sweep of thresholds: what the board answers, and the accuracy of all for each payload of the rest."""
    table = Table(title="mode adaptive over a clean link: accuracy of all, by threshold and payload of the rest")
    for heading in ("threshold", "by board", "correct of these", *by_payload):
        table.add_column(heading, justify="right")
    for rows in zip(*by_payload.values(), strict=True):
        first = rows[0]
        name = f"{first['threshold']}{' (default)' if first['threshold'] == default else ''}"
        shares = [first["answered"], first["answered_accuracy"], *(row["accuracy"] for row in rows)]
        table.add_row("no answers" if first["threshold"] == CONFIDENCES else name, *map(_percent, shares))
    return table


def _classes(figures: dict[str, Any]) -> Table:
    parts, names = _parts(figures), figures["classes"]
    shares = [[figures[part]["per_class"][index] for part in parts] for index in range(len(names))]
    # The worst come first; a class without images has no accuracy and comes last.
    order = sorted(range(len(names)), key=lambda index: 2.0 if shares[index][0] is None else shares[index][0])
    title = "accuracy by class" if len(names) <= SHOWN_CLASSES else f"accuracy by class, the {SHOWN_CLASSES} worst"
    table = Table(title=title)
    table.add_column("class")
    for part in parts:
        table.add_column(part, justify="right")
    for index in order[:SHOWN_CLASSES]:
        table.add_row(printable(names[index]), *[_percent(share) for share in shares[index]])
    return table
