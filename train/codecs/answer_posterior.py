"""The board's answer as the host weighs it: a received 16-bit word -> probabilities of what was sent.

Class and confidence are sent as codewords; over a binary symmetric channel of bit flip probability p, a codeword at
distance d from the received bits was sent with probability proportional to (p / (1 - p))^d.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wire.answer import ANSWER_BITS, CLASS_BITS, CONFIDENCES, answer_word, confidence_floor
from wire.model import MAX_BER, MIN_BER


def log_odds(ber: Tensor) -> Tensor:
    """Return the log-likelihood ratio (B,) of one more bit flip at BER (B,), which is clamped to [1e-4, 0.5]."""
    p = ber.clamp(MIN_BER, MAX_BER)
    return torch.log(p / (1 - p))


def answer_words(classes: int) -> Tensor:
    """Return the answer words int64 (classes, 16) of all class indices and confidence levels."""
    return torch.from_numpy(answer_word(np.arange(classes)[:, None], np.arange(CONFIDENCES)))


class AnswerPosterior(nn.Module):
    """Posterior of class and confidence level, given the received answer word and the BER."""

    classes: Tensor
    levels: Tensor
    weights: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        words = answer_words(classes)
        self.register_buffer("classes", _bits(words[:, 0])[:, :CLASS_BITS].contiguous())  # (C, 12)
        self.register_buffer("levels", _bits(words[0])[:, CLASS_BITS:].contiguous())  # (16, 4)
        self.register_buffer("weights", 2 ** torch.arange(ANSWER_BITS - 1, -1, -1))

    def forward(self, answer: Tensor, ber: Tensor) -> tuple[Tensor, Tensor]:
        """Map answer words (B,) int64, -1 where missing, at BER (B,) to P(class) (B, C) and P(level) (B, 16).

        Both are 0 without an answer.
        """
        bits = (answer.clamp_min(0)[:, None] // self.weights % 2).to(ber.dtype)  # (B, 16)
        odds = log_odds(ber)[:, None]
        present = (answer >= 0).to(ber.dtype)[:, None]
        by_class = F.softmax(_distances(bits[:, :CLASS_BITS], self.classes) * odds, 1)
        by_level = F.softmax(_distances(bits[:, CLASS_BITS:], self.levels) * odds, 1)
        return by_class * present, by_level * present


class AnswerDecoder(nn.Module):
    """Decoder of payloads without symbols, of a board that classifies alone: the posterior of the answer."""

    correct: Tensor
    temperature: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.posterior = AnswerPosterior(classes)
        floors = torch.tensor([confidence_floor(level) for level in range(CONFIDENCES)] + [1.0])
        floors = floors.clamp_min(1 / classes)  # the top class is at least as probable as the others
        self.register_buffer("correct", (floors[1:] + floors[:-1]) / 2)  # P(answer is correct) by level (16,)
        self.register_buffer("temperature", torch.tensor(1.0))
        self.others = max(1, classes - 1)

    def forward(self, symbols: Tensor, ber: Tensor, answer: Tensor, centres: Tensor) -> Tensor:
        """Map BER (B,) and answer words (B,) int64, -1 where missing, to logits (B, classes)."""
        by_class, by_level = self.posterior(answer, ber)
        correct = (by_level @ self.correct)[:, None]
        missing = (answer < 0).to(ber.dtype)[:, None]  # then all classes are equally likely
        likely = by_class * correct + (1 - by_class) * (1 - correct) / self.others
        return torch.log(likely * (1 - missing) + missing) / self.temperature

    def fold(self) -> None:
        """Do nothing: there is no batch norm."""

    def scale_logits(self, temperature: float) -> None:
        """Divide all logits by a temperature."""
        self.temperature.mul_(temperature)


def _distances(bits: Tensor, codewords: Tensor) -> Tensor:
    """Return Hamming distances (B, K) of bits (B, n) and codewords (K, n), both float 0 and 1."""
    return bits @ (1 - codewords).T + (1 - bits) @ codewords.T


def _bits(words: Tensor) -> Tensor:
    """Return the bits (N, 16) float of words (N,), most significant first."""
    return (words[:, None] >> torch.arange(ANSWER_BITS - 1, -1, -1) & 1).float()
