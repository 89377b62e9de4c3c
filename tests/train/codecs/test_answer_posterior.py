"""The board's answer on the host: the posterior against Bayes' rule by brute force over all words, and the decoder."""

import numpy as np
import pytest
import torch

from train.codecs.answer_posterior import AnswerDecoder, AnswerPosterior
from wire.answer import ANSWER_BITS, CONFIDENCES, answer_word, confidence_floor

BERS = (1e-4, 1e-3, 0.02, 0.1, 0.3, 0.5)


def words(classes: int) -> np.ndarray:
    """Return the words (classes, 16) that a board can send."""
    return np.array([[answer_word(index, level) for level in range(CONFIDENCES)] for index in range(classes)])


def brute_force(classes: int, received: int, ber: float) -> np.ndarray:
    """Return P(class, level | received word), (classes, 16), from every word that may have been sent, all as likely."""
    flipped = np.vectorize(lambda word: int(word ^ received).bit_count())(words(classes))
    joint = ber**flipped * (1 - ber) ** (ANSWER_BITS - flipped)
    return joint / joint.sum()


def of(classes: int, received: list[int], ber: float) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        by_class, by_level = AnswerPosterior(classes)(torch.tensor(received), torch.full((len(received),), ber))
    return by_class.double().numpy(), by_level.double().numpy()


@pytest.mark.parametrize("ber", BERS)
@pytest.mark.parametrize("classes", [1, 2, 10, 37])
def test_posterior_of_flipped_words_follows_bayes_rule_over_all_words(classes: int, ber: float) -> None:
    rng = np.random.default_rng(classes)
    sent = rng.choice(words(classes).ravel(), 40)
    flips = (rng.random((40, ANSWER_BITS)) < ber) @ (1 << np.arange(ANSWER_BITS))
    received = [*(sent ^ flips).tolist(), 0, 0xFFFF, *rng.integers(0, 1 << ANSWER_BITS, 20).tolist()]
    by_class, by_level = of(classes, received, ber)
    for row, word in enumerate(received):
        joint = brute_force(classes, word, ber)
        np.testing.assert_allclose(by_class[row], joint.sum(1), rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(by_level[row], joint.sum(0), rtol=1e-3, atol=1e-6)


def test_posterior_of_every_intact_word_is_certain_of_class_and_level() -> None:
    every = words(12)
    by_class, by_level = of(12, every.ravel().tolist(), 1e-4)
    np.testing.assert_array_equal(by_class.argmax(1).reshape(12, 16), np.arange(12)[:, None] + np.zeros(16))
    np.testing.assert_array_equal(by_level.argmax(1).reshape(12, 16), np.arange(16)[None] + np.zeros((12, 1)))
    assert by_class.max(1).min() > 0.999 and by_level.max(1).min() > 0.999


def test_posterior_of_missing_answer_is_zero() -> None:
    by_class, by_level = of(10, [-1, 17, -1], 0.01)
    np.testing.assert_array_equal(by_class.sum(1).round(6), [0, 1, 0])
    np.testing.assert_array_equal(by_level.sum(1).round(6), [0, 1, 0])


@pytest.mark.parametrize(("ber", "same_as"), [(0.0, 1e-4), (-1.0, 1e-4), (0.7, 0.5), (1.0, 0.5)])
def test_posterior_clamps_ber(ber: float, same_as: float) -> None:
    for one, other in zip(of(10, [1234], ber), of(10, [1234], same_as), strict=True):
        np.testing.assert_array_equal(one, other)


# The decoder of a board that classifies alone


def decided(classes: int, received: list[int], ber: float) -> np.ndarray:
    """Return the probabilities (N, classes) that AnswerDecoder gives; it has no symbols and no centres to look at."""
    with torch.no_grad():
        logits = AnswerDecoder(classes)(
            torch.zeros(len(received), 0, dtype=torch.int64),
            torch.full((len(received),), ber),
            torch.tensor(received),
            torch.zeros(8),
        )
    return torch.softmax(logits, 1).double().numpy()


@pytest.mark.parametrize("classes", [2, 3, 5, 10, 100])
def test_answer_decoder_decides_for_the_answer_at_every_level(classes: int) -> None:
    """Also at levels that a calibrated head of few classes never has, below 1 / classes."""
    every = words(classes)
    for level in range(CONFIDENCES):
        given = decided(classes, every[:, level].tolist(), 1e-4)
        floor, end = (max(confidence_floor(q) if q < CONFIDENCES else 1.0, 1 / classes) for q in (level, level + 1))
        np.testing.assert_allclose(given.diagonal(), (floor + end) / 2, atol=2e-3)
        if end > 1 / classes:
            np.testing.assert_array_equal(given.argmax(1), np.arange(classes))


@pytest.mark.parametrize("ber", BERS)
def test_answer_decoder_of_flipped_words_weighs_every_word_that_may_have_been_sent(ber: float) -> None:
    rng = np.random.default_rng(0)
    received = rng.integers(0, 1 << ANSWER_BITS, 50).tolist()
    floors = np.array([max(confidence_floor(q), 0.1) for q in range(CONFIDENCES)] + [1.0])
    correct = (floors[1:] + floors[:-1]) / 2
    for given, word in zip(decided(10, received, ber), received, strict=True):
        joint = brute_force(10, word, ber)  # class and level are independent: the code of a word is of two parts
        by_class, right = joint.sum(1), joint.sum(0) @ correct
        np.testing.assert_allclose(given, by_class * right + (1 - by_class) * (1 - right) / 9, rtol=1e-3, atol=1e-6)


def test_answer_decoder_without_answer_has_no_opinion() -> None:
    np.testing.assert_allclose(decided(10, [-1, -1], 0.01), 0.1, rtol=1e-5)
    assert np.isfinite(decided(1, [-1, 0, 99], 0.01)).all()


def test_answer_decoder_scales_its_logits() -> None:
    decoder = AnswerDecoder(10)
    given = torch.zeros(2, 0), torch.tensor([1e-3, 0.1]), torch.tensor([answer_word(3, 12), 777]), torch.zeros(8)
    before = decoder(*given)
    decoder.fold()
    decoder.scale_logits(2.0)
    decoder.scale_logits(1.5)
    torch.testing.assert_close(decoder(*given) * 3.0, before)
