"""Single blood cells, cropped from the photographs of the BCCD data set (Shenggan/BCCD_Dataset, MIT).

Found below INKLING_DATA or the cache: `BCCD_Dataset`, a clone of its repository, or `bccd/bccd.npz`, with the arrays
jpeg and offsets (files one after another), boxes (photograph, class, left, top, right, bottom), train, val and test.
"""

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from benchmarks.command import ResultsError
from train.data.downloads import places

CLASSES = ("RBC", "WBC", "Platelets")
TITLES = ("red blood cell", "white blood cell", "platelet")
CLONE, NPZ = "BCCD_Dataset", "bccd/bccd.npz"
TAUGHT, TESTED = ("train",), ("val", "test")  # the data set's own parts, so that no photograph is in both
MARGIN = 1.1  # side of a square crop, in the larger side of the box
LEAST_SIDE = 16  # pixels; a few boxes are mistakes
Box = tuple[int, int, int, int, int]  # class, left, top, right, bottom


@dataclass(frozen=True)
class Photo:
    """A photograph's JPEG file, and its boxes."""

    jpeg: bytes
    boxes: list[Box]


def load(size: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return images uint8 (N, size, size, 3) and labels (N,) to teach, and those to test on.

    Raises ResultsError if the data set is missing or damaged.
    """
    clone = next((place for place in places(CLONE) if place.is_dir()), None)
    npz = next((place for place in places(NPZ) if place.is_file()), None)
    found = clone or npz
    if found is None:
        raise ResultsError(
            f"no blood cells at {' or '.join(map(str, places(CLONE)))}: clone https://github.com/Shenggan/BCCD_Dataset "
            "to there, or leave them out with --sets"
        )
    read = _from_clone if clone else _from_npz
    try:
        taught, tested = (_crops(read(found, parts), size) for parts in (TAUGHT, TESTED))
    except (OSError, ValueError, LookupError, zipfile.BadZipFile, ElementTree.ParseError) as error:
        raise ResultsError(f"{found} is not the BCCD data set ({type(error).__name__}: {error})") from None
    return taught, tested


def _from_clone(folder: Path, parts: Iterable[str]) -> list[Photo]:
    root = folder / "BCCD"
    names = [line for part in parts for line in (root / "ImageSets" / "Main" / f"{part}.txt").read_text().split()]
    return [
        Photo((root / "JPEGImages" / f"{name}.jpg").read_bytes(), _boxes(root / "Annotations" / f"{name}.xml"))
        for name in names
    ]


def _boxes(file: Path) -> list[Box]:
    boxes: list[Box] = []
    for item in ElementTree.parse(file).iter("object"):
        left, top, right, bottom = (int(item.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax"))
        boxes.append((CLASSES.index(item.findtext("name", "")), left, top, right, bottom))
    return boxes


def _from_npz(file: Path, parts: Iterable[str]) -> list[Photo]:
    with np.load(file) as arrays:
        numbers = np.concatenate([arrays[part] for part in parts]).tolist()
        jpeg, offsets, boxes = arrays["jpeg"], arrays["offsets"], arrays["boxes"]
        labels = [CLASSES.index(name) for name in arrays["classes"].tolist()]
    photos = []
    for number in numbers:
        own = [
            (labels[label], left, top, right, bottom)
            for _, label, left, top, right, bottom in boxes[boxes[:, 0] == number].tolist()
        ]
        photos.append(Photo(jpeg[offsets[number] : offsets[number + 1]].tobytes(), own))
    return photos


def _crops(photos: Iterable[Photo], size: int) -> tuple[np.ndarray, np.ndarray]:
    images, labels = [], []
    for photo in photos:
        with Image.open(io.BytesIO(photo.jpeg)) as file:
            picture = file.convert("RGB")
        for label, left, top, right, bottom in photo.boxes:
            if min(right - left, bottom - top) < LEAST_SIDE:
                continue
            # A square around the box's centre, moved into the picture.
            side = min(MARGIN * max(right - left, bottom - top), picture.width, picture.height)
            x = min(max(0.0, (left + right - side) / 2), picture.width - side)
            y = min(max(0.0, (top + bottom - side) / 2), picture.height - side)
            crop = picture.resize((size, size), Image.Resampling.BICUBIC, box=(x, y, x + side, y + side))
            images.append(np.asarray(crop))
            labels.append(label)
    return np.stack(images), np.array(labels, np.int64)
