"""Temperature, reject threshold, confidence interval and confusion matrix."""

import numpy as np
import pytest

from host.tasks.calibration import (
    confusion_matrix,
    fit_temperature,
    reject_threshold,
    softmax,
    wilson_interval,
)


@pytest.mark.parametrize("true", [0.05, 1.0, 20.0])
def test_temperature_is_found_again(true: float) -> None:
    rng = np.random.default_rng(0)
    scores = true * rng.normal(0, 2, (20_000, 4))
    chances = softmax(scores / true)
    labels = (chances.cumsum(axis=1) > rng.random((len(scores), 1))).argmax(axis=1)
    temperature, entropy = fit_temperature(scores, labels, np.ones(len(scores)), len(scores))
    assert temperature == pytest.approx(true, rel=0.05)
    assert entropy == pytest.approx(-(chances * np.log(chances)).sum(axis=1).mean(), rel=0.05)


def test_temperature_minimises_the_weighted_cross_entropy() -> None:
    rng = np.random.default_rng(1)
    scores, labels, weights = rng.normal(size=(60, 3)), rng.integers(0, 3, 60), rng.uniform(0.1, 5, 60)
    scores[np.arange(60), labels] += 1
    temperature, entropy = fit_temperature(scores, labels, weights, 60)
    targets = np.full((60, 3), 1 / 62 / 3)
    targets[np.arange(60), labels] += 61 / 62
    for other in (1.0, 0.98, 1.02):
        log_chances = np.log(softmax(scores / (other * temperature)))
        value = weights @ -(targets * log_chances).sum(axis=1) / weights.sum()
        assert value == pytest.approx(entropy) if other == 1 else value > entropy


def test_temperature_stays_finite_if_all_are_correct() -> None:
    labels = np.arange(40) % 2
    temperature, _ = fit_temperature(np.eye(2)[labels], labels, np.ones(40), 40)
    assert softmax(np.eye(2) / temperature).max() == pytest.approx(1 - 1 / 42 / 2)


@pytest.mark.parametrize("scores", [np.zeros((6, 2)), np.eye(2)[[1, 0, 1, 0, 1, 0]]], ids=["constant", "all wrong"])
def test_temperature_of_useless_scores_is_finite(scores: np.ndarray) -> None:
    temperature, entropy = fit_temperature(scores, np.arange(6) % 2, np.ones(6), 6)
    assert 0 < temperature < np.inf and entropy == pytest.approx(np.log(2), rel=1e-3)


def test_reject_threshold_keeps_95_percent() -> None:
    scores = np.stack([np.arange(200) / 200, np.zeros(200)], axis=1)[np.random.default_rng(0).permutation(200)]
    threshold = reject_threshold(scores, np.ones(200))
    assert (scores.max(axis=1) >= threshold).sum() == 190
    doubled = np.where(scores[:, 0] < 0.5, 1.0, 9.0)  # the lower half is a tenth of the weight
    assert (scores[:, 0] < reject_threshold(scores, doubled)).sum() == 50


def test_reject_threshold_of_few_keeps_all() -> None:
    assert reject_threshold(np.array([[0.4, 0.6], [0.9, 0.1]]), np.ones(2)) == 0.6


@pytest.mark.parametrize(
    ("correct", "count", "expected"),
    [  # Newcombe, Statistics in Medicine 17, 1998, table I, method 3
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (81, 263, (0.2553, 0.3662)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_interval_has_known_values(correct: int, count: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(correct, count) == pytest.approx(expected, abs=1e-4)


def test_confusion_matrix_counts_labels_down() -> None:
    counts = confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 2, 2, 2]), 3)
    assert counts.tolist() == [[1, 0, 1], [0, 0, 1], [0, 0, 1]]
