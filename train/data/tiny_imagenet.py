"""Tiny ImageNet: 200 classes of ImageNet at 64 x 64, 500 training and 50 validation images of each.

Its test labels were never published, so the validation images are the test images here, as is usual.
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from train.data.downloads import Arrays, Log, PublicDataset, download, places
from train.errors import TrainError

NAME = "tiny-imagenet-200"
URL = f"https://cs231n.stanford.edu/{NAME}.zip"
ZIP_SHA256 = "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821"
SIZE = 64
CLASSES = 200


def read_folder(folder: Path) -> Arrays:
    """Return the unpacked zip as arrays; labels number the sorted WordNet ids. Raises TrainError for other content."""
    try:
        wnids = sorted(path.name for path in (folder / "train").iterdir() if path.is_dir())
        label = {wnid: number for number, wnid in enumerate(wnids)}
        train = [file for wnid in wnids for file in sorted((folder / "train" / wnid / "images").glob("*.JPEG"))]
        rows = [line.split("\t") for line in (folder / "val" / "val_annotations.txt").read_text().splitlines()]
        words = dict(line.split("\t", 1) for line in (folder / "words.txt").read_text().splitlines())
        return {
            "x_train": _read_images(train),
            "y_train": np.array([label[file.parents[1].name] for file in train]),
            "x_test": _read_images([folder / "val" / "images" / row[0] for row in rows]),
            "y_test": np.array([label[row[1]] for row in rows]),
            "classes": np.array([words[wnid].split(",")[0] for wnid in wnids]),
        }
    except (OSError, ValueError, LookupError) as error:  # Pillow raises OSError for a damaged JPEG
        raise TrainError(f"{folder} is not an unpacked {NAME}.zip ({type(error).__name__}: {error})") from None


def _read_images(files: list[Path]) -> np.ndarray:
    images = np.empty((len(files), SIZE, SIZE, 3), np.uint8)
    for number, file in enumerate(files):
        with Image.open(file) as image:
            images[number] = np.asarray(image.convert("RGB"))  # some are grey
    return images


def _from_folder(scratch: Path, log: Log) -> Arrays:
    candidates = places(NAME)
    folder = next((place for place in candidates if place.is_dir()), None)
    if folder is None:
        raise TrainError(f"no folder {' or '.join(map(str, candidates))}")
    log(f"Tiny ImageNet: reading {folder}")
    return read_folder(folder)


def _from_zip(scratch: Path, log: Log) -> Arrays:
    candidates = places(f"{NAME}.zip")
    file = next((place for place in candidates if place.is_file()), None)
    if file is None:
        raise TrainError(f"no file {' or '.join(map(str, candidates))}")
    log(f"Tiny ImageNet: unpacking {file}")
    return _unpack(file, scratch)


def _download(scratch: Path, log: Log) -> Arrays:
    log(f"Tiny ImageNet: fetching {URL} (248 MB)")
    file = scratch / f"{NAME}.zip"
    download(URL, file, ZIP_SHA256)
    return _unpack(file, scratch)


def _unpack(file: Path, scratch: Path) -> Arrays:
    try:
        with zipfile.ZipFile(file) as archive:
            archive.extractall(scratch)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise TrainError(f"{file} cannot be unpacked: {error}") from None
    return read_folder(scratch / NAME)


def _is_official(arrays: Arrays) -> bool:
    # No checksum: JPEG decoders differ in the last bit. Some of the training images alone also count as Tiny ImageNet.
    labels = np.arange(CLASSES)
    return arrays["x_train"].shape[1:] == (SIZE, SIZE, 3) and all(
        np.array_equal(np.unique(arrays[part]), labels) for part in ("y_train", "y_test")
    )


TINY_IMAGENET = PublicDataset(NAME, "Tiny ImageNet", None, _is_official, (_from_folder, _from_zip, _download))
