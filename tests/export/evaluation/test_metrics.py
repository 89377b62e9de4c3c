"""Tests of the metrics of predicted classes."""

import numpy as np
import pytest

from export.evaluation.metrics import Confusion, expected_calibration_error, sweep

LABELS = np.array([0, 0, 0, 0, 1, 1, 3, 3])
PREDICTED = np.array([0, 0, 1, 1, 1, 0, 3, 3])


def test_confusion_counts_by_true_and_predicted_class() -> None:
    confusion = Confusion.of(LABELS, PREDICTED, 4)
    assert confusion.counts.tolist() == [[2, 2, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 2]]
    assert confusion.accuracy == 5 / 8
    np.testing.assert_array_equal(confusion.per_class, [0.5, 0.5, np.nan, 1.0])
    assert confusion.most_confused(3) == [(0, 1, 2), (1, 0, 1)]
    assert confusion.most_confused(1) == [(0, 1, 2)]


def test_sweep_goes_from_answers_only_to_features_only() -> None:
    confidences = np.array([0, 5, 9, 15])
    board, host = np.array([False, False, True, True]), np.array([True, True, True, False])
    rows = sweep(confidences, board, host)
    assert [row.threshold for row in rows] == list(range(17))
    assert (rows[0].answered, rows[0].accuracy) == (1.0, 0.5)
    assert (rows[9].answered, rows[9].answered_accuracy, rows[9].accuracy) == (0.5, 1.0, 1.0)
    assert (rows[16].answered, rows[16].accuracy) == (0.0, 0.75) and rows[16].answered_accuracy is None


def test_calibration_error_weighs_levels_by_their_images() -> None:
    confidences = np.array([3, 3, 3, 3, 15, 15])
    correct = np.array([True, True, False, False, True, True])
    probability = np.zeros(16)
    probability[3], probability[15] = 0.75, 1.0
    assert expected_calibration_error(confidences, correct, probability) == pytest.approx(4 / 6 * 0.25)
