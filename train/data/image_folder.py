"""Data sets in folders with one folder of image files per class, split into training and test images or not."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host.errors import HostError
from host.image.folder import (
    ClassFiles,
    class_folders,
    files_by_class,
    readable,
    stray_images_note,
    unreadable_note,
)
from train.data.listing import Listing, check_classes, some
from train.data.sampling import TEST_SPLIT, stratified
from train.errors import TrainError
from wire.text import printable

TRAIN_NAME, TEST_NAMES = "train", ("test", "val")
# Names of parts of a data set in other collections. Folders of no other names are not classes.
PART_NAMES = ("eval", "test", "testing", "train", "training", "val", "valid", "validation")


@dataclass(frozen=True)
class FolderListing(Listing):
    """Listing with the files of the training and of the test images, and a line on each sort of files left out."""

    train_files: list[Path]
    test_files: list[Path]
    notes: tuple[str, ...]


def listing(folder: Path, shape: tuple[int, int, int], test_share: float) -> FolderListing:
    """Return the files of a folder, without reading them; the images will have that shape (H, W, C).

    The test images are those of FOLDER/test or FOLDER/val if the training images are in FOLDER/train. If FOLDER itself
    has the classes, they are `test_share` of each class: drawn at random, the same for every run. Raises TrainError if
    there are fewer than two classes, or a class has no image in one part.
    """
    try:
        found = _listing(folder, shape, test_share)
    except HostError as error:
        raise TrainError(str(error)) from None
    check_classes(printable(folder), found)
    return found


def _listing(folder: Path, shape: tuple[int, int, int], test_share: float) -> FolderListing:
    test_folder = next((folder / name for name in TEST_NAMES if _has_folders(folder / name)), None)
    train_folder = folder / TRAIN_NAME
    if not _has_folders(train_folder) and test_folder is None:
        return _drawn(folder, shape, test_share)
    if test_folder is None or not _has_folders(train_folder):
        missing = TRAIN_NAME if test_folder else " or ".join(TEST_NAMES)
        raise TrainError(
            f"{printable(folder)}: needs a folder {missing} with one folder per class, or else the classes in "
            f"{printable(folder)} itself, from which data.test_share is taken"
        )
    train, test = _classes(train_folder), _classes(test_folder)
    if train.classes != test.classes:
        parts = ((train_folder, train, test), (test_folder, test, train))
        only = {part.name: [name for name in a.classes if name not in b.classes] for part, a, b in parts}
        texts = [f"only {part} has {some(names)}" for part, names in only.items() if names]
        raise TrainError(
            f"{printable(folder)}: {TRAIN_NAME} and {test_folder.name} differ in classes: {'; '.join(texts)}"
        )
    unused = [name for name in class_folders(folder) if name not in (TRAIN_NAME, test_folder.name)]
    notes = stray_images_note(folder)
    notes += (f"{printable(folder)}: folders that are not read: {some(unused)}",) if unused else ()
    return FolderListing(
        train.classes, _numbers(train), _numbers(test), shape, train.files, test.files, train.notes + test.notes + notes
    )


def _drawn(folder: Path, shape: tuple[int, int, int], test_share: float) -> FolderListing:
    """Return the files of a folder of classes, `test_share` of each of them drawn for testing."""
    found = _classes(folder)
    if all(name.lower() in PART_NAMES for name in found.classes):
        raise TrainError(
            f"{printable(folder)} has the folders {some(found.classes)}, which are no classes: name them {TRAIN_NAME} "
            f"and {TEST_NAMES[0]}, each with one folder per class"
        )
    n_images, labels = len(found.files), _numbers(found)
    count = round(test_share * n_images)
    if not 0 < count < n_images:
        raise TrainError(f"{printable(folder)}: data.test_share = {test_share} of {n_images} images are {count}")
    order = stratified(labels, n_images, TEST_SPLIT)
    test, train = np.sort(order[:count]), np.sort(order[count:])
    per_class = np.bincount(labels[test], minlength=len(found.classes))
    if not per_class.all():
        small = int(np.flatnonzero(per_class == 0)[0])
        raise TrainError(
            f"{printable(folder / found.classes[small])}: data.test_share = {test_share} takes none of its "
            f"{np.count_nonzero(labels == small)} images for testing; add images, or set a larger share"
        )
    files = np.array(found.files, object)
    return FolderListing(
        found.classes, labels[train], labels[test], shape, list(files[train]), list(files[test]), found.notes
    )


def _classes(folder: Path) -> ClassFiles:
    """Return the images of a folder with at least two folders of classes."""
    names = class_folders(folder)
    if len(names) < 2:
        raise TrainError(f"{printable(folder)}: needs two or more classes, each a folder of images, found {len(names)}")
    return files_by_class(folder)


def _numbers(found: ClassFiles) -> np.ndarray:
    """Return the labels int64 (N,) of files."""
    number = {name: label for label, name in enumerate(found.classes)}
    return np.array([number[name] for name in found.labels], np.int64)


def _has_folders(folder: Path) -> bool:
    # A folder `train` that has images is a class, as of vehicles.
    return folder.is_dir() and bool(class_folders(folder))


@dataclass(frozen=True)
class Images:
    """Images that could be read: pixels uint8 (N, H, W, C), labels int64 (N,) and the SHA-256 of their files."""

    pixels: np.ndarray
    labels: np.ndarray
    sha256: str


def read(
    files: list[Path], labels: np.ndarray, shape: tuple[int, int, int], log: Callable[[str], None], strict: bool = False
) -> Images:
    """Read image files with labels int64 (N,); each gets the same pixels (H, W, C) as in `inkling run`.

    Those that cannot be read are left out and logged. Raises TrainError if they are all of a label, or if `strict`.
    """
    kept = np.zeros(len(files), bool)
    errors: dict[int, str] = {}
    try:
        out = np.empty((len(files), *shape), np.uint8)
        for number, pixels in readable(files, shape, None if strict else errors):
            out[number], kept[number] = pixels, True
    except MemoryError:
        size = len(files) * math.prod(shape) / 1e9
        raise TrainError(f"{len(files):,} images of {shape} take {size:,.1f} GB, more memory than there is") from None
    except HostError as error:
        raise TrainError(str(error)) from None
    if not errors:
        return Images(out, labels, _digest(files))
    log(unreadable_note(errors.values(), len(files)))
    lost = np.setdiff1d(labels, labels[kept])
    if len(lost):
        of_label = np.flatnonzero(labels == lost[0])
        raise TrainError(f"none of {len(of_label)} images can be read; the first: {errors[int(of_label[0])]}")
    chosen = np.flatnonzero(kept)
    return Images(out[chosen], labels[chosen], _digest([files[number] for number in chosen]))


def _digest(files: list[Path]) -> str:
    """Return the SHA-256 of the content of files, one after the other."""
    found = hashlib.sha256()
    for file in files:
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()
