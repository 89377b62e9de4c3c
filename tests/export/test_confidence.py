"""Temperature scaling of host and board: reliable confidences, the same decisions; the default threshold."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from export.confidence import (
    BERS,
    MAX_LOSS,
    PRIOR_IMAGES,
    calibrate,
    calibrate_board,
    choose_threshold,
    expected_calibration_error,
)
from tests.support.codec import ANSWERING, CLASSES, CONFIG, make_codec
from train.config import CodecConfig
from train.evaluate import encode, logits
from wire.answer import CONFIDENCES, FULL_WEIGHT, confidence_floor

# The host


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate in float32 on every CPU."""
    monkeypatch.setattr("train.evaluate.has_fast_bf16", lambda device: False)


@pytest.mark.parametrize("base", [CONFIG, ANSWERING], ids=["one head", "answering"])
def test_calibrate_reduces_overconfidence_and_keeps_decisions(base: CodecConfig) -> None:
    codec = make_codec(base=base)
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (200, 16, 16, 3), dtype=np.uint8)
    payload = encode(codec, images)
    # Labels drawn from the softmax of the codec's own logits: calibrated as it is, overconfident once they are scaled.
    with torch.no_grad():
        chances = F.softmax(logits(codec, payload, 0.0), 1).numpy()
        codec.scale_logits(0.25)
    labels = np.array([rng.choice(CLASSES, p=p / p.sum()) for p in chances.astype(float)])
    before = {ber: logits(codec, payload, ber) for ber in BERS}
    temperature = calibrate(codec, images, labels)
    assert 2.5 < temperature.value < 6.5
    assert temperature.loss_after < temperature.loss_before
    for ber in BERS:
        after = logits(codec, payload, ber)
        assert torch.equal(after.argmax(1), before[ber].argmax(1))
        assert torch.allclose(after * temperature.value, before[ber], rtol=1e-3, atol=1e-3)


# The board

STEP = 0.07  # logits per step of a score


