"""Data sets in .npz files: the arrays x_train, y_train, x_test, y_test and, optionally, the names `classes`."""

import math
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from train.data.listing import Listing, some
from train.errors import TrainError

ERRORS = (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, zipfile.BadZipFile)
IMAGES, LABELS, NAMES = ("x_train", "x_test"), ("y_train", "y_test"), "classes"


def listing(path: Path, classes: tuple[str, ...] | None) -> Listing:
    """Return what a file holds, without reading its images; `classes` are the names if the file has none.

    Raises TrainError if an array is missing, its type or shape is wrong, or its labels or names cannot be meant so.
    """
    try:
        with np.load(path) as z:
            headers = {name: _header(z.zip, name) for name in (*IMAGES, *LABELS)}
            for name in LABELS:
                if not np.issubdtype(headers[name][1], np.integer):
                    raise TrainError(f"{path}: {name} must be labels of an integer type, found {headers[name][1]}")
            y, yt = (_labels(path, z[name]) for name in LABELS)
            names = _names(path, z) if NAMES in z else classes
    except ERRORS as error:
        raise _unusable(path, error) from None
    (shape, _), (test_shape, _) = (headers[name] for name in IMAGES)
    for found, kind in (headers[name] for name in IMAGES):
        images = found[1:] if len(found) == 4 else (*found[1:], 1)
        if kind != np.uint8 or len(images) != 3 or images[2] not in (1, 3) or not np.prod(found):
            raise TrainError(f"{path}: images must be uint8 (N, H, W) or (N, H, W, 1 or 3), found {kind} {found}")
    if shape[1:] != test_shape[1:]:
        raise TrainError(f"{path}: training images are {shape[1:]}, test images {test_shape[1:]}")
    if len(y) != shape[0] or len(yt) != test_shape[0]:
        raise TrainError(f"{path}: {shape[0]} + {test_shape[0]} images but {len(y)} + {len(yt)} labels")
    if names is None:
        names = _numbered(path, np.unique(np.concatenate([y, yt])))
    if min(y.min(), yt.min()) < 0 or max(y.max(), yt.max()) >= len(names):
        raise TrainError(
            f"{path}: labels must be 0 to {len(names) - 1}, found {min(y.min(), yt.min())} to {max(y.max(), yt.max())}"
        )
    return Listing(names, y, yt, (shape[1], shape[2], shape[3] if len(shape) == 4 else 1))


def images(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the training and the test images of a file that has been listed, uint8 (N, H, W, C).

    Raises TrainError if they cannot be read, or have only the levels 0 and 1.
    """
    try:
        with np.load(path) as z:
            x, xt = (z[name] for name in IMAGES)
    except ERRORS as error:
        raise _unusable(path, error) from None
    if x.max() <= 1:  # floats 0 to 1, cast
        raise TrainError(f"{path}: x_train has no level above {x.max()}, but white is 255: multiply before the cast")
    return (x, xt) if x.ndim == 4 else (x[..., None], xt[..., None])


def _labels(path: Path, found: np.ndarray) -> np.ndarray:
    """Return labels as int64 (N,)."""
    if found.size and int(found.max()) > np.iinfo(np.int64).max:
        raise TrainError(f"{path}: labels must be numbers of classes, found {found.max()}")
    return found.reshape(-1).astype(np.int64)


def _numbered(path: Path, used: np.ndarray) -> tuple[str, ...]:
    """Return numbers as names for the labels in use, which must skip none. They may be too large for a table."""
    count = int(used[-1]) + 1
    if used[0] < 0:
        raise TrainError(f"{path}: labels must be 0 and above, found {used[0]}")
    if len(used) != count:
        first = next(number for number in range(count) if number >= len(used) or used[number] != number)
        raise TrainError(
            f"{path}: labels go up to {count - 1}, but {count - len(used)} of them have no image, such as {first}; "
            f"number the classes from 0 without gaps"
        )
    return tuple(str(number) for number in range(count))


def _names(path: Path, archive: np.lib.npyio.NpzFile) -> tuple[str, ...]:
    """Return the names of the classes."""
    try:
        found = archive[NAMES]
    except ValueError:  # an array of objects, which only pickle reads
        raise TrainError(f"{path}: {NAMES} must be text: save np.array(names, str)") from None
    if found.dtype.kind not in "Uiu" or found.ndim != 1:
        raise TrainError(
            f"{path}: {NAMES} must be one text per class, found {found.dtype} {found.shape}: save np.array(names, str)"
        )
    names = tuple(map(str, found.tolist()))
    blank = [number for number, name in enumerate(names) if not name.strip() or not name.isprintable()]
    if blank:
        raise TrainError(f"{path}: {NAMES}[{blank[0]}] must be text on one line, found {names[blank[0]]!r}")
    doubled = [repr(name) for name, count in Counter(name.strip() for name in names).items() if count > 1]
    if doubled:
        raise TrainError(f"{path}: {NAMES} has more than once: {some(doubled)}")
    return names


def _header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and type of an array without reading it. Raises ValueError if the file is shorter than that."""
    with archive.open(f"{name}.npy") as file:
        major, _ = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, kind = read(file)
    if math.prod(shape) * kind.itemsize > archive.getinfo(f"{name}.npy").file_size:
        raise ValueError(f"{name} is cut off: it should be {kind} {shape}")
    return shape, kind


def _unusable(path: Path, error: Exception) -> TrainError:
    line = (str(error).splitlines() or [""])[0] or type(error).__name__
    if isinstance(error, MemoryError):
        return TrainError(f"{path} does not fit into memory ({line})")
    return TrainError(f"{path}: needs arrays x_train, y_train, x_test, y_test ({line})")
