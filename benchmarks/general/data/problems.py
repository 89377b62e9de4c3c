"""Problems: some images of each class of a set to teach, and other images to test on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

SHOTS = (5, 20, 100)  # images per class to teach
POOL = 200  # images per class, at most, that the seeds choose from
TEST_IMAGES = 1000  # of a problem, at most


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled images uint8 (N, H, W, 3), labels int64 (N,): the first `n_pool` to teach, the others to test on.

    draws: for each problem's choice of classes, their labels.
    """

    key: str
    title: str
    classes: tuple[str, ...]
    images: np.ndarray
    labels: np.ndarray
    n_pool: int
    draws: tuple[tuple[int, ...], ...]
    flip: bool = True  # a mirror image is of the same class

    @property
    def n_test(self) -> int:
        """Number of test images."""
        return len(self.labels) - self.n_pool

    @property
    def least(self) -> int:
        """Images to teach in the smallest class."""
        return int(np.bincount(self.labels[: self.n_pool], minlength=len(self.classes)).min())

    @cached_property
    def digest(self) -> str:
        """Digits that identify these images and their division."""
        sha256 = hashlib.sha256(self.images.tobytes())
        sha256.update(repr((self.labels.tolist(), self.n_pool, self.draws, self.images.shape)).encode())
        return sha256.hexdigest()[:8]


@dataclass(frozen=True, eq=False)
class Problem:
    """One choice of classes and of taught images: indices into the set's images, and labels from 0."""

    draw: int
    seed: int
    shots: int
    n_classes: int
    taught: np.ndarray  # (M,)
    taught_labels: np.ndarray
    test: np.ndarray  # (T,)
    test_labels: np.ndarray

    @property
    def name(self) -> str:
        """Name in files."""
        return f"{self.draw}-{self.seed}-{self.shots}"


def split(
    images: tuple[np.ndarray, np.ndarray], labels: tuple[np.ndarray, np.ndarray], n_test_classes: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return images (N, H, W, 3) and labels (N,) of a set, and how many of them are the pool.

    images, labels: to choose the pool from, and the test images. n_test_classes: number of classes of a problem. Every
    class has equally many test images, so that accuracies are means over classes.
    """
    n_classes = int(labels[0].max()) + 1
    least = int(np.bincount(labels[1], minlength=n_classes).min())
    pool = chosen(labels[0], POOL, 0)
    test = chosen(labels[1], min(least, TEST_IMAGES // n_test_classes), 1)
    return (
        np.concatenate([images[0][pool], images[1][test]]),
        np.concatenate([labels[0][pool], labels[1][test]]).astype(np.int64),
        len(pool),
    )


def chosen(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the indices of up to `count` images of each class, at random, in random order."""
    rng = np.random.default_rng([seed, 17])
    parts = [rng.permutation(np.flatnonzero(labels == label))[:count] for label in np.unique(labels)]
    return rng.permutation(np.concatenate(parts))


def problems(images: ImageSet, seeds: int, shots: Sequence[int] = SHOTS) -> list[Problem]:
    """Return a set's problems: every draw of classes, seed and number of images that its smallest class has.

    With the same seed, the few images are among the many.
    """
    return [
        _problem(images, draw, seed, count)
        for draw in range(len(images.draws))
        for seed in range(seeds)
        for count in shots
        if count <= images.least
    ]


def _problem(images: ImageSet, draw: int, seed: int, shots: int) -> Problem:
    classes = images.draws[draw]
    pool, tested = images.labels[: images.n_pool], images.labels[images.n_pool :]
    taught = [
        np.random.default_rng([seed, label, 23]).permutation(np.flatnonzero(pool == label))[:shots] for label in classes
    ]
    test = [images.n_pool + np.flatnonzero(tested == label) for label in classes]
    return Problem(
        draw,
        seed,
        shots,
        len(classes),
        np.concatenate(taught),
        np.repeat(np.arange(len(classes)), [len(part) for part in taught]),
        np.concatenate(test),
        np.repeat(np.arange(len(classes)), [len(part) for part in test]),
    )
