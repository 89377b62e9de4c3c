"""The images that a bundle is measured on: its data set's test images, as its encoder sees them."""

from collections.abc import Callable

import numpy as np

from train.data.datasets import load
from wire.bundle import Bundle, BundleError

COMPARED_WITH = ("accuracy_float_clean", "encoder_macs")


def images_for(bundle: Bundle, say: Callable[[str], None] = print) -> tuple[np.ndarray, np.ndarray]:
    """Test images uint8 (N, H, W, C) and labels int64 (N,).

    BundleError where the manifest lacks its recipe or what the figures are compared with: a bundle serves without.
    """
    missing = [key for key in COMPARED_WITH if key not in bundle.manifest]
    if missing:
        raise BundleError(f"bundle {bundle.path}: bundle.json has no {missing[0]!r}, so nothing can be compared")
    try:
        asked = bundle.manifest["recipe"]["data"]
        name, size, grey = asked["name"], asked["size"], asked["grey"]
    except (KeyError, TypeError):
        raise BundleError(f"bundle {bundle.path}: bundle.json has no recipe that names a data set") from None
    data = load(name, tuple(size) if size else None, grey, say)
    if data.x_test.shape[1:] != bundle.input_shape:
        raise BundleError(f"bundle {bundle.path} takes {bundle.input_shape}, the images are {data.x_test.shape[1:]}")
    return data.x_test, data.y_test
