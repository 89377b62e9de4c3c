"""Files of a task, `<bundle>/tasks/<NAME>/`: task.json and head.npz."""

import hashlib
import io
import math
import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from host.tasks.examples import Memory, TaskError
from host.tasks.fit import Fit
from host.tasks.ridge import Head
from host.tasks.task import Task, check_name
from wire.bundle import Bundle
from wire.checks import ContentError, is_int, is_number, read_file, read_object, require, require_printable, shown
from wire.files import to_json

SCHEMA = 1
FOLDER = "tasks"  # in the bundle's
MAX_HEAD_BYTES = 1 << 30  # of head.npz, 400,000 embeddings of 1280 values
ARRAYS = {
    "weights": np.float32, "bias": np.float32, "embeddings": np.float16, "labels": np.int64, "groups": np.int64,
    "bers": np.float32,
}  # fmt: skip


def names(bundle: Bundle) -> list[str]:
    """Return the names of a bundle's tasks, whose files may be damaged."""
    return sorted(file.parent.name for file in (bundle.path / FOLDER).glob("[!.]*/task.json"))


def load_all(bundles: Sequence[Bundle], wanted: Sequence[str]) -> list[Task]:
    """Return the tasks with these names, of every general bundle that has them.

    Of bundles with equal model_id, the last one counts, as in a Classifier. Raises TaskError if no bundle has one of
    them, or if a file is damaged.
    """
    tasks, general = [], {bundle.model_id: bundle for bundle in bundles if bundle.embedding}
    for name in dict.fromkeys(wanted):
        check_name(name)
        owners = [bundle for bundle in general.values() if name in names(bundle)]
        if not owners:
            known = sorted({known for bundle in general.values() for known in names(bundle)})
            hint = f"there are {', '.join(known)}" if known else "teach it with inkling teach"
            raise TaskError(f"no given bundle has a task {name!r}: {hint}")
        tasks += [load(bundle, name) for bundle in owners]
    return tasks


def load(bundle: Bundle, name: str) -> Task:
    """Read and check a task of a bundle. Raises TaskError for every fault."""
    folder = bundle.path / FOLDER / name
    try:
        return _checked(folder, bundle)
    except ContentError as error:
        raise TaskError(f"task {folder}: {error}") from None
    except OSError as error:
        raise TaskError(f"task {folder}: it cannot be read ({error.strerror})") from None


def save(task: Task, bundle: Bundle) -> Path:
    """Write a task to its folder and return it. An earlier task of this name is replaced as a whole.

    Raises TaskError if it cannot be written; then an earlier task is still there.
    """
    parent, folder = bundle.path / FOLDER, bundle.path / FOLDER / task.name
    try:
        parent.mkdir(exist_ok=True)
        part = Path(mkdtemp(prefix=f".{task.name}-", dir=parent))
        try:
            new, old = part / "new", part / "old"
            new.mkdir()
            _write(task, new)
            if folder.exists():
                folder.rename(old)
            try:
                new.rename(folder)  # complete, or not at all
            except BaseException:  # Ctrl-C, too
                if old.exists():
                    old.rename(folder)
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise TaskError(f"task {folder}: it cannot be written ({error.strerror})") from None
    return folder


