"""Examples from a folder of pictures, encoded as a board with this bundle encodes them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from host.image.folder import files_by_class, readable, unreadable_note
from host.reference import ReferenceEncoder
from host.tasks.examples import Examples, TaskError, group_of
from wire.bundle import Bundle
from wire.text import printable


def list_pictures(folder: Path, log: Callable[[str], None] = print) -> list[tuple[Path, str]]:
    """Return the pictures in a folder with one folder per class, and their classes, both sorted.

    Files that are left out are logged. Raises HostError if a folder cannot be read, and for a class without pictures.
    """
    found = files_by_class(folder)
    if not found.classes:
        raise TaskError(f"{printable(folder)} has no folders: put the pictures of each class in a folder with its name")
    for note in found.notes:
        log(note)
    return list(zip(found.files, found.labels, strict=True))


def read_pictures(
    pictures: list[tuple[Path, str]],
    bundle: Bundle,
    on_progress: Callable[[], None] | None = None,
    log: Callable[[str], None] = print,
    *,
    strict: bool = False,
) -> Examples:
    """Return pictures with their classes as examples. A picture that occurs twice is one example.

    Pictures that cannot be read are left out and logged; if `strict`, they are errors. Calls `on_progress` after each
    picture. Raises HostError, and TaskError if a class has no picture left or equal pictures have different classes.
    """
    encoder = ReferenceEncoder(bundle.encoder_path)
    symbols: dict[int, np.ndarray] = {}
    label_of: dict[int, str] = {}
    errors: dict[int, str] = {}
    files = [file for file, _ in pictures]
    for number, pixels in readable(files, bundle.input_shape, None if strict else errors):
        file, label = pictures[number]
        group = group_of(pixels.tobytes())
        if label_of.setdefault(group, label) != label:
            raise TaskError(f"{printable(file)} is in {label!r} and in {label_of[group]!r}")
        if group not in symbols:
            symbols[group] = bundle.symbols(encoder.outputs(pixels[None]))[0]
        if on_progress is not None:
            on_progress()
    if errors:
        log(unreadable_note(errors.values(), len(pictures)))
    lost = {label for _, label in pictures} - set(label_of.values())
    if lost:
        first = next(number for number, (_, label) in enumerate(pictures) if label == min(lost))
        raise TaskError(f"no picture of {min(lost)!r} can be read; the first: {errors[first]}")
    classes = tuple(dict.fromkeys(label_of.values()))
    return Examples(
        symbols=np.stack(list(symbols.values())).astype(np.int64),
        labels=np.array([classes.index(label) for label in label_of.values()], np.int64),
        groups=np.array(list(label_of), np.int64),
        bers=np.zeros(len(symbols)),
        classes=classes,
        source="images",
    )
