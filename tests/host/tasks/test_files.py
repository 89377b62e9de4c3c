"""Files of tasks: written as a whole, checked in full."""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from host.classify.decoder import EmbeddingDecoder
from host.errors import HostError
from host.tasks import files
from host.tasks.examples import TaskError
from host.tasks.files import MAX_HEAD_BYTES, load, load_all, names, save
from tests.support.host import make_bundle
from tests.support.tasks import CLASSES, make_task
from wire.bundle import Bundle, describe_file
from wire.bundle import load as load_bundle
from wire.checks import MAX_JSON_BYTES


@pytest.fixture
def folder(general: Bundle) -> Path:
    """The folder of a saved task "animals"."""
    return save(make_task(general), general)


def edit(folder: Path, **changes: object) -> None:
    """Change values of task.json."""
    values = json.loads((folder / "task.json").read_text())
    (folder / "task.json").write_text(json.dumps(values | changes))


def edit_arrays(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change arrays of head.npz, with the SHA-256 in task.json to match."""
    arrays = dict(np.load(folder / "head.npz"))
    change(arrays)
    content = io.BytesIO()
    np.savez(content, **arrays)
    replace_head(folder, content.getvalue())


def replace_head(folder: Path, content: bytes) -> None:
    (folder / "head.npz").write_bytes(content)
    edit(folder, head={"size": len(content), "sha256": hashlib.sha256(content).hexdigest()})


def fails_with(general: Bundle, folder: Path, message: str) -> None:
    with pytest.raises(TaskError) as fault:
        load(general, folder.name)
    text = str(fault.value)
    assert text.startswith(f"task {folder}: ") and message in text and "\n" not in text


def test_loaded_task_is_the_one_saved(general: Bundle) -> None:
    task = make_task(general)
    assert save(task, general) == general.path / "tasks" / "animals"
    loaded = load(general, "animals")
    for name in ("name", "model_id", "decoder_sha256", "classes", "images", "seed", "date"):
        assert getattr(loaded, name) == getattr(task, name)
    for name in ("temperature", "reject_threshold", "regulariser", "figures"):
        assert getattr(loaded.fitted, name) == getattr(task.fitted, name)
    for name in ("embeddings", "labels", "groups", "bers"):
        np.testing.assert_array_equal(getattr(loaded.memory, name), getattr(task.memory, name))
    embeddings = EmbeddingDecoder(general).embeddings(np.zeros((3, 48), np.int64), np.full(3, 0.1))
    assert loaded.predict(embeddings) == task.predict(embeddings)
    assert load_bundle(general.path).model_id == general.model_id, "a bundle with tasks is still one"


def test_save_replaces_a_task_as_a_whole(general: Bundle, folder: Path) -> None:
    (folder / "notes.txt").write_text("of the earlier task")
    save(make_task(general, classes=CLASSES[:2]), general)
    assert load(general, "animals").classes == CLASSES[:2]
    assert sorted(file.name for file in folder.iterdir()) == ["head.npz", "task.json"]
    assert [file.name for file in folder.parent.iterdir()] == ["animals"]


@pytest.mark.parametrize(
    ("fault", "raised"),
    [(OSError(28, "No space left on device"), TaskError), (KeyboardInterrupt(), KeyboardInterrupt)],
    ids=["full disk", "Ctrl-C"],
)
def test_save_keeps_the_earlier_task_if_it_fails(
    general: Bundle,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException,
    raised: type[BaseException],
) -> None:
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise fault
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(raised) as error:
        save(make_task(general, classes=CLASSES[:2]), general)
    if raised is TaskError:
        assert str(error.value) == f"task {folder}: it cannot be written (No space left on device)"
    assert load(general, "animals").classes == CLASSES
    assert [file.name for file in folder.parent.iterdir()] == ["animals"]


def test_load_all_loads_each_task_once(general: Bundle, folder: Path, tmp_path: Path) -> None:
    save(make_task(general, "colours", CLASSES[:2]), general)
    plain = make_bundle(tmp_path / "plain")
    assert names(general) == ["animals", "colours"] and names(plain) == []
    tasks = load_all([plain, general, general], ["colours", "animals", "colours"])
    assert [task.name for task in tasks] == ["colours", "animals"]
    with pytest.raises(TaskError, match="no given bundle has a task 'cars': there are animals, colours"):
        load_all([plain, general], ["animals", "cars"])
    with pytest.raises(TaskError, match="no given bundle has a task 'animals': teach it with inkling teach"):
        load_all([plain], ["animals"])
    with pytest.raises(TaskError, match="a task's name has up to 64 letters"):
        load_all([general], ["../animals"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "schema is 2, not 1"),
        ({"schema": True}, "schema is True, not 1"),
        ({"schema": 1.0}, "schema is 1.0, not 1"),
        ({"name": "cars"}, "name is 'cars', not the folder's"),
        ({"model_id": "00000000"}, "it was taught for model '00000000', but the bundle's is "),
        ({"decoder_sha256": "0" * 64}, "it was taught with another decoder.onnx than the bundle's: teach it anew"),
        ({"classes": None}, "classes is not a list of non-empty strings"),
        ({"classes": ["a", ""]}, "classes is not a list of non-empty strings"),
        ({"classes": ["a", "b", "\x1b[2J"]}, "classes contains '\\x1b[2J', which is not printable"),
        ({"classes": ["a"]}, "classes has 1 names, fewer than 2"),
        ({"classes": ["a", "b", "a"]}, "classes repeats a name"),
        ({"classes": ["a", "b"], "images": {"a": {}, "b": {}}}, "weights is float32 (20, 3), not float32 (20, 2)"),
        ({"temperature": 0}, "temperature is 0.0, not above 0"),
        ({"temperature": "1"}, "temperature is '1', not a finite number"),
        ({"temperature": float("inf")}, "temperature is inf, not a finite number"),
        ({"temperature": 10**400}, "temperature is 1000000000000000000000000000000000000..., not a finite number"),
        ({"reject_threshold": float("nan")}, "reject_threshold is nan, not a finite number"),
        ({"regulariser": True}, "regulariser is True, not a finite number"),
        ({"images": {"ant": {}}}, "images is not an object with the classes"),
        ({"images": dict.fromkeys(CLASSES, 8)}, "images has no number of images by source for each class"),
        ({"seed": 0.5}, "seed is not an integer"),
        ({"date": None}, "date is not a string"),
        ({"date": "\n"}, "date contains '\\n', which is not printable"),
        ({"figures": []}, "figures is not an object"),
        ({"head": None}, "head.npz is not the one that task.json lists"),
        ({"head": {"sha256": 3}}, "head.npz is not the one that task.json lists"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_load_reports_edited_values(general: Bundle, folder: Path, changes: dict, message: str) -> None:
    edit(folder, **changes)
    fails_with(general, folder, message)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "task.json").write_bytes(b"\xff{"), "task.json is not JSON"),
        (lambda folder: (folder / "task.json").write_text("[]"), "task.json is not a JSON object"),
        (lambda folder: (folder / "task.json").unlink(), "task.json cannot be read (No such file or directory)"),
        (lambda folder: (folder / "head.npz").unlink(), "head.npz cannot be read (No such file or directory)"),
        (lambda folder: (folder / "head.npz").write_bytes(b""), "head.npz is not the one that task.json lists"),
        (lambda folder: os.truncate(folder / "head.npz", 1 << 40), f"head.npz has more than {MAX_HEAD_BYTES} bytes"),
        (lambda folder: os.truncate(folder / "task.json", 1 << 40), f"task.json has more than {MAX_JSON_BYTES} bytes"),
        (lambda folder: replace_head(folder, b""), "head.npz cannot be read (BadZipFile)"),
        (lambda folder: replace_head(folder, b"PK\x03\x04 no archive"), "head.npz cannot be read (BadZipFile)"),
        (lambda folder: replace_head(folder, (folder / "head.npz").read_bytes()[:900]), "head.npz cannot be read"),
    ],
)
def test_load_reports_damaged_files(
    general: Bundle, folder: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(folder)
    fails_with(general, folder, message)


def test_load_unpacks_no_archive_that_grows(general: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    most, content = 1 << 20, io.BytesIO()
    monkeypatch.setattr(files, "MAX_HEAD_BYTES", most)
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.npy", bytes(most + 1))
    assert len(content.getvalue()) < 10_000
    replace_head(folder, content.getvalue())
    fails_with(general, folder, f"head.npz has more than {most} bytes of arrays")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("bias"), "head.npz cannot be read (KeyError)"),
        (lambda arrays: arrays.update(bias=np.array([None] * 3)), "head.npz cannot be read (ValueError)"),
        (lambda arrays: arrays.update(bias=arrays["bias"][:2]), "bias is float32 (2,), not float32 (3,)"),
        (lambda arrays: arrays.update(bias=arrays["bias"].astype(int)), "bias is int64 (3,), not float32 (3,)"),
        (lambda arrays: arrays["weights"].fill(np.nan), "weights is not finite"),
        (lambda arrays: arrays.update(labels=np.int64(3)), "labels is a single number"),
        (lambda arrays: arrays.update(groups=arrays["groups"][1:]), "groups is int64 (71,), not int64 (72,)"),
        (lambda arrays: arrays["labels"].fill(3), "labels are not within the 3 classes"),
        (lambda arrays: arrays["labels"].fill(-1), "labels are not within the 3 classes"),
    ],
)
def test_load_reports_edited_arrays(
    general: Bundle, folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit_arrays(folder, change)
    fails_with(general, folder, message)


def test_load_refuses_a_task_of_another_decoder(general: Bundle, folder: Path, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other", seed=3, n_symbols=48, embedding=20)
    general.decoder_path.write_bytes(other.decoder_path.read_bytes())
    values = json.loads((general.path / "bundle.json").read_text())
    values["files"]["decoder.onnx"] = describe_file(general.decoder_path)
    (general.path / "bundle.json").write_text(json.dumps(values))
    fails_with(load_bundle(general.path), folder, "it was taught with another decoder.onnx")


def test_load_refuses_a_task_in_a_bundle_with_classes(general: Bundle, folder: Path, tmp_path: Path) -> None:
    plain = make_bundle(tmp_path / "plain")
    moved = plain.path / "tasks" / "animals"
    moved.parent.mkdir()
    folder.rename(moved)
    fails_with(plain, moved, "its bundle has classes of its own: only general bundles have tasks")
    with pytest.raises(HostError, match="tasks need a general bundle"):
        EmbeddingDecoder(plain)
