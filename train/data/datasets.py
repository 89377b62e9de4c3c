"""Pictures and labels as uint8 arrays, without torch: public data sets, any .npz, any folder of classes."""

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host.errors import HostError
from host.image import load_image
from train.data.cifar import CIFAR10, CIFAR10_CLASSES, CIFAR100
from train.data.downloads import Public, cache_dir, npz
from train.data.tiny_imagenet import TINY_IMAGENET
from train.errors import TrainError

__all__ = ["CIFAR10_CLASSES", "Dataset", "cache_dir", "load"]

PUBLIC = {public.name: public for public in (CIFAR10, CIFAR100, TINY_IMAGENET)}


@dataclass(frozen=True)
class Dataset:
    """x_*: uint8 (N, H, W, C), C = 1 or 3; y_*: int64 (N,); classes: their names by label."""

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
    say: Callable[[str], None] = print,
) -> Dataset:
    """Load a data set; a `TrainError` says what was tried when it cannot.

    name: `cifar10`, `cifar100`, `tiny-imagenet-200`, `npz:FILE` or `folder:DIR`. size: (H, W) that the pictures must
    have, or a folder's become. grey: one channel.
    """
    if name in PUBLIC:
        data = _from_public(PUBLIC[name], say)
    elif name.startswith("npz:"):
        data = _from_npz(_find(name[4:]), name, None)
    elif name.startswith("folder:"):
        data = _from_folder(_find(name[7:]), name, size, 1 if grey else 3)
    else:
        raise TrainError(f"unknown data set {name!r}: use {', '.join(PUBLIC)}, npz:FILE or folder:DIR")
    if size is not None and data.x_train.shape[1:3] != tuple(size):
        raise TrainError(f"{name}: pictures are {data.x_train.shape[1:3]}, the config says {tuple(size)}")
    if grey and data.x_train.shape[3] == 3:
        data = Dataset(data.name, _grey(data.x_train), data.y_train, _grey(data.x_test), data.y_test, data.classes)
    return data


def _grey(x: np.ndarray) -> np.ndarray:
    # ITU-R BT.601 luma as Pillow has it, so that the host makes the same of a picture, and a board can, to the bit.
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


def _from_public(public: Public, say: Callable[[str], None]) -> Dataset:
    path = npz(public, say)
    data = _from_npz(path, public.name, public.classes)
    # A file under its name that is another data set would make every comparison wrong, and nobody would notice.
    if not public.official(vars(data)):
        raise TrainError(f"{path} is not the official {public.title}: remove it, or use it as npz:{path}")
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
    for found in (x, xt):
        if found.dtype != np.uint8 or found.ndim != 4 or found.shape[3] not in (1, 3) or not found.size:
            raise TrainError(
                f"{path}: pictures must be uint8 (N, H, W) or (N, H, W, 1 or 3), found {found.dtype} {found.shape}"
            )
    if x.shape[1:] != xt.shape[1:]:
        raise TrainError(f"{path}: training pictures are {x.shape[1:]}, test pictures {xt.shape[1:]}")
    if not (np.issubdtype(y.dtype, np.integer) and np.issubdtype(yt.dtype, np.integer)):
        raise TrainError(f"{path}: labels must be whole numbers, found {y.dtype} and {yt.dtype}")
    y, yt = y.reshape(-1).astype(np.int64), yt.reshape(-1).astype(np.int64)
    if len(y) != len(x) or len(yt) != len(xt):
        raise TrainError(f"{path}: {len(x)} + {len(xt)} pictures but {len(y)} + {len(yt)} labels")
    if names is None:
        names = tuple(str(i) for i in range(int(max(y.max(), yt.max())) + 1))
    if min(y.min(), yt.min()) < 0 or max(y.max(), yt.max()) >= len(names):
        raise TrainError(f"{path}: labels must be 0 to {len(names) - 1}")
    return Dataset(name, x, y, xt, yt, names)


def _from_folder(path: Path, name: str, size: tuple[int, int] | None, channels: int) -> Dataset:
    if size is None:
        raise TrainError(f"{name}: set data.size = [H, W], the size that the encoder sees")
    parts = {}
    for part, names in {"train": ("train",), "test": ("test", "val")}.items():
        folder = next((path / n for n in names if (path / n).is_dir()), None)
        if folder is None:
            raise TrainError(f"{path}: needs a folder {' or '.join(names)} with one folder a class in it")
        parts[part] = _read_image_folder(folder, (*size, channels))
    (x, y, classes), (xt, yt, test_classes) = parts["train"], parts["test"]
    if classes != test_classes:
        raise TrainError(f"{path}: train has classes {classes}, test has {test_classes}")
    return Dataset(name, x, y, xt, yt, classes)


def _read_image_folder(folder: Path, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """torchvision's ImageFolder; each picture becomes the pixels that `python -m host run` makes of it."""
    try:
        from train.classifiers.torchvision_import import datasets
    except ImportError:
        raise TrainError(f"{folder}: reading folders takes torchvision: pip install -r requirements.txt") from None
    try:
        found = datasets.ImageFolder(str(folder))
        images = np.stack([load_image(file, shape) for file, _ in found.samples])
    except HostError as error:
        raise TrainError(str(error)) from None
    except OSError as error:  # ImageFolder's word for an empty folder or class, too
        raise TrainError(f"{folder}: {error}") from None
    return images, np.array([label for _, label in found.samples], np.int64), tuple(found.classes)
