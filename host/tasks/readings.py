"""Readings from JSON lines of `inkling receive` or `readings`, and their labels: what a task is taught from."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np

from host.errors import HostError
from host.tasks.examples import Examples, group_of
from wire.bundle import Bundle
from wire.checks import ContentError, integers, is_int, require, require_printable, shown
from wire.model import MAX_BER

LABELS_HEADER = "image_id"  # first cell of a header
MAX_LINE = 1 << 20  # characters: twice those of a reading with 65,535 symbols


@dataclass(frozen=True, eq=False)
class StoredReading:
    """The last reading of an image in a file, to which all frames received by then have contributed."""

    lines: tuple[int, ...]  # of all readings of the image, from 1
    image_id: str
    symbols: np.ndarray  # (S,) int64, -1 = not received
    payload_ber: float
    values: dict  # of the JSON line


class TornLineError(ContentError):
    """A line is not JSON: a full disk or a power cut has torn it."""


def read_readings(
    path: str | Path, bundle: Bundle, on_note: Callable[[str], None] | None = None
) -> list[StoredReading]:
    """Return the readings of a general bundle in a file of JSON lines, the last one of each image.

    Lines of other models are skipped, and so are torn lines, which `on_note` gets to know. Raises HostError if another
    line is damaged, or if there are no readings.
    """
    by_image: dict[str, StoredReading] = {}
    torn: list[int] = []
    try:
        with open(path, encoding="utf-8") as file:
            for number, text in enumerate(_lines(file), 1):
                try:
                    reading = _parse(text, bundle)
                except TornLineError:
                    torn.append(number)
                    continue
                except ContentError as error:
                    raise HostError(f"{path}, line {number}: {error}") from None
                if reading is not None:
                    earlier = by_image.get(reading.image_id)
                    lines = (*earlier.lines, number) if earlier else (number,)
                    by_image[reading.image_id] = replace(reading, lines=lines)
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise HostError(f"{path} is not a text file in UTF-8") from None
    if torn and not by_image:
        raise HostError(f"{path}, line {torn[0]}: this is not JSON")
    if torn and on_note:
        on_note(f"{path}: {len(torn)} lines are torn and left out, the first is line {torn[0]}")
    if not by_image:
        raise HostError(f"{path} has no readings of bundle {bundle.name} (model {bundle.model_id})")
    return list(by_image.values())


def by_name(readings: Sequence[StoredReading]) -> dict[str, StoredReading]:
    """Return the readings by the names that users give them: image id, and the line numbers of the image."""
    by_line = {str(line): reading for reading in readings for line in reading.lines}
    return by_line | {reading.image_id: reading for reading in readings}


def read_labels(path: str | Path, readings: Sequence[StoredReading], model_id: str) -> Examples:
    """Return the readings that a CSV file of image id (or line) and class names, as examples.

    Raises HostError if the file is damaged, names unknown readings, or gives one image two classes.
    """
    known = by_name(readings)
    label_of: dict[str, str] = {}
    for number, (name, label) in _rows(path):
        if name not in known:
            raise HostError(f"{path}, line {number}: {shown(name)} is no image_id of the readings, nor a line of one")
        image_id = known[name].image_id
        if label_of.setdefault(image_id, label) != label:
            raise HostError(f"{path}, line {number}: image {image_id} has the class {label_of[image_id]!r} already")
    if not label_of:
        raise HostError(f"{path} has no labels: one line per image, image_id,class")
    classes = tuple(dict.fromkeys(label_of.values()))
    labelled = [known[image_id] for image_id in label_of]
    return Examples(
        symbols=np.stack([reading.symbols for reading in labelled]),
        labels=np.array([classes.index(label) for label in label_of.values()], np.int64),
        groups=np.array([group_of(f"{model_id} {image_id}".encode()) for image_id in label_of], np.int64),
        bers=np.array([reading.payload_ber for reading in labelled]),
        classes=classes,
        source="readings",
    )


def _lines(file: TextIO) -> Iterator[str]:
    """Iterate over the lines of a file, up to the first one that is too long, which is cut.

    A sparse file has no line ends, and its single line could take all memory. The cut line is for its reader to refuse.
    """
    for line in iter(partial(file.readline, MAX_LINE), ""):
        yield line
        if len(line) == MAX_LINE:
            return


def _parse(text: str, bundle: Bundle) -> StoredReading | None:
    """Return the reading in a line, None if it is of another model. Raises ContentError."""
    require(len(text) < MAX_LINE, f"this line has {MAX_LINE} characters or more")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise TornLineError("this is not JSON") from None
    if not isinstance(values, dict):
        raise ContentError("this is not a JSON object")
    if values.get("model_id") != bundle.model_id:
        return None
    # Lines of `inkling readings` have an id, that of all readings.
    image_id, ber = values.get("image_id", values.get("id")), values.get("payload_ber")
    if not isinstance(image_id, str) or not image_id:
        raise ContentError("image_id is missing: only readings of a general bundle have it")
    require_printable("image_id", [image_id])
    symbols = integers(values, "symbols", -1, (1 << bundle.bits_per_symbol) - 1, count=bundle.n_symbols)
    if not (is_int(ber) or isinstance(ber, float)) or not 0 <= ber <= MAX_BER:
        raise ContentError(f"payload_ber is {shown(ber)}, not a bit error rate within 0..{MAX_BER}")
    return StoredReading((), image_id, np.array(symbols, np.int64), float(ber), values)


def _rows(path: str | Path) -> list[tuple[int, tuple[str, str]]]:
    """Return the line number, name and class of each row."""
    rows: list[tuple[int, tuple[str, str]]] = []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:  # with the mark that spreadsheets write
            reader = csv.reader(_lines(file))
            for cells in reader:
                stripped = [cell.strip() for cell in cells]
                if not any(stripped) or (not rows and stripped[0] == LABELS_HEADER):
                    continue
                try:
                    require(len(cells) == 2 and all(stripped), "this is not image_id,class")
                    require_printable("class", stripped[1:])
                except ContentError as error:
                    raise HostError(f"{path}, line {reader.line_num}: {error}") from None
                rows.append((reader.line_num, (stripped[0], stripped[1])))
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise HostError(f"{path} is not a CSV file in UTF-8") from None
    return rows
