"""Fit of a task to decoded examples: regulariser, head, temperature, reject threshold, and left-out figures."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from host.tasks.calibration import confusion_matrix, fit_temperature, reject_threshold, wilson_interval
from host.tasks.examples import Memory, TaskError
from host.tasks.ridge import Head, Ridge

# The weights of all rows sum to 1 and rows have unit length, so no eigenvalue exceeds 1. Beyond 10, only the scale of
# the scores changes.
REGULARISERS = np.geomspace(1e-6, 10, 22)
MIN_IMAGES = 2  # per class, so that each class is in the rest when one image is left out
FOLD_ROWS = 200  # about, so that the matrices of the folds stay small


@dataclass(frozen=True, eq=False)
class Fit:
    """A head and its calibration."""

    head: Head
    temperature: float  # scores are divided by it to be logits
    reject_threshold: float  # an image whose highest score is lower is of none of the classes
    regulariser: float
    figures: dict[str, Any]  # of left-out images; as in task.json


@dataclass(frozen=True, eq=False)
class Regression:
    """The ridge regression of a task on one-hot targets: each class has the same weight, however many images it has."""

    ridge: Ridge
    weights: np.ndarray  # (M,) of the rows
    counts: np.ndarray  # (C,) images of each class
    folds: list[np.ndarray]  # row numbers: about one image of each class, with all its copies

    @classmethod
    def of(cls, memory: Memory, n_classes: int, seed: int) -> "Regression":
        """Prepare the regression; every class must have an image."""
        counts = image_counts(memory, n_classes)
        weights = _row_weights(memory, counts)
        ridge = Ridge(memory.embeddings.astype(np.float64), np.eye(n_classes)[memory.labels], weights)
        return cls(ridge, weights, counts, _folds(memory, counts, seed))


def fit(memory: Memory, classes: tuple[str, ...], seed: int) -> Fit:
    """Fit a task's head.

    The regulariser has the lowest cross-entropy on left-out images, at its own best temperature. About one image of
    each class is left out at a time, with all its copies. Images of all figures are left out of the head that is
    judged, but they chose one number, the regulariser. Raises TaskError if a class has too few images.
    """
    if len(classes) < 2:
        raise TaskError("a task needs at least 2 classes: add one, such as 'other', with images of everything else")
    for name, count in zip(classes, image_counts(memory, len(classes)).tolist(), strict=True):
        if count < MIN_IMAGES:
            raise TaskError(f"class {name!r} has {count} image: at least {MIN_IMAGES} are needed")
    regression = Regression.of(memory, len(classes), seed)
    ridge, weights = regression.ridge, regression.weights
    best: tuple[float, float, float, np.ndarray] | None = None
    for regulariser in REGULARISERS.tolist():
        scores = ridge.left_out_scores(regulariser, regression.folds)
        temperature, entropy = fit_temperature(scores, memory.labels, weights, int(regression.counts.sum()))
        if best is None or entropy < best[0]:
            best = entropy, regulariser, temperature, scores
    assert best is not None, "there are regularisers"
    _, regulariser, temperature, scores = best
    threshold = reject_threshold(scores, weights)
    figures = _figures(scores, memory, threshold, classes)
    return Fit(ridge.head(regulariser), temperature, threshold, regulariser, figures)


def image_counts(memory: Memory, n_classes: int) -> np.ndarray:
    """Return the number of images of each class (C,)."""
    return np.array([len(np.unique(memory.groups[memory.labels == label])) for label in range(n_classes)])


def _row_weights(memory: Memory, counts: np.ndarray) -> np.ndarray:
    """Return the weights (M,): each class's sum to 1 / classes, and its images have equal ones."""
    _, image, copies = np.unique(memory.groups, return_inverse=True, return_counts=True)
    return 1 / (len(counts) * counts[memory.labels] * copies[image])


def _folds(memory: Memory, counts: np.ndarray, seed: int) -> list[np.ndarray]:
    """Return the row numbers of each fold: about one image of each class, chosen at random, with all its copies.

    So the classes keep their shares in the rest. Leaving out single images would shift the bias away from their class.
    """
    rng = np.random.default_rng(seed)
    n_folds = max(int(counts.min()), -(-len(memory.groups) // FOLD_ROWS))
    fold_of: dict[int, int] = {}
    for label in range(len(counts)):
        groups = rng.permutation(np.unique(memory.groups[memory.labels == label]))
        fold_of.update((group, number % n_folds) for number, group in enumerate(groups.tolist()))
    folds = np.array([fold_of[group] for group in memory.groups.tolist()])
    return [np.flatnonzero(folds == number) for number in range(n_folds) if (folds == number).any()]


def _figures(scores: np.ndarray, memory: Memory, threshold: float, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return the figures of left-out scores (M, C). Classes and confusions are of each image's first copy.

    Accuracies are without rejection.
    """
    predicted, rejected = scores.argmax(axis=1), scores.max(axis=1) < threshold
    correct, copies = predicted == memory.labels, memory.copies
    first = copies == 0
    by_class = {}
    for label, name in enumerate(classes):
        rows = first & (memory.labels == label)
        by_class[name] = share_of(correct[rows]) | {"rejected": round(float(rejected[rows].mean()), 4)}
    by_copy = []
    for copy in range(int(copies.max()) + 1):
        rows = copies == copy
        by_copy.append({"mean_ber": float(f"{memory.bers[rows].mean():.4g}")} | share_of(correct[rows]))
    return {
        **share_of(correct[first]),
        "rejected": round(float(rejected[first].mean()), 4),
        "by_copy": by_copy,
        "by_class": by_class,
        "confusion": confusion_matrix(memory.labels[first], predicted[first], len(classes)).tolist(),
    }


def share_of(correct: np.ndarray) -> dict[str, Any]:
    """Return the number of images, the share of them that is correct (N,), and its confidence interval."""
    count = len(correct)
    low, high = wilson_interval(int(correct.sum()), count)
    return {
        "images": count,
        "accuracy": round(float(correct.mean()), 4),
        "interval_95": [round(low, 4), round(high, 4)],
    }
