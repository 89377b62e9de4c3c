"""Combination of an image's frames: chunks side by side, copies weighted by the reliability of each bit."""

from functools import lru_cache
from math import log

import numpy as np

from host.keys.policy import Auth
from host.receive.events import AnswerFrame, FeatureFrame, nearest_answer, received_symbols, received_word
from host.receive.matching import MIN_LEAD
from wire.answer import ANSWER_BITS, CONFIDENCES, Answer
from wire.model import MAX_BER, Model

# Limit of a bit's log-likelihood ratio, so that the sum over copies stays bounded. e^-40 is far below the probability
# of an error that a CRC misses.
MAX_LLR = 40.0
# No copy of an answer is trusted more than at this bit error rate: radios flip bits in bursts.
MIN_ANSWER_BER = 0.1
# An answer is unsure if another class is not e^7.7 times less likely. For one copy, that is a lead under MIN_LEAD (half
# a flip less, because of rounding).
MIN_ANSWER_LEAD = (MIN_LEAD - 0.5) * log((1 - MIN_ANSWER_BER) / MIN_ANSWER_BER)


class ImageBits:
    """Bits of one image, each with its log-likelihood ratio log P(bit = 0) / P(bit = 1).

    A bit received over a binary symmetric channel of bit error rate p has the ratio +-log((1 - p) / p), and those of
    independent copies add up (Hagenauer, Offer & Papke, IEEE Trans. Inf. Theory 42, 1996). Unlike in a majority vote, a
    copy over a good link outweighs several over bad ones. Copies made after the damage are not independent and get too
    much weight. The answer frames of the image add up in the same way, over the answers that the board can give. The
    bits of a frame that is authentic to the last bit are certain: no other frame changes them.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        # Of the answer bits, if the model has an answer head, then of the bits of the symbols.
        self._llr = np.zeros(model.answer_bits + model.n_symbols * model.bits_per_symbol)
        self._received = np.zeros(len(self._llr), bool)
        self._certain = np.zeros(len(self._llr), bool)
        self._auth = Auth.FULL  # the least of all frames
        self._costs = np.zeros(model.class_count * CONFIDENCES)  # of each answer, in answer frames: -log-likelihood
        self._answers = 0
        self._only: tuple[FeatureFrame, float] | None = None  # the first frame, while there is nothing to combine
        self.frames = 0

    @property
    def has_features(self) -> bool:
        """True if a feature frame has been added."""
        return self.frames > self._answers

    def add(self, frame: FeatureFrame | AnswerFrame, ber: float) -> None:
        """Add a frame of this image. `ber` is the probability that a bit of its payload is wrong."""
        self.frames += 1
        self._auth = min(self._auth, frame.auth)
        if self._only is not None:
            self._add_features(*self._only)
            self._only = None
        if isinstance(frame, AnswerFrame):
            self._answers += 1
            p = max(ber, MIN_ANSWER_BER)
            self._costs += frame.distances * log((1 - p) / p)
        elif self.frames == 1 and ber < MAX_BER:  # most images have a single frame
            self._only = frame, ber
        else:
            self._add_features(frame, ber)

    def _add_features(self, frame: FeatureFrame, ber: float) -> None:
        answer_bits = self._model.answer_bits
        first = answer_bits + self._model.chunk_symbols(frame.chunk)[0] * self._model.bits_per_symbol
        received = frame.bits >= 0
        signs = np.where(received, 1 - 2 * frame.bits.astype(float), 0.0)
        ratios = signs * log((1 - ber) / ber)
        for start, part in ((0, slice(answer_bits)), (first, slice(answer_bits, len(frame.bits)))):
            place = slice(start, start + len(ratios[part]))
            if frame.auth == Auth.FULL:
                self._llr[place], self._certain[place] = MAX_LLR * signs[part], True
            else:
                added = np.where(self._certain[place], 0.0, ratios[part])
                self._llr[place] = np.maximum(np.minimum(self._llr[place] + added, MAX_LLR), -MAX_LLR)
            self._received[place] |= received[part]

    def symbols(self) -> np.ndarray:
        """Return the symbols (S,) int64 of the likelier bits, -1 where bits are missing."""
        if not self.has_features:
            return np.full(self._model.n_symbols, -1, np.int64)
        if self._only is not None:
            return self._only[0].symbols
        bits = np.where(self._received, self._llr < 0, -1).astype(np.int8)
        return received_symbols(bits[self._model.answer_bits :], self._model.bits_per_symbol)

    def answer_word(self) -> int:
        """Return the answer word of the likelier bits, by all frames; NO_ANSWER if one of them is missing."""
        answer_bits = self._model.answer_bits
        if self._only is not None:
            return received_word(self._only[0].bits[:answer_bits])
        llr, received = self._llr[:answer_bits], self._received[:answer_bits]
        if self._answers:
            llr, received = llr + _bit_ratios(self._costs), np.ones(answer_bits, bool)
        return received_word(np.where(received, llr < 0, -1))

    def answer(self) -> tuple[Answer, bool]:
        """Return the likeliest answer by the answer frames, and True if its class is unsure."""
        answer, lead = nearest_answer(self._costs)
        return answer, lead < MIN_ANSWER_LEAD

    def auth(self) -> Auth:
        """Return how much of the image is authentic: FULL if frames that are FULL determine all that was received."""
        if self._only is not None or self._auth != Auth.HEADER:
            return self._auth
        return Auth.HEADER if (self._received & ~self._certain).any() else Auth.FULL

    def ber(self) -> float:
        """Return the remaining bit error rate: the mean probability that a received bit of a symbol is wrong.

        For a single frame it is the frame's own.
        """
        if self._only is not None:
            return self._only[1]
        symbol_bits = slice(self._model.answer_bits, None)
        odds = np.exp(-np.abs(self._llr[symbol_bits][self._received[symbol_bits]]))
        return float(np.mean(odds / (1 + odds)))


def _bit_ratios(costs: np.ndarray) -> np.ndarray:
    """Return the log-likelihood ratios (ANSWER_BITS,) of the bits of an answer word, given the costs of the answers."""
    likelihoods, words = np.exp(costs.min() - costs), _words(len(costs))
    with np.errstate(divide="ignore"):  # a bit may be equal in all answers
        return np.clip(np.log(likelihoods @ (1 - words)) - np.log(likelihoods @ words), -MAX_LLR, MAX_LLR)


@lru_cache(maxsize=16)
def _words(count: int) -> np.ndarray:
    """Return the bits (count, ANSWER_BITS) of the answer words of all answers."""
    words = np.array([Answer(*divmod(k, CONFIDENCES)).word for k in range(count)])
    return (words[:, None] >> np.arange(ANSWER_BITS)[::-1] & 1).astype(np.float64)
