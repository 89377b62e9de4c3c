"""Data sets as uint8 arrays, without torch: public ones, any .npz file, any folder with one folder per class."""

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host.errors import HostError
from host.image import load_image
from train.data.cifar import CIFAR10, CIFAR10_CLASSES, CIFAR100
from train.data.downloads import PublicDataset, cache_dir, npz_file
from train.data.tiny_imagenet import TINY_IMAGENET
from train.errors import TrainError, unknown_name

__all__ = ["CIFAR10_CLASSES", "Dataset", "cache_dir", "load"]

PUBLIC = {dataset.name: dataset for dataset in (CIFAR10, CIFAR100, TINY_IMAGENET)}


@dataclass(frozen=True)
class Dataset:
    """Images and labels. x_*: uint8 (N, H, W, C), C = 1 or 3; y_*: int64 (N,); classes: names by label."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]


def load(
    name: str,
    size: tuple[int, int] | None = None,
    grey: bool = False,
    log: Callable[[str], None] = print,
) -> Dataset:
    """Load a data set. Raises TrainError, with what was tried, if it cannot.

    name: `cifar10`, `cifar100`, `tiny-imagenet-200`, `npz:FILE` or `folder:DIR`. size: (H, W) to which the images of
    a folder are resized, and which other images must have. grey: convert to one channel.
    """
    if name in PUBLIC:
        data = _from_public(PUBLIC[name], log)
    elif name.startswith("npz:"):
        data = _from_npz(_find(name[4:]), name, None)
    elif name.startswith("folder:"):
        data = _from_folder(_find(name[7:]), name, size, 1 if grey else 3)
    else:
        raise unknown_name("unknown data set", name, [*PUBLIC, "npz:FILE", "folder:DIR"])
    if size is not None and data.x_train.shape[1:3] != tuple(size):
        raise TrainError(f"{name}: images are {data.x_train.shape[1:3]}, but data.size is {tuple(size)}")
    if grey and data.x_train.shape[3] == 3:
        data = Dataset(data.name, _grey(data.x_train), data.y_train, _grey(data.x_test), data.y_test, data.classes)
    return data


def _grey(x: np.ndarray) -> np.ndarray:
    # Pillow's ITU-R BT.601 luma: the host computes the same, and a board can, to the bit.
    r, g, b = (x[..., i].astype(np.uint32) for i in range(3))
    return ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16).astype(np.uint8)[..., None]


def _find(text: str) -> Path:
    path = Path(text).expanduser()
    candidates = [path]
    if not path.is_absolute() and os.environ.get("INKLING_DATA"):
        candidates.append(Path(os.environ["INKLING_DATA"]) / path)
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise TrainError(f"no such file or folder: {' or '.join(map(str, candidates))}")


def _from_public(dataset: PublicDataset, log: Callable[[str], None]) -> Dataset:
    path = npz_file(dataset, log)
    data = _from_npz(path, dataset.name, dataset.classes)
    # Another data set under this name would silently make every comparison wrong.
    if not dataset.is_official(vars(data)):
        raise TrainError(f"{path} is not the official {dataset.title}: remove it, or use it as npz:{path}")
    return data


def _from_npz(path: Path, name: str, classes: tuple[str, ...] | None) -> Dataset:
    try:
        with np.load(path) as z:
            x, y, xt, yt = (z[k] for k in ("x_train", "y_train", "x_test", "y_test"))
            names = tuple(map(str, z["classes"])) if "classes" in z else classes
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        line = (str(error).splitlines() or [""])[0]
        raise TrainError(f"{path}: needs arrays x_train, y_train, x_test, y_test ({line})") from None
    x, xt = (a[..., None] if a.ndim == 3 else a for a in (x, xt))
    for images in (x, xt):
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3) or not images.size:
            raise TrainError(
                f"{path}: images must be uint8 (N, H, W) or (N, H, W, 1 or 3), found {images.dtype} {images.shape}"
            )
    if x.shape[1:] != xt.shape[1:]:
        raise TrainError(f"{path}: training images are {x.shape[1:]}, test images {xt.shape[1:]}")
    if not (np.issubdtype(y.dtype, np.integer) and np.issubdtype(yt.dtype, np.integer)):
        raise TrainError(f"{path}: labels must be integers, found {y.dtype} and {yt.dtype}")
    y, yt = y.reshape(-1).astype(np.int64), yt.reshape(-1).astype(np.int64)
    if len(y) != len(x) or len(yt) != len(xt):
        raise TrainError(f"{path}: {len(x)} + {len(xt)} images but {len(y)} + {len(yt)} labels")
    if names is None:
        names = tuple(str(i) for i in range(int(max(y.max(), yt.max())) + 1))
    if min(y.min(), yt.min()) < 0 or max(y.max(), yt.max()) >= len(names):
        raise TrainError(f"{path}: labels must be 0 to {len(names) - 1}")
    return Dataset(name, x, y, xt, yt, names)


def _from_folder(path: Path, name: str, size: tuple[int, int] | None, channels: int) -> Dataset:
    if size is None:
        raise TrainError(f"{name}: set data.size = [H, W], the size of the encoder's input")
    parts = {}
    for part, names in {"train": ("train",), "test": ("test", "val")}.items():
        folder = next((path / n for n in names if (path / n).is_dir()), None)
        if folder is None:
            raise TrainError(f"{path}: needs a folder {' or '.join(names)} with one folder per class")
        parts[part] = _read_image_folder(folder, (*size, channels))
    (x, y, classes), (xt, yt, test_classes) = parts["train"], parts["test"]
    if classes != test_classes:
        raise TrainError(f"{path}: train has classes {classes}, test has {test_classes}")
    return Dataset(name, x, y, xt, yt, classes)


def _read_image_folder(folder: Path, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read torchvision's ImageFolder; each image gets the same pixels as in `inkling run`."""
    try:
        from train.data.torchvision_import import datasets
    except ImportError:
        raise TrainError(
            f"{folder}: folders need torchvision, from the extra 'train': pip install '.[train]'"
        ) from None
    try:
        listing = datasets.ImageFolder(str(folder))
        images = np.stack([load_image(file, shape) for file, _ in listing.samples])
    except HostError as error:
        raise TrainError(str(error)) from None
    except OSError as error:  # ImageFolder raises it for an empty folder or class, too
        raise TrainError(f"{folder}: {error}") from None
    return images, np.array([label for _, label in listing.samples], np.int64), tuple(listing.classes)
