"""The board's answer: class code, confidence levels, answer words and their vectors."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.wire import make_vectors
from wire import answer
from wire.answer import Answer, AnswerHead, answer_word, class_code, confidence_floor
from wire.payload import gray

VECTORS = json.loads(make_vectors.PATH.read_text(encoding="utf-8"))
LEVELS = range(1, 16)


def head(steps_per_unit: float) -> AnswerHead:
    """Return the answer head of scores with this number of int8 steps per unit of a logit."""
    weights = np.round(answer.FULL_WEIGHT * np.exp(-np.arange(256) / steps_per_unit))
    return AnswerHead(weights.astype(np.uint16), np.zeros(16))


@pytest.mark.parametrize(("bits", "distance"), [(1, 6), (4, 6), (5, 4), (7, 4), (8, 2), (11, 2), (12, 1)])
def test_class_code_minimum_distance(bits: int, distance: int) -> None:
    """The code is linear, so its minimum distance is the least weight of a codeword that is not 0."""
    codes = class_code(np.arange(1 << bits))
    assert codes[0] == 0 and codes.max() < 1 << 12
    assert min(int(code).bit_count() for code in codes[1:]) == distance
    assert len(set(codes.tolist())) == 1 << bits


def test_class_code_is_linear() -> None:
    index = np.arange(4096)
    for bit, row in enumerate(answer.CLASS_ROWS):
        assert (class_code(index ^ 1 << bit) == class_code(index) ^ row).all()


def test_answer_word_of_arrays_equals_single() -> None:
    index, confidence = np.meshgrid(np.arange(0, 4096, 37), np.arange(16))
    words = answer_word(index, confidence)
    assert words.tolist() == [
        [Answer(int(i), int(q)).word for i, q in zip(*rows, strict=True)]
        for rows in zip(index, confidence, strict=True)
    ]
    assert words[5, 0] == gray(5) and words[0, 1] == class_code(37) << 4
    assert (answer_word(index.astype(np.uint16), confidence.astype(np.uint16)) == words).all()


def test_answer_words_of_all_answers_differ() -> None:
    index, confidence = np.meshgrid(np.arange(4096), np.arange(16))
    assert np.array_equal(np.sort(answer_word(index, confidence).ravel()), np.arange(1 << 16))


@pytest.mark.parametrize(
    ("index", "confidence", "message"),
    [
        (4096, 0, r"class index of an answer must be 0\.\.4095, got 4096"),
        (-1, 0, "got -1"),
        (0, 16, r"confidence level of an answer must be 0\.\.15, got 16"),
        (0, -1, "got -1"),
    ],
)
def test_answer_refuses_field_out_of_range(index: int, confidence: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Answer(index, confidence)


def test_bounds_follow_floors() -> None:
    assert confidence_floor(0) == 0
    for level in LEVELS:
        assert confidence_floor(level) == pytest.approx(1 / (1 + math.exp(-(level - 3) / 2)))
        assert answer.BOUNDS[level - 1] == math.floor(32768 * (1 + math.exp(-(level - 3) / 2)))
        assert answer.BOUNDS[level - 1] == math.floor(answer.FULL_WEIGHT / confidence_floor(level))
    assert list(answer.BOUNDS) == sorted(answer.BOUNDS, reverse=True)


@pytest.mark.parametrize("level", LEVELS)
def test_level_begins_at_its_bound(level: int) -> None:
    """One other class with the weight that makes the sum the bound, and one more. Low levels need more classes."""
    others = 1 + (answer.BOUNDS[level - 1] - answer.FULL_WEIGHT - 1) // answer.FULL_WEIGHT
    rest = answer.BOUNDS[level - 1] - answer.FULL_WEIGHT - (others - 1) * answer.FULL_WEIGHT
    for more, expected in ((0, level), (1, level - 1)):
        weights = np.zeros(256, np.uint16)
        weights[:2] = answer.FULL_WEIGHT, rest + more
        scores = np.array([[0] * others + [-1]], np.int8)
        _, confidence = AnswerHead(weights, np.zeros(16)).answers(scores)
        assert confidence.tolist() == [expected]


@given(arrays(np.int8, st.tuples(st.integers(1, 5), st.integers(1, 40)), elements=st.integers(-128, 127)))
def test_answers_are_softmax_levels(scores: np.ndarray) -> None:
    """Where the probability is not within the rounding of the weights from a floor, the level is the floors reached."""
    index, confidence = head(6.5).answers(scores)
    logits = scores / 6.5
    top = 1 / np.exp(logits - logits.max(1, keepdims=True)).sum(1)
    floors = np.array([confidence_floor(level) for level in LEVELS])
    assert index.tolist() == [row.tolist().index(max(row)) for row in scores]
    clear = np.abs(top[:, None] - floors).min(1) > 0.5 * scores.shape[1] / answer.FULL_WEIGHT
    assert (confidence == (top[:, None] >= floors).sum(1))[clear].all()


def test_answers_of_extreme_scores() -> None:
    scores = np.array([[-128] * 4096, [127, *[-128] * 4095]], np.int8)
    index, confidence = head(1.0).answers(scores)
    assert (index.tolist(), confidence.tolist()) == ([0, 0], [0, 15])
    assert index.dtype == confidence.dtype == np.int64


def test_answers_match_vectors() -> None:
    known = AnswerHead(np.array(VECTORS["answer_weights"], np.uint16), np.zeros(16))
    for vector in VECTORS["confidences"]:
        index, confidence = known.answers(np.array([vector["scores"]], np.int8))
        assert (index[0], confidence[0]) == (vector["index"], vector["confidence"])
    assert {vector["confidence"] for vector in VECTORS["confidences"]} >= {0, *range(3, 16)}
