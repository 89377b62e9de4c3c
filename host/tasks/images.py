"""Examples from a folder of pictures, encoded as a board with this bundle encodes them."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from host.image import load_image
from host.reference import ReferenceEncoder
from host.tasks.examples import Examples, TaskError
from wire.bundle import Bundle

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def list_pictures(folder: Path) -> list[tuple[Path, str]]:
    """Return the pictures in a folder with one folder per class, and their classes, both sorted.

    Hidden files and folders are left out. Raises TaskError if there are fewer than two classes, or an empty one.
    """
    try:
        classes = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise TaskError(f"{folder} cannot be read: {error.strerror}") from None
    found: list[tuple[Path, str]] = []
    for place in classes:
        files = sorted(
            file
            for file in place.rglob("*")
            if file.suffix.lower() in SUFFIXES
            and not any(part.startswith(".") for part in file.relative_to(place).parts)
        )
        if not files:
            raise TaskError(f"{place} has no picture ({', '.join(SUFFIXES)})")
        found += [(file, place.name) for file in files]
    if not classes:
        raise TaskError(f"{folder} has no folders: put the pictures of each class in a folder with its name")
    return found


def read_pictures(
    pictures: list[tuple[Path, str]], bundle: Bundle, on_progress: Callable[[], None] | None = None
) -> Examples:
    """Return pictures with their classes as examples. A picture that occurs twice is one example.

    Calls `on_progress` after each picture. Raises HostError if one cannot be read, and TaskError if equal pictures
    have different classes.
    """
    encoder = ReferenceEncoder(bundle.encoder_path)
    symbols: dict[int, np.ndarray] = {}
    label_of: dict[int, str] = {}
    for file, label in pictures:
        pixels = load_image(file, bundle.input_shape)
        group = int.from_bytes(hashlib.sha256(pixels.tobytes()).digest()[:8], "big", signed=True)
        if label_of.setdefault(group, label) != label:
            raise TaskError(f"{file} is in {label!r} and in {label_of[group]!r}")
        if group not in symbols:
            symbols[group] = bundle.symbols(encoder.outputs(pixels[None]))[0]
        if on_progress is not None:
            on_progress()
    classes = tuple(dict.fromkeys(label_of.values()))
    return Examples(
        symbols=np.stack(list(symbols.values())).astype(np.int64),
        labels=np.array([classes.index(label) for label in label_of.values()], np.int64),
        groups=np.array(list(label_of), np.int64),
        bers=np.zeros(len(symbols)),
        classes=classes,
        source="images",
    )