def held_out(n: int, sharper: float, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Return scores int8 (n, classes), too sure by a factor, and labels (n,) drawn by the true probabilities."""
    rng = np.random.default_rng(0)
    true = rng.normal(0, 0.6, (n, classes))
    true[np.arange(n), rng.integers(0, classes, n)] += rng.uniform(0, 6, n)
    chances = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    labels = (chances.cumsum(1) > rng.random((n, 1))).argmax(1)
    scores = np.clip(np.rint(true * sharper / STEP) - 40, -128, 127).astype(np.int8)
    return scores, labels


@pytest.mark.parametrize("sharper", [0.5, 1.0, 1.6])
def test_calibrate_board_finds_the_temperature_and_makes_confidences_true(sharper: float) -> None:
    scores, labels = held_out(20_000, sharper)
    fitted = calibrate_board(scores, labels, STEP)
    assert fitted.temperature == pytest.approx(sharper, rel=0.1)
    assert fitted.error < 0.02
    if sharper != 1:
        assert fitted.error < 0.5 * fitted.error_before
    steps = np.arange(256) * STEP / fitted.temperature
    np.testing.assert_allclose(fitted.head.weights, FULL_WEIGHT * np.exp(-steps), atol=0.5)
    assert fitted.head.weights[0] == FULL_WEIGHT and (np.diff(fitted.head.weights.astype(int)) <= 0).all()
    assert fitted.head.weights.dtype == np.uint16


def test_calibrate_board_measures_the_probability_of_each_level() -> None:
    scores, labels = held_out(20_000, 1.5)
    fitted = calibrate_board(scores, labels, STEP)
    index, levels = fitted.head.answers(scores)
    np.testing.assert_array_equal(index, scores.argmax(1))
    for level in range(CONFIDENCES):
        chosen = levels == level
        if chosen.sum() > 300:
            assert fitted.head.probability[level] == pytest.approx((labels == index)[chosen].mean(), abs=0.02)
            assert confidence_floor(level) - 0.05 < fitted.head.probability[level]
    assert (levels >= 10).sum() > 300 and (levels < 5).sum() > 300
    assert (np.diff(fitted.head.probability) > -0.03).all()


def test_calibrate_board_keeps_decisions_and_order_of_confidences() -> None:
    """Unlike levels, one temperature cannot take one image for surer than another."""
    scores, labels = held_out(500, 2.0)
    fine, coarse = calibrate_board(scores, labels, STEP), calibrate_board(scores, labels, 3 * STEP)
    assert coarse.temperature == pytest.approx(3 * fine.temperature, rel=0.05)
    np.testing.assert_allclose(coarse.head.weights, fine.head.weights, atol=0.02 * FULL_WEIGHT)


def test_probability_of_a_level_without_images_is_the_middle_of_its_range() -> None:
    """Few images weigh little: a level that is always right on three images is not shown as 100 %."""
    scores = np.full((3, 10), -128, np.int8)
    scores[np.arange(3), np.arange(3)] = 127
    head = calibrate_board(scores, np.arange(3), STEP).head
    floors = [*(confidence_floor(level) for level in range(CONFIDENCES)), 1.0]
    middle = [(low + high) / 2 for low, high in pairwise(floors)]
    np.testing.assert_allclose(head.probability[1:-1], middle[1:-1], atol=1e-4)
    assert head.probability[15] == pytest.approx((3 + PRIOR_IMAGES * middle[15]) / (3 + PRIOR_IMAGES), abs=1e-4)
    wrong = calibrate_board(scores, (np.arange(3) + 1) % 10, STEP)
    assert wrong.head.probability.min() >= 0 and wrong.head.probability.max() <= 1


def test_expected_calibration_error_is_the_gap_of_confidence_and_accuracy() -> None:
    confident = torch.log(torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]]))
    # Of two images at 90 % one is correct, of two at 60 % both: (2 * |0.9 - 0.5| + 2 * |0.6 - 1|) / 4.
    assert expected_calibration_error(confident, torch.tensor([0, 1, 0, 0])) == pytest.approx(0.4, abs=1e-6)
    # In one bin, the gaps of opposite sign cancel: 0.75 on average, and 3 of 4 are correct.
    assert expected_calibration_error(confident, torch.tensor([0, 1, 0, 0]), bins=1) == pytest.approx(0, abs=1e-6)
    sure = torch.tensor([[1000.0, 0.0]])
    assert expected_calibration_error(sure, torch.tensor([0])) == 0
    assert expected_calibration_error(sure, torch.tensor([1])) == 1


# Threshold


def test_choose_threshold_takes_the_lowest_that_costs_hardly_anything() -> None:
    levels = np.repeat(np.arange(CONFIDENCES), 100)
    host = np.ones(1600, bool)
    board = levels >= 6  # always right from level 6 on, always wrong below
    assert choose_threshold(levels, board, host) == 6
    board[levels == 5] = np.arange(100) < 96  # 4 more errors of 1,600: 0.25 %
    assert choose_threshold(levels, board, host) == 5
    board[levels == 5] = np.arange(100) < 95  # 5 of 1,600: 0.31 %
    assert 4 / 1600 < MAX_LOSS < 5 / 1600 and choose_threshold(levels, board, host) == 6


def test_choose_threshold_is_0_where_the_board_is_as_good_as_the_host() -> None:
    levels = np.arange(1600) % CONFIDENCES
    board = np.arange(1600) % 3 > 0
    assert choose_threshold(levels, board, board) == 0
    assert choose_threshold(levels, np.ones(1600, bool), board) == 0
    assert choose_threshold(levels, np.zeros(1600, bool), np.zeros(1600, bool)) == 0


def test_choose_threshold_is_15_where_no_answer_can_be_trusted() -> None:
    """Even the surest answers cost too much: level 15 then answers the fewest images."""
    levels = np.repeat(np.arange(CONFIDENCES), 100)
    assert choose_threshold(levels, np.zeros(1600, bool), np.ones(1600, bool)) == 15


def test_choose_threshold_counts_images_on_which_the_board_is_better() -> None:
    levels = np.repeat([3, 9], 1000)
    host, board = np.arange(2000) % 10 > 0, np.arange(2000) % 10 < 9  # each errs on others, 10 % each
    assert choose_threshold(levels, board, host) == 0
    board[:1000] = False
    assert choose_threshold(levels, board, host) == 4


def test_choose_threshold_does_not_rise_with_empty_levels() -> None:
    levels = np.full(100, 12)
    assert choose_threshold(levels, np.zeros(100, bool), np.ones(100, bool)) == 13  # nothing is answered
    assert choose_threshold(levels, np.ones(100, bool), np.ones(100, bool)) == 0
