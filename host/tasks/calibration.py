"""Calibration of a task on left-out scores: temperature, reject threshold, and figures with their uncertainty."""

from math import sqrt

import numpy as np

from host.classify.decoder import softmax

KEPT_SHARE = 0.95  # of the images of the task's classes: so many are not rejected
MIN_SCALE, MAX_SCALE = 1e-3, 1e6  # of scores, 1 / temperature; they are small if the regulariser is large
NEWTON_STEPS, CLOSE = 50, 1e-6
NORMAL_95 = 1.959963984540054  # quantile 0.975 of the normal distribution


def fit_temperature(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, images: int) -> tuple[float, float]:
    """Return the temperature that scores (N, C) are divided by to be logits, and the mean cross-entropy with it.

    Minimises the cross-entropy of the labels (N,), weighted by weights (N,). The targets are smoothed by one in
    `images` + 2, as Platt's are (Advances in Large Margin Classifiers, 1999): otherwise the confidence would be 100 %
    wherever all left-out images are classified correctly.
    """
    shares = weights / weights.sum()
    targets = np.full(scores.shape, 1 / (images + 2) / scores.shape[1])
    targets[np.arange(len(labels)), labels] += 1 - 1 / (images + 2)
    scale = 1.0
    for _ in range(NEWTON_STEPS):  # the cross-entropy is convex in the scale
        chances = softmax(scale * scores)
        mean = (chances * scores).sum(axis=1)
        slope = shares @ (mean - (targets * scores).sum(axis=1))
        curvature = shares @ ((chances * scores**2).sum(axis=1) - mean**2)
        # Far from the minimum, a step may be far too long: at most a factor of 4.
        step = scale - slope / max(curvature, 1e-12)
        new = float(np.clip(step, max(scale / 4, MIN_SCALE), min(scale * 4, MAX_SCALE)))
        done = abs(new - scale) < CLOSE * scale
        scale = new
        if done:
            break
    entropies = -(targets * np.log(np.maximum(softmax(scale * scores), 1e-300))).sum(axis=1)
    return 1 / scale, float(shares @ entropies)


def reject_threshold(scores: np.ndarray, weights: np.ndarray) -> float:
    """Return the threshold that the highest score of KEPT_SHARE of the rows (N, C), weighted by (N,), reaches."""
    highest = scores.max(axis=1)
    order = np.argsort(highest)
    below = np.cumsum(weights[order]) - weights[order]  # weight of the rows below each
    return float(highest[order][np.flatnonzero(below <= (1 - KEPT_SHARE) * weights.sum())[-1]])


def wilson_interval(correct: int, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share: `correct` of `count`, at least 1 (Wilson, JASA 22, 1927)."""
    share, square = correct / count, NORMAL_95**2 / count
    centre = (share + square / 2) / (1 + square)
    half = NORMAL_95 / (1 + square) * sqrt(share * (1 - share) / count + square / count / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return counts (C, C) int64 of images: labels (N,) down, predicted classes (N,) across."""
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts
