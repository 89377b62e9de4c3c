"""What is known of a data set before its images are read: classes, labels and the images' shape."""

from dataclasses import dataclass

import numpy as np

from train.config import RunConfig
from train.data.sampling import held_out_count, steps_per_epoch

SHOWN_CLASSES = 12  # in full, with their numbers of images; of more classes only the smallest
SHOWN_SMALLEST = 3


@dataclass(frozen=True)
class Listing:
    """Classes by label, labels int64 (N,) of training and test images, and the shape (H, W, C) of every image."""

    classes: tuple[str, ...]
    y_train: np.ndarray
    y_test: np.ndarray
    shape: tuple[int, int, int]


def check_fit(config: RunConfig, listing: Listing) -> None:
    """Raise TrainError if a data set has too few training images for a config."""
    n_images = len(listing.y_train)
    steps_per_epoch(n_images - held_out_count(config.data.holdout, n_images), config.schedule.batch)


def images_per_class(classes: tuple[str, ...], labels: np.ndarray) -> str:
    """Return the number of images of each class as text, which is short for many classes, too."""
    counts = np.bincount(labels, minlength=len(classes))
    if len(set(counts)) == 1:
        return f"{counts[0]:,} in each of {len(classes)} classes"
    if len(classes) <= SHOWN_CLASSES:
        return ", ".join(f"{name} {count:,}" for name, count in zip(classes, counts, strict=True))
    smallest = np.argsort(counts, kind="stable")[:SHOWN_SMALLEST]
    fewest = ", ".join(f"{classes[i]} {counts[i]:,}" for i in smallest)
    return f"{counts.min():,} to {counts.max():,} in {len(classes)} classes; fewest: {fewest}"
