"""Labelled readings as examples: for a task, and as files for others who train."""

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from host.errors import HostError
from host.site.records import ReadingRecord
from host.store.query import ReadingQuery
from host.store.store import Store
from host.tasks.examples import Examples, group_of
from host.tasks.readings import LABELS_HEADER
from wire.bundle import Bundle
from wire.files import to_json, write_whole

Labelled = list[tuple[ReadingRecord, str]]
READINGS, LABELS, SYMBOLS = "readings.jsonl", "labels.csv", "symbols.npz"


@dataclass(frozen=True)
class Export:
    """What has been written."""

    bundle: str
    counts: dict[str, int]  # readings by label
    left_out: dict[str, int]  # labelled readings by the reason
    files: tuple[Path, ...]


def examples(labelled: Iterable[tuple[ReadingRecord, str]], bundle: Bundle) -> Examples:
    """Return readings of a general bundle with their labels as `inkling teach` takes them; others are left out.

    The classes are in the order in which they come. Raises HostError if there are no readings of the bundle.
    """
    fitting = [(reading, label) for reading, label in labelled if fits(reading, bundle)]
    if not fitting:
        raise HostError(f"there are no labelled readings of bundle {bundle.name} (model {bundle.model_id})")
    classes = tuple(dict.fromkeys(label for _, label in fitting))
    identities = [f"{bundle.model_id} {reading.id}".encode() for reading, _ in fitting]
    return Examples(
        symbols=np.array([reading.symbols for reading, _ in fitting], np.int64),
        labels=np.array([classes.index(label) for _, label in fitting], np.int64),
        groups=np.array([group_of(identity) for identity in identities], np.int64),
        bers=np.array([reading.payload_ber for reading, _ in fitting]),
        classes=classes,
        source="readings",
    )


def fits(reading: ReadingRecord, bundle: Bundle) -> bool:
    """Return True if a reading has symbols of this bundle."""
    symbols = reading.symbols
    return (
        reading.model_id == bundle.model_id
        and len(symbols) == bundle.n_symbols
        and max(symbols) < 1 << bundle.bits_per_symbol
    )


def export(store: Store, folder: Path, query: ReadingQuery, bundle: str | None = None) -> Export:
    """Write the labelled readings of one model that match to a folder: READINGS, LABELS and SYMBOLS.

    bundle: name or model_id, needed if there are labels of several. Raises HostError if there are none, or if a file
    cannot be written.
    """
    by_model: dict[tuple[str, str], Labelled] = {}
    for reading, label in _labelled(store, query):
        if bundle in (None, reading.bundle, reading.model_id):
            by_model.setdefault((reading.bundle, reading.model_id), []).append((reading, label))
    if not by_model:
        raise HostError(f"store {store.path} has no labelled readings{f' of {bundle}' if bundle else ''} that match")
    if len(by_model) > 1:
        listed = ", ".join(f"{name} (model {model_id})" for name, model_id in by_model)
        raise HostError(f"the labelled readings are of {listed}: choose one with --bundle, by its name or model")
    (((name, _), labelled),) = by_model.items()
    length = Counter(len(reading.symbols) for reading, _ in labelled if reading.symbols).most_common(1)
    kept = [(reading, label) for reading, label in labelled if length and len(reading.symbols) == length[0][0]]
    answers = sum(not reading.symbols for reading, _ in labelled)
    left_out = {
        "answers, which have no symbols": answers,
        "other number of symbols": len(labelled) - len(kept) - answers,
    }
    if not kept:
        raise HostError(f"the labelled readings of bundle {name} are answers, which have no symbols")
    contents = {READINGS: _lines(kept), LABELS: _table(kept), SYMBOLS: _arrays(kept)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in contents.items():
            write_whole(folder / file, content)
    except OSError as error:
        raise HostError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    return Export(
        name,
        dict(Counter(label for _, label in kept).most_common()),
        {reason: count for reason, count in left_out.items() if count},
        tuple(folder / file for file in contents),
    )


def _labelled(store: Store, query: ReadingQuery) -> Labelled:
    return [(one, label) for one, label in store.stream(replace(query, labelled=True)) if label is not None]


def _lines(labelled: Labelled) -> bytes:
    return "".join(to_json({**reading.as_json(), "human_label": label}) + "\n" for reading, label in labelled).encode()


def _table(labelled: Labelled) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([LABELS_HEADER, "class"])
    writer.writerows((reading.id, label) for reading, label in labelled)
    return text.getvalue().encode()


def _arrays(labelled: Labelled) -> bytes:
    """Return symbols int16 (N, S), payload_ber (N,), labels (N,), and the texts classes (C,) and ids (N,)."""
    classes = sorted({label for _, label in labelled})
    content = io.BytesIO()
    np.savez_compressed(
        content,
        symbols=np.array([reading.symbols for reading, _ in labelled], np.int16),
        payload_ber=np.array([reading.payload_ber for reading, _ in labelled]),
        labels=np.array([classes.index(label) for _, label in labelled], np.int64),
        classes=np.array(classes),
        ids=np.array([reading.id for reading, _ in labelled]),
    )
    return content.getvalue()
