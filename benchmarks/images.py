"""The test images that a bundle is measured on."""

from collections.abc import Callable

import numpy as np

from train.data.datasets import PUBLIC, load
from wire.bundle import Bundle, BundleError

# A bundle works without these, but it cannot be compared.
NEEDED = ("dataset", "accuracy_float_clean", "encoder_macs")


def title(dataset: str) -> str:
    """Return the name of a data set for use in text."""
    return PUBLIC[dataset].title if dataset in PUBLIC else dataset


def images_for(bundle: Bundle, log: Callable[[str], None] = print) -> tuple[np.ndarray, np.ndarray]:
    """Return the test images uint8 (N, H, W, C) and labels int64 (N,) of the bundle's data set.

    Raises BundleError if the manifest lacks a figure or the recipe, or if the images do not fit the encoder.
    """
    missing = [key for key in NEEDED if key not in bundle.manifest]
    if missing:
        raise BundleError(f"bundle {bundle.path}: bundle.json has no {missing[0]!r}, which the benchmarks need")
    try:
        data_config = bundle.manifest["recipe"]["data"]
        name, size, grey = data_config["name"], data_config["size"], data_config["grey"]
    except (KeyError, TypeError):
        raise BundleError(f"bundle {bundle.path}: bundle.json has no recipe that names a data set") from None
    data = load(name, tuple(size) if size else None, grey, log)
    if data.x_test.shape[1:] != bundle.input_shape:
        raise BundleError(f"bundle {bundle.path} takes {bundle.input_shape}, the images are {data.x_test.shape[1:]}")
    return data.x_test, data.y_test