def _write(task: Task, folder: Path) -> None:
    fitted, memory, content = task.fitted, task.memory, io.BytesIO()
    arrays = {
        "weights": fitted.head.weights,
        "bias": fitted.head.bias,
        "embeddings": memory.embeddings,
        "labels": memory.labels,
        "groups": memory.groups,
        "bers": memory.bers,
    }
    np.savez(content, **{key: values.astype(ARRAYS[key]) for key, values in arrays.items()})
    head = content.getvalue()
    values = {
        "schema": SCHEMA,
        "name": task.name,
        "model_id": task.model_id,
        "decoder_sha256": task.decoder_sha256,
        "classes": list(task.classes),
        "temperature": fitted.temperature,
        "reject_threshold": fitted.reject_threshold,
        "regulariser": fitted.regulariser,
        "images": task.images,
        "seed": task.seed,
        "date": task.date,
        "head": {"size": len(head), "sha256": hashlib.sha256(head).hexdigest()},
        "figures": fitted.figures,
    }
    for name, data in (("head.npz", head), ("task.json", to_json(values, indent=1).encode())):
        with open(folder / name, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # before the folder gets its name


def _checked(folder: Path, bundle: Bundle) -> Task:
    values = read_object(folder / "task.json")
    require(is_number(values.get("schema"), SCHEMA), f"schema is {shown(values.get('schema'))}, not {SCHEMA}")
    require(values.get("name") == folder.name, f"name is {shown(values.get('name'))}, not the folder's")
    if bundle.embedding is None:
        raise ContentError("its bundle has classes of its own: only general bundles have tasks")
    model_id, decoder = values.get("model_id"), values.get("decoder_sha256")
    require(
        model_id == bundle.model_id, f"it was taught for model {shown(model_id)}, but the bundle's is {bundle.model_id}"
    )
    same = decoder == bundle.manifest["files"]["decoder.onnx"]["sha256"]
    require(same, "it was taught with another decoder.onnx than the bundle's: teach it anew")
    classes = values.get("classes")
    if not isinstance(classes, list) or not all(isinstance(label, str) and label for label in classes):
        raise ContentError("classes is not a list of non-empty strings")
    require_printable("classes", classes)
    require(len(classes) >= 2, f"classes has {len(classes)} names, fewer than 2")
    require(len(set(classes)) == len(classes), "classes repeats a name")
    temperature = _number(values, "temperature")
    require(temperature > 0, f"temperature is {shown(temperature)}, not above 0")
    seed, date = values.get("seed"), values.get("date")
    if not is_int(seed):
        raise ContentError("seed is not an integer")
    if not isinstance(date, str):
        raise ContentError("date is not a string")
    require_printable("date", [date])
    figures = values.get("figures")
    if not isinstance(figures, dict):
        raise ContentError("figures is not an object")
    arrays = _arrays(folder / "head.npz", values.get("head"), bundle.embedding.size, len(classes))
    memory = Memory(arrays["embeddings"], arrays["labels"], arrays["groups"], arrays["bers"])
    head = Head(arrays["weights"], arrays["bias"])
    threshold, regulariser = _number(values, "reject_threshold"), _number(values, "regulariser")
    fitted = Fit(head, temperature, threshold, regulariser, figures)
    images = _images(values.get("images"), classes)
    return Task(folder.name, bundle.model_id, str(decoder), tuple(classes), fitted, memory, images, seed, date)


def _number(values: dict, key: str) -> float:
    value = values.get(key)
    try:
        number = float(value) if is_int(value) or isinstance(value, float) else math.nan
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    require(math.isfinite(number), f"{key} is {shown(value)}, not a finite number")
    return number


def _images(value: object, classes: list[str]) -> dict[str, dict[str, int]]:
    if not isinstance(value, dict) or set(value) != set(classes):
        raise ContentError("images is not an object with the classes")
    for counts in value.values():
        if not isinstance(counts, dict) or not all(is_int(count) and count >= 0 for count in counts.values()):
            raise ContentError("images has no number of images by source for each class")
    return value


def _arrays(file: Path, listed: object, size: int, n_classes: int) -> dict[str, np.ndarray]:
    """Return the arrays of head.npz, whose bytes are as `listed` in task.json, with fitting shapes and values."""
    sha256 = listed.get("sha256") if isinstance(listed, dict) else None
    content = read_file(file, MAX_HEAD_BYTES)
    require(hashlib.sha256(content).hexdigest() == sha256, f"{file.name} is not the one that task.json lists")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        require(unpacked <= MAX_HEAD_BYTES, f"{file.name} has more than {MAX_HEAD_BYTES} bytes of arrays")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found: dict[str, Any] = {key: arrays[key] for key in ARRAYS}
    except ContentError:
        raise
    except Exception as error:  # a file made by hand can fail in numpy, zipfile, zlib and ast
        raise ContentError(f"{file.name} cannot be read ({type(error).__name__})") from None
    rows = found["labels"].shape[:1]
    require(rows != (), f"{file.name}: labels is a single number")
    shapes = {
        "weights": (size, n_classes), "bias": (n_classes,), "embeddings": (*rows, size), "labels": rows,
        "groups": rows, "bers": rows,
    }  # fmt: skip
    for key, shape in shapes.items():
        array = found[key]
        fits = array.dtype == ARRAYS[key] and array.shape == shape
        require(fits, f"{file.name}: {key} is {array.dtype} {array.shape}, not {np.dtype(ARRAYS[key])} {shape}")
        require(bool(np.isfinite(array).all()), f"{file.name}: {key} is not finite")
    within = bool(((found["labels"] >= 0) & (found["labels"] < n_classes)).all())
    require(within, f"{file.name}: labels are not within the {n_classes} classes")
    return found
