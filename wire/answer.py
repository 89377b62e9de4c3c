"""The board's answer: a class and a confidence level, from class scores by integer arithmetic, and as a 16-bit word.

The confidence level q is the number of fixed floors that the calibrated probability p of the top class reaches: level
q = 1..15 begins at p = 1 / (1 + exp(-(q - 3) / 2)), from 27 % to 99.75 %. The board's scores are int8, so p is
32768 / S with S a sum of table entries, and p reaches a floor exactly if S is at most a constant of `BOUNDS`.
"""

import math
from dataclasses import dataclass

import numpy as np

from wire.payload import Levels, gray

CLASS_BITS, CONFIDENCE_BITS = 12, 4
ANSWER_BITS = CLASS_BITS + CONFIDENCE_BITS  # of the answer word that begins a payload
MAX_CLASSES, CONFIDENCES = 1 << CLASS_BITS, 1 << CONFIDENCE_BITS
FULL_WEIGHT = 1 << 15  # weight of a score that equals the top score
# Codewords of the bits of a class index, lowest bit first. The first 4 span a code of minimum distance 6, the first 7
# one of distance 4, the first 11 one of distance 2, so that a small number of classes are far apart.
CLASS_ROWS = (1148, 1477, 2785, 1811, 15, 101, 149, 3, 5, 17, 33, 1)
# Level q is reached if the sum of weights is at most BOUNDS[q - 1] = floor(FULL_WEIGHT / confidence_floor(q)).
BOUNDS = (
    121840, 86793, 65536, 52642, 44822, 40079, 37202, 35457, 34399, 33757, 33368, 33132, 32988, 32901, 32849,
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """The class that a board assigns to an image, and its confidence. Raises ValueError if one is out of range."""

    index: int  # of the class, 0..4095
    confidence: int  # level, 0..15

    def __post_init__(self) -> None:
        for name, value, limit in (
            ("class index", self.index, MAX_CLASSES),
            ("confidence level", self.confidence, CONFIDENCES),
        ):
            if not 0 <= value < limit:
                raise ValueError(f"the {name} of an answer must be 0..{limit - 1}, got {value}")

    @property
    def word(self) -> int:
        """The 16-bit answer word, as a payload carries it."""
        return answer_word(self.index, self.confidence)


@dataclass(frozen=True, eq=False)
class AnswerHead:
    """The calibration of a board's class scores.

    `weights[d]` is FULL_WEIGHT times exp of the difference of two logits that are d steps of int8 apart.
    """

    weights: np.ndarray  # (256,) uint16, not increasing, from FULL_WEIGHT
    probability: np.ndarray  # (16,) float64: measured share of correct answers at each confidence level

    def answers(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map class scores int8 (N, C) to class indices (N,) int64 and confidence levels (N,) int64.

        Of equal top scores, the first one wins.
        """
        wide = np.asarray(scores).astype(np.int64)
        sums = self.weights.astype(np.int64)[wide.max(axis=-1, keepdims=True) - wide].sum(axis=-1)
        return wide.argmax(axis=-1), (sums[..., None] <= np.array(BOUNDS)).sum(axis=-1)


def confidence_floor(level: int) -> float:
    """Return the probability at which a confidence level, 0..15, begins."""
    return 1 / (1 + math.exp(-(level - 3) / 2)) if level else 0.0


def class_code(index: Levels) -> Levels:
    """Return the 12-bit codeword of a class index, or of an array of class indices of at least 16 bits.

    The code is linear. A receiver needs no inverse: it compares with the codewords of all classes.
    """
    code = index & 0
    for bit, row in enumerate(CLASS_ROWS):
        code = code ^ (index >> bit & 1) * row
    return code


def answer_word(index: Levels, confidence: Levels) -> Levels:
    """Return the 16-bit answer word of a class index and a confidence level, or of arrays of them.

    The class code comes first. Neighbouring confidence levels differ in one bit.
    """
    return class_code(index) << CONFIDENCE_BITS | gray(confidence)
