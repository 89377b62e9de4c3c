"""The image sets of the comparison, none of whose images the bundle's training has seen."""

from collections.abc import Callable

import numpy as np

from benchmarks.command import ResultsError
from benchmarks.general.data import cells
from benchmarks.general.data.problems import ImageSet, split
from train.config import DataConfig
from train.data.cifar import CIFAR10
from train.data.datasets import Dataset, load_for
from train.data.pool import resized
from train.data.tiny_imagenet import TINY_IMAGENET
from wire.bundle import Bundle, BundleError
from wire.errors import install_hint

DRAWS, DRAWN_CLASSES = 3, 20  # of the classes that training left out
DIGITS_TESTED = 70  # per class; the others are taught
Log = Callable[[str], None]


def load(name: str, bundle: Bundle, log: Log) -> ImageSet:
    """Return the image set of that name in SETS, at the size of the bundle's input.

    Raises BundleError if the bundle's training has seen it, and InklingError if it cannot be loaded.
    """
    return SETS[name](bundle, log)


def _left_out(bundle: Bundle, log: Log) -> ImageSet:
    recipe = bundle.manifest["recipe"]
    left_out = sorted(recipe["embedding"]["left_out"])
    if recipe["data"]["name"] != TINY_IMAGENET.name or len(left_out) < DRAWN_CLASSES:
        raise BundleError(
            f"bundle {bundle.path}: its training did not leave out {DRAWN_CLASSES} classes of {TINY_IMAGENET.name}"
        )
    data = load_for(DataConfig(TINY_IMAGENET.name), log)
    parts = [np.isin(labels, left_out) for labels in (data.y_train, data.y_test)]
    images, labels, n_pool = split(
        (data.x_train[parts[0]], data.x_test[parts[1]]),
        (np.searchsorted(left_out, data.y_train[parts[0]]), np.searchsorted(left_out, data.y_test[parts[1]])),
        DRAWN_CLASSES,
    )
    draws = tuple(
        tuple(np.random.default_rng([draw, 11]).permutation(len(left_out))[:DRAWN_CLASSES].tolist())
        for draw in range(DRAWS)
    )
    return ImageSet(
        "tiny-imagenet",
        f"Tiny ImageNet, {DRAWN_CLASSES} of {len(left_out)} classes left out",
        tuple(data.classes[label] for label in left_out),
        resized(images, bundle.input_shape),
        labels,
        n_pool,
        draws,
    )


def _cifar10(bundle: Bundle, log: Log) -> ImageSet:
    recipe = bundle.manifest["recipe"]
    if CIFAR10.name in (recipe["data"]["name"], *recipe["embedding"]["more"]):
        raise BundleError(f"bundle {bundle.path}: its training has seen {CIFAR10.title}")
    data: Dataset = load_for(DataConfig(CIFAR10.name), log)
    n_classes = len(data.classes)
    images, labels, n_pool = split((data.x_train, data.x_test), (data.y_train, data.y_test), n_classes)
    return _whole("cifar10", CIFAR10.title, data.classes, resized(images, bundle.input_shape), labels, n_pool)


def _cells(bundle: Bundle, log: Log) -> ImageSet:
    (x, y), (xt, yt) = cells.load(bundle.input_shape[0])
    images, labels, n_pool = split((x, xt), (y, yt), len(cells.CLASSES))
    return _whole("cells", "Blood cells", cells.TITLES, resized(images, bundle.input_shape), labels, n_pool)


def _digits(bundle: Bundle, log: Log) -> ImageSet:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ResultsError(f"the handwritten digits need scikit-learn; {install_hint('dev')}") from None
    found = load_digits()
    grey = np.round(found.images * (255 / found.images.max())).astype(np.uint8)
    images, labels = resized(np.repeat(grey[..., None], 3, axis=3), bundle.input_shape), found.target
    rng = np.random.default_rng(5)
    tested = np.concatenate([rng.permutation(np.flatnonzero(labels == digit))[:DIGITS_TESTED] for digit in range(10)])
    taught = np.setdiff1d(np.arange(len(labels)), tested)
    parts = split((images[taught], images[tested]), (labels[taught], labels[tested]), 10)
    return _whole("digits", "Handwritten digits", tuple(map(str, range(10))), *parts, flip=False)


def _whole(
    key: str,
    title: str,
    classes: tuple[str, ...],
    images: np.ndarray,
    labels: np.ndarray,
    n_pool: int,
    flip: bool = True,
) -> ImageSet:
    """Return a set of which every problem has all classes."""
    return ImageSet(key, title, classes, images, labels, n_pool, (tuple(range(len(classes))),), flip)


SETS: dict[str, Callable[[Bundle, Log], ImageSet]] = {
    "tiny-imagenet": _left_out,
    "cifar10": _cifar10,
    "cells": _cells,
    "digits": _digits,
}
