"""The head of every opponent that has one: the ridge regression of `inkling teach`, on other features."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.general.data.problems import Problem
from host.tasks.examples import Memory
from host.tasks.fit import Fit, fit
from host.tasks.task import SEED


def fit_head(features: np.ndarray, labels: np.ndarray) -> Fit:
    """Fit a head to features (M, D) of images with labels (M,), whose rows it brings to unit length."""
    count = len(labels)
    memory = Memory(unit(features), labels.astype(np.int64), np.arange(count), np.zeros(count, np.float32))
    return fit(memory, tuple(f"class {label}" for label in range(int(labels.max()) + 1)), SEED)


def accuracies(
    features: Mapping[str, np.ndarray], problems: Sequence[Problem], on_progress: Callable[[], None]
) -> tuple[np.ndarray, list[str]]:
    """Return the test accuracy of each problem (P,), and the features that were used.

    features (N, D) by name: of each problem those that are most accurate on taught images that were left out.
    """
    found, names = np.empty(len(problems)), []
    for number, problem in enumerate(problems):
        fits = {name: fit_head(rows[problem.taught], problem.taught_labels) for name, rows in features.items()}
        best = max(fits, key=lambda name: fits[name].figures["accuracy"])
        predicted = fits[best].head.scores(unit(features[best][problem.test])).argmax(axis=1)
        found[number] = (predicted == problem.test_labels).mean()
        names.append(best)
        on_progress()
    return found, names


def unit(rows: np.ndarray) -> np.ndarray:
    """Return rows (N, D) float32 of unit length; a row of zeros stays."""
    rows = rows.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
