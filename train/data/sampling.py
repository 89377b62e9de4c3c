"""Choice of some images of many: at random, with a seed, and with the same share of every class."""

from typing import TYPE_CHECKING

import numpy as np

from train.errors import TrainError

if TYPE_CHECKING:  # a data set uses this module
    from train.data.datasets import Dataset

SPLIT = (0, 0)  # seed of the held-out images: one split for every run on the same data
CALIBRATION = (0, 1)  # seed of the images over which int8 ranges are measured
TEST_SUBSET = (0, 2)  # seed of a part of the test images
TEST_SPLIT = (0, 3)  # seed of the images that a folder without test images keeps for testing


def stratified(labels: np.ndarray, n: int, seed: tuple[int, ...] = TEST_SUBSET) -> np.ndarray:
    """Return `n` indices (n,) into labels (N,) in random order: the same share of every class, within one image.

    The first m of the n indices are those that `stratified(labels, m, seed)` returns. All N indices are returned if
    there are not more than `n`.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    _, starts, sizes = np.unique(labels[by_class], return_index=True, return_counts=True)
    # The k-th image of a class of K is placed at (k + 1/2) / K; images at the same place keep their random order.
    place = np.empty(len(labels))
    place[by_class] = (np.arange(len(labels)) - np.repeat(starts, sizes) + 0.5) / np.repeat(sizes, sizes)
    return order[np.argsort(place[order], kind="stable")][:n]


def split_holdout(data: "Dataset", holdout: int | float) -> tuple[np.ndarray, np.ndarray]:
    """Split the training images into sorted indices (to train on, held out for model selection), by class.

    The split is the same for every run on the data, whatever its seed, and a smaller holdout is part of a larger one:
    a base classifier has not seen the images that a split codec with the same holdout holds out.
    """
    count = held_out_count(holdout, len(data.x_train))
    order = stratified(data.y_train, len(data.y_train), SPLIT)
    return np.sort(order[count:]), np.sort(order[:count])


def held_out_count(holdout: int | float, n_images: int) -> int:
    """Return the number of held-out images of `n_images`. Raises TrainError if none would be left to train on."""
    count = holdout if isinstance(holdout, int) else max(1, round(holdout * n_images))
    if not 0 < count < n_images:
        raise TrainError(f"data.holdout = {holdout}, but there are {n_images} training images")
    return count


def steps_per_epoch(n_images: int, batch: int) -> int:
    """Return the number of whole batches of `n_images` training images. Raises TrainError if there is none."""
    if n_images < batch:
        raise TrainError(f"{n_images} training images do not fill one batch of {batch}")
    return n_images // batch
