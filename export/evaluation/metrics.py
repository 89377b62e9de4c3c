"""Metrics of predicted classes: confusion matrix, accuracy per class, calibration, and thresholds of confidence."""

from dataclasses import dataclass

import numpy as np

from wire.answer import CONFIDENCES


@dataclass(frozen=True)
class Confusion:
    """Counts of images by true class (rows) and predicted class (columns)."""

    counts: np.ndarray  # (classes, classes) int64

    @classmethod
    def of(cls, labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> "Confusion":
        """Count images with labels (N,) and predicted classes (N,)."""
        counts = np.zeros((n_classes, n_classes), np.int64)
        np.add.at(counts, (labels, predicted), 1)
        return cls(counts)

    @property
    def accuracy(self) -> float:
        """The share of all images that are correctly classified."""
        return float(self.counts.trace() / self.counts.sum())

    @property
    def per_class(self) -> np.ndarray:
        """The share of each class's images that are correctly classified (classes,); NaN for a class without any."""
        total = self.counts.sum(axis=1)
        return np.divide(self.counts.diagonal(), total, out=np.full(len(total), np.nan), where=total > 0)

    def most_confused(self, n: int) -> list[tuple[int, int, int]]:
        """Return the n largest counts off the diagonal: true class, predicted class, count."""
        off = self.counts - np.diag(self.counts.diagonal())
        order = np.argsort(off, axis=None, kind="stable")[::-1][:n]
        pairs = [(*divmod(int(place), len(off)), int(off.flat[place])) for place in order]
        return [pair for pair in pairs if pair[2] > 0]


@dataclass(frozen=True)
class Adaptive:
    """Mode adaptive at one threshold: the share of images that the board answers itself, and accuracies."""

    threshold: int
    answered: float  # share
    answered_accuracy: float | None  # of the images that the board answers; None if there are none
    accuracy: float  # of all


def sweep(confidences: np.ndarray, board: np.ndarray, host: np.ndarray) -> list[Adaptive]:
    """Return mode adaptive at the thresholds 0 to CONFIDENCES, which stand for answers only and features only.

    confidences (N,) of the board; board and host (N,) bool: correctly classified.
    """
    rows = []
    for threshold in range(CONFIDENCES + 1):
        answered = confidences >= threshold
        of_answered = float(board[answered].mean()) if answered.any() else None
        rows.append(
            Adaptive(threshold, float(answered.mean()), of_answered, float(np.where(answered, board, host).mean()))
        )
    return rows


def expected_calibration_error(confidences: np.ndarray, correct: np.ndarray, probability: np.ndarray) -> float:
    """Return the mean difference between stated and measured accuracy over confidence levels, weighted by images.

    confidences (N,), correct (N,) bool; probability (CONFIDENCES,): what the host reports for each level (Guo et al.,
    On Calibration of Modern Neural Networks, 2017, with the levels as bins).
    """
    counts = np.bincount(confidences, minlength=CONFIDENCES)
    hits = np.bincount(confidences, weights=correct.astype(float), minlength=CONFIDENCES)
    return float(np.abs(hits - counts * probability).sum() / len(confidences))
