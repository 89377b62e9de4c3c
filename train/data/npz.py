"""Data sets in .npz files: the arrays x_train, y_train, x_test, y_test and, optionally, the names `classes`."""

import zipfile
from pathlib import Path

import numpy as np

from train.data.listing import Listing
from train.errors import TrainError

ERRORS = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


def listing(path: Path, classes: tuple[str, ...] | None) -> Listing:
    """Return what a file holds, without reading its images; `classes` are the names if the file has none.

    Raises TrainError if an array is missing, or its type or shape is wrong.
    """
    try:
        with np.load(path) as z:
            y, yt = z["y_train"], z["y_test"]
            headers = [_header(z.zip, name) for name in ("x_train", "x_test")]
            names = tuple(map(str, z["classes"])) if "classes" in z else classes
    except ERRORS as error:
        raise _unusable(path, error) from None
    (shape, _), (test_shape, _) = headers
    for found, kind in headers:
        images = found[1:] if len(found) == 4 else (*found[1:], 1)
        if kind != np.uint8 or len(images) != 3 or images[2] not in (1, 3) or not np.prod(found):
            raise TrainError(f"{path}: images must be uint8 (N, H, W) or (N, H, W, 1 or 3), found {kind} {found}")
    if shape[1:] != test_shape[1:]:
        raise TrainError(f"{path}: training images are {shape[1:]}, test images {test_shape[1:]}")
    if not (np.issubdtype(y.dtype, np.integer) and np.issubdtype(yt.dtype, np.integer)):
        raise TrainError(f"{path}: labels must be integers, found {y.dtype} and {yt.dtype}")
    y, yt = y.reshape(-1).astype(np.int64), yt.reshape(-1).astype(np.int64)
    if len(y) != shape[0] or len(yt) != test_shape[0]:
        raise TrainError(f"{path}: {shape[0]} + {test_shape[0]} images but {len(y)} + {len(yt)} labels")
    if names is None:
        names = tuple(str(i) for i in range(int(max(y.max(), yt.max())) + 1))
    if min(y.min(), yt.min()) < 0 or max(y.max(), yt.max()) >= len(names):
        raise TrainError(f"{path}: labels must be 0 to {len(names) - 1}")
    return Listing(names, y, yt, (shape[1], shape[2], shape[3] if len(shape) == 4 else 1))


def images(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the training and the test images of a file that has been listed, uint8 (N, H, W, C)."""
    try:
        with np.load(path) as z:
            x, xt = z["x_train"], z["x_test"]
    except ERRORS as error:
        raise _unusable(path, error) from None
    return (x, xt) if x.ndim == 4 else (x[..., None], xt[..., None])


def _header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and type of an array without reading it."""
    with archive.open(f"{name}.npy") as file:
        major, _ = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, kind = read(file)
    return shape, kind


def _unusable(path: Path, error: Exception) -> TrainError:
    line = (str(error).splitlines() or [""])[0]
    return TrainError(f"{path}: needs arrays x_train, y_train, x_test, y_test ({line})")
