"""Public data sets as .npz: looked for in INKLING_DATA, then in the cache, then fetched into the cache."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from train.errors import TrainError

Arrays = dict[str, np.ndarray]  # x_train, y_train, x_test, y_test, and perhaps classes
Say = Callable[[str], None]


@dataclass(frozen=True)
class Public:
    """A public data set: how it is told from another one, and the ways to it, tried in turn.

    A way takes an empty folder to work in, and raises a TrainError of one line where it leads nowhere.
    """

    name: str
    title: str
    classes: tuple[str, ...] | None  # names by label, where a file of it does not give them
    official: Callable[[Arrays], bool]
    ways: tuple[Callable[[Path, Say], Arrays], ...]


def cache_dir() -> Path:
    """Where fetched data sets stay between clones: INKLING_CACHE, or XDG's cache folder."""
    base = os.environ.get("INKLING_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inkling"


def places(name: str) -> list[Path]:
    """Where a data set's file or folder may lie, in the order of looking; the last one is in the cache."""
    data = os.environ.get("INKLING_DATA")
    return [Path(folder) / name for folder in (data, cache_dir()) if folder]


def npz(public: Public, say: Say) -> Path:
    """The data set's .npz, fetched where it is not there yet. TrainError of one line names every way tried."""
    name = f"{public.name}.npz"
    for place in places(name):
        if place.is_file():
            return place
    out = places(name)[-1]
    tried = []
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for way in public.ways:
            with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
                try:
                    arrays = way(Path(scratch), say)
                except TrainError as error:
                    tried.append(str(error))
                    continue
                if not public.official(arrays):
                    tried.append(f"the fetched {public.title} differs from the official one")
                    continue
                part = Path(scratch) / name
                np.savez(part, **arrays)  # type: ignore[arg-type]
                part.replace(out)  # atomic: another process sees all of it or nothing
                return out
    except OSError as error:
        raise TrainError(f"cannot keep {public.title} in the cache {out.parent}: {error.strerror or error}") from None
    raise TrainError(f"cannot get {public.title}: " + "; ".join(tried))
