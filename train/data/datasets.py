"""Data sets as uint8 arrays, without torch: public ones, any .npz file, any folder with one folder per class."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from train.config import DataConfig
from train.data import image_folder, npz
from train.data.cifar import CIFAR10, CIFAR10_CLASSES, CIFAR100
from train.data.downloads import cache_dir, npz_file, stored_npz
from train.data.image_folder import FolderListing
from train.data.listing import Listing, check_classes
from train.data.tiny_imagenet import TINY_IMAGENET
from train.errors import TrainError, unknown_name

__all__ = ["CIFAR10_CLASSES", "Dataset", "cache_dir", "load", "load_for", "look_up"]

PUBLIC = {dataset.name: dataset for dataset in (CIFAR10, CIFAR100, TINY_IMAGENET)}
NPZ, FOLDER = "npz:", "folder:"


@dataclass(frozen=True)
class Dataset:
    """Images and labels. x_*: uint8 (N, H, W, C), C = 1 or 3; y_*: int64 (N,); classes: names by label."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]
    source: str = ""  # SHA-256 of the training images' files, if their pixels depend on the decoder of the files


def load(
    name: str, size: tuple[int, int] | None = None, grey: bool = False, log: Callable[[str], None] = print
) -> Dataset:
    """Load a data set. Raises TrainError, with what was tried, if it cannot.

    name: `cifar10`, `cifar100`, `tiny-imagenet-200`, `npz:FILE` or `folder:DIR`. size: (H, W) to which the images of
    a folder are resized, and which other images must have. grey: convert to one channel.
    """
    return load_for(DataConfig(name, size=size, grey=grey), log)


def load_for(
    config: DataConfig, log: Callable[[str], None] = print, *, strict: bool = False, labelled: bool = True
) -> Dataset:
    """Load the data set of a config, which is downloaded if it must be. Raises TrainError if it cannot.

    Images of a folder that cannot be read are left out and logged; if `strict`, they are errors. labelled: every class
    must have training and test images, and there must be two or more.
    """
    path = _path(config) or npz_file(PUBLIC[config.name], log)
    listing = _list(config, path)
    if isinstance(listing, FolderListing):
        for note in listing.notes:
            log(note)
        train = image_folder.read(listing.train_files, listing.y_train, listing.shape, log, strict)
        test = image_folder.read(listing.test_files, listing.y_test, listing.shape, log, strict)
        parts = (train.pixels, train.labels, test.pixels, test.labels)
        return Dataset(config.name, *parts, listing.classes, train.sha256)
    public = PUBLIC.get(config.name)
    if labelled and not public:
        check_classes(str(path), listing)
    x, xt = npz.images(path)
    data = Dataset(config.name, x, listing.y_train, xt, listing.y_test, listing.classes)
    # Another data set under this name would silently make every comparison wrong.
    if public and not public.is_official(vars(data)):
        raise TrainError(f"{path} is not the official {public.title}: remove it, or use it as npz:{path}")
    if listing.shape[2] == 1 and x.shape[3] == 3:
        data = replace(data, x_train=_grey(x), x_test=_grey(xt))
    return data


def look_up(config: DataConfig) -> Listing | None:
    """Return what is known of a config's data set before images are read; None if it must be downloaded first.

    Raises TrainError for whatever is wrong with the data set, except damaged images.
    """
    path = _path(config)
    if path is None:
        return None
    listing = _list(config, path)
    if config.name not in PUBLIC:  # these are compared with the official ones as a whole
        check_classes(str(path), listing)
    return listing


def _path(config: DataConfig) -> Path | None:
    """Return the file or folder of a data set; None for a public one that must be downloaded first."""
    if config.name in PUBLIC:
        return stored_npz(config.name)
    for prefix in (NPZ, FOLDER):
        if config.name.startswith(prefix):
            return find(config.name.removeprefix(prefix))
    raise unknown_name("unknown data set", config.name, [*PUBLIC, f"{NPZ}FILE", f"{FOLDER}DIR"])


def find(text: str) -> Path:
    """Return the path of a file or folder, which is also searched for below INKLING_DATA."""
    path = Path(text).expanduser()
    candidates = [path]
    if not path.is_absolute() and os.environ.get("INKLING_DATA"):
        candidates.append(Path(os.environ["INKLING_DATA"]) / path)
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise TrainError(f"no such file or folder: {' or '.join(map(str, candidates))}")


def _list(config: DataConfig, path: Path) -> Listing:
    name, size = config.name, config.size
    if name.startswith(FOLDER):
        if size is None:
            raise TrainError(f"{name}: set data.size = [H, W], the size of the encoder's input")
        return image_folder.listing(path, (*size, 1 if config.grey else 3), config.test_share)
    listing = npz.listing(path, PUBLIC[name].classes if name in PUBLIC else None)
    height, width, channels = listing.shape
    if size is not None and (height, width) != tuple(size):
        raise TrainError(f"{name}: images are {(height, width)}, but data.size is {tuple(size)}")
    return replace(listing, shape=(height, width, 1 if config.grey else channels))


def _grey(x: np.ndarray) -> np.ndarray:
    # Pillow's ITU-R BT.601 luma: the host computes the same, and a board can, to the bit.
    r, g, b = (x[..., i].astype(np.uint32) for i in range(3))
    return ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16).astype(np.uint8)[..., None]
