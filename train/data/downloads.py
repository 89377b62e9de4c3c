"""Public data sets as .npz files: searched for in INKLING_DATA, then in the cache, then fetched into the cache."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from train.errors import TrainError

Arrays = dict[str, np.ndarray]  # x_train, y_train, x_test, y_test and, in some, classes
Log = Callable[[str], None]
Source = Callable[[Path, Log], Arrays]  # works in an empty folder; raises TrainError of one line if it fails


@dataclass(frozen=True)
class PublicDataset:
    """A public data set: a check that arrays are the official ones, and the sources, which are tried in turn."""

    name: str
    title: str
    classes: tuple[str, ...] | None  # names by label, unless its files contain them
    is_official: Callable[[Arrays], bool]
    sources: tuple[Source, ...]


def cache_dir() -> Path:
    """Return the folder of fetched data sets, which clones share: INKLING_CACHE, or `inkling` in XDG's cache folder."""
    base = os.environ.get("INKLING_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inkling"


def places(name: str) -> list[Path]:
    """Return the paths where a data set may be, in the order of the search; the last one is in the cache."""
    data = os.environ.get("INKLING_DATA")
    return [Path(folder) / name for folder in (data, cache_dir()) if folder]


def stored_npz(name: str) -> Path | None:
    """Return the .npz of the public data set `name`, None if it is not on this machine."""
    return next((place for place in places(f"{name}.npz") if place.is_file()), None)


def download(url: str, file: Path, sha256: str) -> None:
    """Fetch a file, which must have this SHA-256. Raises TrainError."""
    try:
        from train.data.torchvision_import import datasets
    except ImportError:
        raise TrainError("torchvision is not installed") from None
    try:
        datasets.utils.download_url(url, str(file.parent), file.name)
    except (OSError, RuntimeError) as error:  # URLError is an OSError
        raise TrainError(f"the download failed ({error})") from None
    with open(file, "rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != sha256:
        raise TrainError(f"{url} has SHA-256 {found[:16]}..., not {sha256[:16]}...")


def npz_file(dataset: PublicDataset, log: Log) -> Path:
    """Return the .npz of a data set, which is fetched if it is missing. Raises TrainError with every source tried."""
    stored = stored_npz(dataset.name)
    if stored:
        return stored
    out = places(f"{dataset.name}.npz")[-1]
    faults = []
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for fetch in dataset.sources:
            with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
                try:
                    arrays = fetch(Path(scratch), log)
                except TrainError as error:
                    faults.append(str(error))
                    continue
                if not dataset.is_official(arrays):
                    faults.append(f"the fetched {dataset.title} differs from the official one")
                    continue
                part = Path(scratch) / out.name
                np.savez(part, **arrays)
                part.replace(out)  # atomic: another process sees all of it or nothing
                return out
    except OSError as error:
        raise TrainError(f"cannot write {dataset.title} to the cache {out.parent}: {error.strerror or error}") from None
    raise TrainError(f"cannot get {dataset.title}: " + "; ".join(faults))
