"""Other layouts of an answer: 9 and 10 bytes, and one byte behind a CRC with and without error correction.

Inkling's layouts are decoded to the nearest codeword that a known device can send, as the receiver does it, with the
limits of the receiver scaled to the length. The opponents are computed: a code of 63 bits that corrects t flips leaves
a packet damaged if more than t of its bits flip.
"""

from dataclasses import dataclass
from math import comb

import numpy as np

from benchmarks.answers.measure import BERS, OnProgress
from host.receive.matching import AHEAD, BEHIND, FALSE_ANSWER_PER_PACKET, KNOWN_HEADER_MAX_FLIPS, MIN_LEAD
from wire import bch
from wire.answer import ANSWER_BITS, CONFIDENCES, answer_word
from wire.frame import SEQUENCES, answer_part, header_part

BLOCK_BITS = 8 * bch.BLOCK_BYTES
ORDINARY_BITS = 8 * (3 + 1 + 2)  # header of 3 bytes, class, CRC-16
# BCH(63,45): 20 bits of header, 12 of class and 13 of CRC in the 8 bytes of an answer frame.
CORRECTED_BITS, CORRECTED_FLIPS = 63, 3


@dataclass(frozen=True)
class Layout:
    """An answer frame with some of the answer word's 16 bits after it."""

    title: str
    extra_bits: int  # 0, 8 or 16

    def codewords(self, sequences: np.ndarray, n_classes: int) -> np.ndarray:
        """Return the codewords of all answers with these sequence numbers: uint64 (answers, 2)."""
        sequence, index, confidence = np.meshgrid(
            sequences, np.arange(n_classes), np.arange(CONFIDENCES), indexing="ij"
        )
        words = header_part(np.ones_like(sequence), sequence, np.full_like(sequence, 10)) | answer_part(
            index, confidence
        )
        extra = answer_word(index, confidence) >> (ANSWER_BITS - self.extra_bits)
        if not self.extra_bits:
            extra = np.zeros_like(index)
        return np.stack([bch.ANSWER.codewords(words.ravel()), extra.ravel().astype(np.uint64)], axis=1)


LAYOUTS = (
    Layout("8 bytes", 0),
    Layout("9 bytes: and 8 bits of class code", 8),
    Layout("10 bytes: and the answer word", 16),
)


def known_device(layout: Layout, n_classes: int, ber: float, frames: int, seed: int, done: OnProgress) -> dict:
    """Return the shares of right, wrong, lost and unsure answers of a known device."""
    rng = np.random.default_rng([seed, n_classes, layout.extra_bits])
    window = np.arange(-BEHIND, AHEAD + 1) % SEQUENCES
    codewords = layout.codewords(window, n_classes)
    classes = np.tile(np.repeat(np.arange(n_classes), CONFIDENCES), len(window))
    per_image = n_classes * CONFIDENCES
    limit = min(
        KNOWN_HEADER_MAX_FLIPS * (BLOCK_BITS + layout.extra_bits) // BLOCK_BITS,
        bch.max_flips(BLOCK_BITS + layout.extra_bits, len(codewords), FALSE_ANSWER_PER_PACKET),
    )
    right = wrong = lost = unsure = 0
    for _ in range(frames):
        sent = (BEHIND + 1) * per_image + int(rng.integers(per_image))  # the next sequence number
        flips = np.array(
            [_random_flips(rng, ber, BLOCK_BITS), _random_flips(rng, ber, layout.extra_bits)], dtype=np.uint64
        )
        different = codewords ^ (codewords[sent] ^ flips)
        distances = bch.weights(different[:, 0]).astype(int) + bch.weights(different[:, 1])
        best = int(distances.argmin())
        near = distances < distances[best] + MIN_LEAD
        other_image = (np.flatnonzero(near) // per_image != best // per_image).any()
        done(1)
        if distances[best] > limit or other_image:
            lost += 1
            continue
        is_right = classes[best] == classes[sent] and best // per_image == sent // per_image
        right, wrong = right + is_right, wrong + (not is_right)
        unsure += (classes[near] != classes[best]).any()
    return {
        key: int(count) / frames
        for key, count in (("right", right), ("wrong", wrong), ("lost", lost), ("unsure", unsure))
    }


def opponents() -> dict[str, dict[str, float]]:
    """Return the share of packets that are lost, by BER, of one byte behind a CRC, plain and in a BCH code."""
    return {
        f"CRC-16, {ORDINARY_BITS // 8} bytes": {f"{ber:g}": _damaged(ORDINARY_BITS, 0, ber) for ber in BERS},
        "CRC-13 in BCH(63,45), 8 bytes": {f"{ber:g}": _damaged(CORRECTED_BITS, CORRECTED_FLIPS, ber) for ber in BERS},
    }


def _damaged(bits: int, most: int, ber: float) -> float:
    """Return the probability that more than `most` of some bits flip."""
    return 1 - sum(comb(bits, k) * ber**k * (1 - ber) ** (bits - k) for k in range(most + 1))


def _random_flips(rng: np.random.Generator, ber: float, bits: int) -> int:
    return sum(1 << int(i) for i in np.flatnonzero(rng.random(bits) < ber))
