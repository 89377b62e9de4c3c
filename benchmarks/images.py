"""The test images that a bundle is measured on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from train.config import DataConfig
from train.data.datasets import PUBLIC, load_for
from train.data.sampling import stratified
from wire.bundle import Bundle, BundleError

# A bundle works without these, but it cannot be compared.
NEEDED = ("dataset", "accuracy_float_clean", "encoder_macs")


@dataclass(frozen=True)
class TestImages:
    """Test images uint8 (n, H, W, C), labels int64 (n,), and their positions (n,) among all test images."""

    __test__ = False  # for pytest: not a test

    images: np.ndarray
    labels: np.ndarray
    index: np.ndarray


def title(dataset: str) -> str:
    """Return the name of a data set for use in text."""
    return PUBLIC[dataset].title if dataset in PUBLIC else dataset


def images_for(bundle: Bundle, count: int, log: Callable[[str], None] = print) -> TestImages:
    """Return `count` test images of the bundle's data set: a random choice, the same every time, of all classes.

    Raises BundleError if the manifest lacks a figure or the recipe, or if the images do not fit the encoder.
    """
    missing = [key for key in NEEDED if key not in bundle.manifest]
    if missing:
        raise BundleError(f"bundle {bundle.path}: bundle.json has no {missing[0]!r}, which the benchmarks need")
    try:
        data_config = bundle.manifest["recipe"]["data"]
        size, test_share = data_config["size"], data_config.get("test_share", DataConfig.test_share)
        data_config = DataConfig(
            data_config["name"], size=tuple(size) if size else None, grey=data_config["grey"], test_share=test_share
        )
    except (KeyError, TypeError):
        raise BundleError(f"bundle {bundle.path}: bundle.json has no recipe that names a data set") from None
    data = load_for(data_config, log)
    if data.x_test.shape[1:] != bundle.input_shape:
        raise BundleError(f"bundle {bundle.path} takes {bundle.input_shape}, the images are {data.x_test.shape[1:]}")
    index = stratified(data.y_test, count)
    return TestImages(data.x_test[index], data.y_test[index], index)
