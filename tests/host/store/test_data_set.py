"""Labelled readings as examples and as files, down to a task that is taught from them."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from host.classify.decoder import EmbeddingDecoder
from host.errors import HostError
from host.site.records import ReadingRecord
from host.store.data_set import examples, export
from host.store.query import ReadingQuery
from host.store.store import Store
from host.tasks.files import load as load_task
from host.tasks.readings import read_labels, read_readings
from tests.conftest import RunInkling
from tests.host.store.records import TIME, reading
from tests.support import ROOT
from tests.support.host import make_bundle
from tests.support.tasks import CLASSES, class_symbols
from wire.bundle import Bundle
from wire.bundle import load as load_bundle


@pytest.fixture
def general(tmp_path: Path) -> Bundle:
    """48 symbols of 3 bits, embeddings of 20 values."""
    return make_bundle(tmp_path / "general", n_symbols=48, embedding=20)


def fill(store: Store, bundle: Bundle, images: int = 4) -> None:
    """Write labelled readings of each class, one without a label, an answer, and one of another bundle."""
    model: dict[str, Any] = {"bundle": bundle.name, "model_id": bundle.model_id, "label": None}
    records = [
        reading(
            n, symbols=tuple(class_symbols(bundle, ord(CLASSES[n % 3][0]), n).tolist()), payload_ber=n / 1000, **model
        )
        for n in range(3 * images + 1)
    ]
    others = [reading(900, symbols=(), **model), reading(901, bundle="other"), reading(902, symbols=(1, 2), **model)]
    store.write([*records, *others])
    for record in [*records[:-1], *others]:
        store.set_label(record.id, CLASSES[record.image_number % 3])


def labelled_in(store: Store, ids: list[str] | None = None) -> list[tuple[ReadingRecord, str]]:
    """Return the labelled readings of a store; `ids`: only these."""
    found = store.stream(ReadingQuery(labelled=True))
    return [(one, label) for one, label in found if label is not None and (ids is None or one.id in ids)]


def test_examples_are_those_that_teach_reads_from_the_files(store: Store, general: Bundle, tmp_path: Path) -> None:
    fill(store, general)
    done = export(store, tmp_path / "set", ReadingQuery(), "general")
    assert [file.name for file in done.files] == ["readings.jsonl", "labels.csv", "symbols.npz"]
    assert (done.bundle, done.counts) == ("general", {"ant": 4, "bee": 4, "cat": 4})
    assert done.left_out == {"answers, which have no symbols": 1, "other number of symbols": 1}
    from_store = examples(labelled_in(store), general)
    from_files = read_labels(done.files[1], read_readings(done.files[0], general), general.model_id)
    for name in ("symbols", "labels", "groups", "bers"):
        assert np.array_equal(getattr(from_store, name), getattr(from_files, name)), name
    assert from_store.classes == from_files.classes == CLASSES and from_store.source == from_files.source
    some = examples(labelled_in(store, ["home-3-1", "home-3-4", "home-3-12", "home-3-900"]), general)
    assert some.classes == ("bee",) and np.array_equal(some.symbols, from_store.symbols[[1, 4]])


def test_export_writes_arrays(store: Store, general: Bundle, tmp_path: Path) -> None:
    fill(store, general)
    export(store, tmp_path, ReadingQuery(until=TIME + 5), general.model_id)
    with np.load(tmp_path / "symbols.npz", allow_pickle=False) as arrays:
        assert arrays["symbols"].shape == (5, 48) and arrays["symbols"].dtype == np.int16
        assert arrays["payload_ber"].tolist() == [0.0, 0.001, 0.002, 0.003, 0.004]
        assert arrays["classes"][arrays["labels"]].tolist() == ["ant", "bee", "cat", "ant", "bee"]
        assert arrays["ids"].tolist() == [f"home-3-{n}" for n in range(5)]


def test_export_reports_what_it_cannot_do(store: Store, general: Bundle, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="has no labelled readings that match"):
        export(store, tmp_path, ReadingQuery())
    with pytest.raises(HostError, match="there are no labelled readings of bundle general "):
        examples(labelled_in(store), general)
    fill(store, general)
    listed = rf"are of general \(model {general.model_id}\), other \(model 58e3c1f2\): choose one with --bundle"
    with pytest.raises(HostError, match=listed):
        export(store, tmp_path, ReadingQuery())
    with pytest.raises(HostError, match="has no labelled readings of third that match"):
        export(store, tmp_path, ReadingQuery(), "third")
    with pytest.raises(HostError, match="labelled readings of bundle general are answers, which have no symbols"):
        export(store, tmp_path, ReadingQuery(since=TIME + 900, until=TIME + 901))
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match="file cannot be written: "):
        export(store, tmp_path / "file", ReadingQuery(), "general")


@pytest.mark.slow
def test_task_is_taught_from_the_store(store: Store, tmp_path: Path, run_inkling: RunInkling) -> None:
    """With the bundle that ships: readings, labels, `inkling readings --export`, `inkling teach`, predictions."""
    shutil.copytree(ROOT / "bundles" / "general64", tmp_path / "general64", ignore=shutil.ignore_patterns("tasks"))
    bundle = load_bundle(tmp_path / "general64")
    with np.load(bundle.path / "golden.npz") as golden:
        kinds = golden["symbols"][:2].astype(np.int64)
    rng = np.random.default_rng(0)
    images = []
    for number in range(16):
        symbols = np.where(rng.random(kinds.shape[1]) < 0.1, rng.integers(0, 8, kinds.shape[1]), kinds[number % 2])
        if number >= 8:
            symbols[192:] = -1  # the first half of the payload
        images.append(symbols)
    model: dict[str, Any] = {"bundle": bundle.name, "model_id": bundle.model_id, "label": None, "payload_ber": 0.01}
    store.write([reading(n, symbols=tuple(symbols.tolist()), **model) for n, symbols in enumerate(images)])
    for number in range(12):
        store.set_label(f"home-3-{number}", ["a fox, red", "nothing"][number % 2])

    arguments = ("readings", "--store", store.path, "--export", tmp_path / "set")
    code, out, err = run_inkling(*arguments)
    assert (code, err) == (0, "") and out.startswith("12 readings of bundle general64: 6 a fox, red, 6 nothing\n")
    assert list(csv.reader((tmp_path / "set" / "labels.csv").open()))[:2] == [
        ["image_id", "class"], ["home-3-0", "a fox, red"],
    ]  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "set" / "readings.jsonl").open()]
    assert lines[0]["symbols"] == images[0].tolist() and lines[1]["human_label"] == "nothing"
    taught = ("--from", tmp_path / "set" / "readings.jsonl", "--labels", tmp_path / "set" / "labels.csv")
    code, out, err = run_inkling("teach", bundle.path, *taught, "--task", "foxes")
    assert (code, err) == (0, "") and out.startswith("task foxes: 2 classes, 12 images")
    task = load_task(bundle, "foxes")
    embeddings = EmbeddingDecoder(bundle).embeddings(np.stack(images[12:]), np.full(4, 0.01))
    predicted = task.predict(embeddings)
    assert [one.label for one in predicted if one] == ["a fox, red", "nothing"] * 2
