"""Data sets in folders with one folder of image files per class, split into training and test images or not."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host.errors import HostError
from host.image import load_image
from train.data.listing import Listing
from train.data.sampling import TEST_SPLIT, stratified
from train.errors import TrainError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
TEST_NAMES = ("test", "val")


@dataclass(frozen=True)
class FolderListing(Listing):
    """Listing with the files of the training and of the test images."""

    train_files: list[Path]
    test_files: list[Path]


@dataclass(frozen=True)
class Files:
    """Image files, sorted by class and name, with their labels int64 (N,) and the names of the classes."""

    files: list[Path]
    labels: np.ndarray
    classes: tuple[str, ...]


def listing(folder: Path, shape: tuple[int, int, int], test_share: float) -> FolderListing:
    """Return the files of a folder, without reading them; the images will have that shape (H, W, C).

    The test images are those of FOLDER/test or FOLDER/val if the training images are in FOLDER/train. If FOLDER itself
    has the classes, they are `test_share` of each class: drawn at random, the same for every run.
    """
    test_folder = next((folder / name for name in TEST_NAMES if _has_folders(folder / name)), None)
    if not _has_folders(folder / "train") and test_folder is None:
        found = find_files(folder)
        count = round(test_share * len(found.files))
        if not 0 < count < len(found.files):
            raise TrainError(f"{folder}: data.test_share = {test_share} of {len(found.files)} images are {count}")
        order = stratified(found.labels, len(found.files), TEST_SPLIT)
        test, train = np.sort(order[:count]), np.sort(order[count:])
        files = np.array(found.files, object)
        labels = found.labels
        return FolderListing(found.classes, labels[train], labels[test], shape, list(files[train]), list(files[test]))
    if test_folder is None or not _has_folders(folder / "train"):
        missing = "train" if test_folder else " or ".join(TEST_NAMES)
        raise TrainError(
            f"{folder}: needs a folder {missing} with one folder per class, or else the classes in {folder} itself, "
            "from which data.test_share is taken"
        )
    train_part, test_part = find_files(folder / "train"), find_files(test_folder)
    if train_part.classes != test_part.classes:
        raise TrainError(f"{folder}: train has classes {train_part.classes}, test has {test_part.classes}")
    return FolderListing(
        train_part.classes, train_part.labels, test_part.labels, shape, train_part.files, test_part.files
    )


def find_files(folder: Path) -> Files:
    """Return the image files below a folder with one folder per class. Hidden files and folders are left out."""
    classes = _folders(folder)
    if len(classes) < 2:
        raise TrainError(f"{folder}: needs two or more classes, each a folder of images, found {len(classes)}")
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = images_below(folder / name)
        if not found:
            raise TrainError(f"{folder / name} has no image ({', '.join(SUFFIXES)})")
        files += found
        labels += [label] * len(found)
    return Files(files, np.array(labels, np.int64), tuple(classes))


def images(files: list[Path], shape: tuple[int, int, int]) -> np.ndarray:
    """Return the images uint8 (N, H, W, C) of files; each gets the same pixels as in `inkling run`."""
    out = np.empty((len(files), *shape), np.uint8)
    for number, file in enumerate(files):
        try:
            out[number] = load_image(file, shape)
        except HostError as error:
            raise TrainError(str(error)) from None
    return out


def digest(files: list[Path]) -> str:
    """Return the SHA-256 of the content of files, one after the other."""
    found = hashlib.sha256()
    for file in files:
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def _folders(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise TrainError(f"{folder}: {error.strerror or error}") from None


def _has_folders(folder: Path) -> bool:
    # A folder `train` that has images is a class, as of vehicles.
    return folder.is_dir() and bool(_folders(folder))


def images_below(folder: Path) -> list[Path]:
    """Return the image files anywhere below a folder, sorted. Hidden files and folders are left out."""
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        visible = (name for name in names if not name.startswith("."))
        found += sorted(Path(parent) / name for name in visible if name.lower().endswith(SUFFIXES))
    return found
