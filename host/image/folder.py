"""Folders of image files, one per class or not: which files are images, which are not, and what tools have left."""

import itertools
import os
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from host.errors import HostError
from host.image.load import load_image
from wire.text import printable

# All raster formats that Pillow reads. A fixed list: a data set does not change with the version of Pillow.
SUFFIXES = (
    ".apng", ".avif", ".avifs", ".blp", ".bmp", ".bw", ".cur", ".dcx", ".dds", ".dib", ".fit", ".fits", ".flc", ".fli",
    ".ftc", ".ftu", ".gbr", ".gif", ".icb", ".icns", ".ico", ".im", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe",
    ".jpeg", ".jpf", ".jpg", ".jpx", ".mpo", ".msp", ".pbm", ".pcd", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm",
    ".psd", ".pxr", ".qoi", ".ras", ".rgb", ".rgba", ".sgi", ".tga", ".tif", ".tiff", ".vda", ".vst", ".webp", ".xbm",
    ".xpm",
)  # fmt: skip
# Left by file managers, servers and editors; all names in lower case. So are names that begin with a dot or an @.
CLUTTER_FOLDERS = ("#recycle", "#snapshot", "$recycle.bin", "__macosx", "__pycache__", "lost+found")
CLUTTER_FILES = ("desktop.ini", "ehthumbs.db", "icon\r", "thumbs.db")
SHOWN = 5  # files or kinds of files in a message; the others are counted


@dataclass
class ImageFiles:
    """Files of a folder, by name: images, and files of other kinds, which are left out."""

    images: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class ClassFiles:
    """Images of a folder with one folder per class: files and their classes, sorted by class and name.

    notes: a line on each sort of files that were left out.
    """

    files: list[Path]
    labels: list[str]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def files_by_class(folder: Path) -> ClassFiles:
    """Return the images of a folder with one folder per class, without reading them.

    Raises HostError if a folder cannot be read, a class has no image, or the name of a class is no text or doubled.
    """
    found = {name: files_below(path) for name, path in class_folders(folder).items()}
    for name, below in found.items():
        if not below.images:
            kinds = f", but {_kinds(below.others, folder)}" if below.others else ""
            raise HostError(f"{printable(folder / name)} has no image, such as .jpg or .png{kinds}")
    others = [file for below in found.values() for file in below.others]
    return ClassFiles(
        [file for below in found.values() for file in below.images],
        [name for name, below in found.items() for _ in below.images],
        tuple(found),
        other_files_note(folder, others) + stray_images_note(folder),
    )


def class_folders(folder: Path) -> dict[str, Path]:
    """Return the folders in a folder by the names of their classes, sorted; what tools leave is left out.

    Names are in Unicode's composed form, whichever form the file system has. Raises HostError.
    """
    named: dict[str, Path] = {}
    for path in _entries(folder)[0]:
        name = unicodedata.normalize("NFC", path.name)
        if not name.isprintable():  # a bundle refuses it, but only after the training
            raise HostError(
                f"{printable(path)}: the name of a class must be text in UTF-8 on one line; rename the folder"
            )
        if name in named:
            raise HostError(f"{printable(folder)} has two folders for the class {name!r}; rename one")
        named[name] = path
    return dict(sorted(named.items()))


def files_below(folder: Path) -> ImageFiles:
    """Return the files anywhere below a folder, without what tools leave. Links to folders are followed.

    Raises HostError if a folder cannot be read.
    """
    found = ImageFiles()
    _collect(folder, found, ())
    return found


def _collect(folder: Path, found: ImageFiles, parents: tuple[Path, ...]) -> None:
    real = folder.resolve()
    if real in parents:  # a link to a folder above, which would never end
        return
    folders, files = _entries(folder)
    found.images += files.images
    found.others += files.others
    for below in folders:
        _collect(below, found, (*parents, real))


def _entries(folder: Path) -> tuple[list[Path], ImageFiles]:
    """Return the folders and the files in a folder, sorted, without what tools leave."""
    folders: list[Path] = []
    files = ImageFiles()
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path, name = folder / entry.name, entry.name.lower()
                if name.startswith((".", "@")) or name in (CLUTTER_FOLDERS if entry.is_dir() else CLUTTER_FILES):
                    continue
                if entry.is_dir():
                    folders.append(path)
                # Reading a pipe or a device would never end. A broken link is an image that cannot be read.
                elif name.endswith(SUFFIXES) and (entry.is_file() or not path.exists()):
                    files.images.append(path)
                else:
                    files.others.append(path)
    except OSError as error:
        raise HostError(f"{printable(folder)} cannot be read: {error.strerror or error}") from None
    return folders, files


def other_files_note(folder: Path, others: list[Path]) -> tuple[str, ...]:
    """Return a line on files of other kinds than images below a folder, which were left out; none if there are none."""
    if not others:
        return ()
    return (f"{printable(folder)}: files that are not images by name, left out: {_kinds(others, folder)}",)


def stray_images_note(folder: Path) -> tuple[str, ...]:
    """Return a line on the images in a folder, beside its folders; none if there are none. Raises HostError."""
    strays = _entries(folder)[1].images
    if not strays:
        return ()
    count = f"{len(strays):,} ({printable(strays[0].name)})"
    return (f"{printable(folder)}: images outside the folders of classes, left out: {count}",)


def _kinds(files: list[Path], folder: Path) -> str:
    """Return how many files of each kind there are, most frequent first, each with an example."""
    kinds: defaultdict[str, list[Path]] = defaultdict(list)
    for file in files:
        kinds[file.suffix.lower() or "without suffix"].append(file)
    ranked = sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    texts = [f"{len(of):,} {printable(kind)} ({printable(of[0].relative_to(folder))})" for kind, of in ranked[:SHOWN]]
    more = sum(len(of) for _, of in ranked[SHOWN:])
    return ", ".join([*texts, *([f"{more:,} of other kinds"] if more else [])])


def readable(
    files: Sequence[Path], shape: tuple[int, int, int], errors: dict[int, str] | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield number and pixels, uint8 (H, W, C), of each image file that can be read.

    `errors` gets those of the others by number. If it is None, the first one is raised as HostError.
    """
    for number, file in enumerate(files):
        try:
            pixels = load_image(file, shape)
        except HostError as error:
            if errors is None:
                raise
            errors[number] = str(error)
            continue
        yield number, pixels


def unreadable_note(errors: Collection[str], n_images: int) -> str:
    """Return a line on the images of `n_images` that cannot be read."""
    first = "; ".join(itertools.islice(errors, SHOWN))
    more = f"; and {len(errors) - SHOWN:,} more" if len(errors) > SHOWN else ""
    return f"images that cannot be read, left out: {len(errors):,} of {n_images:,} ({first}{more})"
