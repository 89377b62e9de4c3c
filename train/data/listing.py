"""What is known of a data set before its images are read: classes, labels and the images' shape."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.config import RunConfig
from train.data.sampling import held_out_count, steps_per_epoch
from train.errors import TrainError

SHOWN_CLASSES = 12  # in full, with their numbers of images; of more classes only the smallest
SHOWN_SMALLEST = 3
SHOWN_NAMES = 5  # in an error; the others are counted


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


def check_classes(source: str, listing: Listing) -> None:
    """Raise TrainError if a data set has fewer than two classes, or a class without training or test images."""
    if len(listing.classes) < 2:
        raise TrainError(f"{source}: needs two or more classes, found {len(listing.classes)}")
    for part, labels in (("training", listing.y_train), ("test", listing.y_test)):
        missing = np.flatnonzero(np.bincount(labels, minlength=len(listing.classes)) == 0)
        if len(missing):
            raise TrainError(f"{source}: no {part} image of {some([repr(listing.classes[i]) for i in missing])}")


def some(names: Sequence[str]) -> str:
    """Return the first names of a list as text, and how many more there are."""
    more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


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
