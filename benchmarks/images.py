"""The test images that a bundle is measured on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from export.evaluation.data import data_config, data_of
from train.data.datasets import PUBLIC
from train.data.sampling import split_holdout, stratified
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

    Raises BundleError for a general bundle, if the manifest lacks a figure or the recipe, or if the images do not fit
    the encoder.
    """
    data_config(bundle)  # a general bundle lacks figures, too
    missing = [key for key in NEEDED if key not in bundle.manifest]
    if missing:
        raise BundleError(f"bundle {bundle.path}: bundle.json has no {missing[0]!r}, which the benchmarks need")
    data = data_of(bundle, log)
    index = stratified(data.y_test, count)
    return TestImages(data.x_test[index], data.y_test[index], index)


def held_out_for(bundle: Bundle, count: int, log: Callable[[str], None] = print) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` of the training images that were held out, and their labels: settings are chosen on them.

    Raises as images_for does.
    """
    data = data_of(bundle, log)
    _, held_out = split_holdout(data, data_config(bundle).holdout)
    chosen = held_out[stratified(data.y_train[held_out], count)]
    return data.x_train[chosen], data.y_train[chosen]
