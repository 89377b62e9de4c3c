"""Convolutional code of constraint length 9 and rate 1/2, and its Viterbi decoder, vectorised over packets.

The generators are 561 and 753 in octal: the code of free distance 12 that IS-95 and many modems use (Proakis, Digital
Communications, table 8.2-1). Eight zero bits after the data end each packet in state 0. The maintained Python library
with such a decoder, komm, is licensed under the GPL and decodes packets one by one.
"""

import numpy as np

GENERATORS = (0o561, 0o753)
TAIL_BITS = 8  # the constraint length less one
STATES = 1 << TAIL_BITS
# Packets decoded together: their path metrics stay in a core's cache, and their survivors are not paged in anew.
BLOCK = 128


def coded_bits(data_bits: int) -> int:
    """Return the number of bits that a packet of so many data bits takes."""
    return 2 * (data_bits + TAIL_BITS)


def _outputs() -> np.ndarray:
    """Return the two coded bits, most significant first, at input 0 in each even state: int64 (STATES / 2,).

    A state holds the last 8 bits, the newest one on top. Both generators have a tap at either end, so that another
    input bit, or another oldest bit, inverts both coded bits.
    """
    registers = range(0, STATES, 2)
    return np.array([[(r & g).bit_count() & 1 for g in GENERATORS] for r in registers]) @ np.array([2, 1])


_OUTPUTS = _outputs()


def encode(data: np.ndarray) -> np.ndarray:
    """Encode bits uint8 (n, k) to coded bits uint8 (n, coded_bits(k)), both of each step side by side."""
    n, k = data.shape
    padded = np.pad(data.astype(np.uint8), ((0, 0), (TAIL_BITS, TAIL_BITS)))
    coded = np.zeros((n, k + TAIL_BITS, 2), np.uint8)
    for i, generator in enumerate(GENERATORS):
        for age in range(TAIL_BITS + 1):  # the newest bit stands at the top of the register
            if generator >> (TAIL_BITS - age) & 1:
                coded[:, :, i] ^= padded[:, TAIL_BITS - age : TAIL_BITS - age + k + TAIL_BITS]
    return coded.reshape(n, -1)


def decode(llr: np.ndarray) -> np.ndarray:
    """Return the most likely bits uint8 (n, k) for log-likelihood ratios log P(0) / P(1) of coded bits.

    llr: (n, coded_bits(k)) of any float type; for hard decisions +1 for a 0 and -1 for a 1, in int16 to be faster.
    """
    n, length = llr.shape
    out = np.empty((n, length // 2 - TAIL_BITS), np.uint8)
    for first in range(0, n, BLOCK):
        part = slice(first, first + BLOCK)
        out[part] = _decode_block(llr[part].astype(np.int16 if llr.dtype == np.int16 else np.float32))
    return out


def _decode_block(llr: np.ndarray) -> np.ndarray:
    """Decode some packets: llr (n, 2 T) float32 or int16. States come first in all arrays, packets last."""
    n, steps = len(llr), llr.shape[1] // 2
    # At first, only state 0 is possible. In int16, half of the range is left for the sums of 8,000 steps.
    metrics = np.full((STATES, n), -(1 << 14) if llr.dtype == np.int16 else -np.inf, llr.dtype)
    metrics[0] = 0
    chosen = np.empty((steps, STATES, n), bool)  # True: from the predecessor whose oldest bit is 1
    half = STATES // 2
    for t in range(steps):
        a, b = llr[:, 2 * t], llr[:, 2 * t + 1]
        branch = np.stack([a + b, a - b, b - a, -a - b])[_OUTPUTS]  # (half, n), of the even state at input 0
        even, odd = metrics[::2], metrics[1::2]
        metrics = np.empty((STATES, n), llr.dtype)
        for new, from_even, from_odd in (
            (slice(0, half), even + branch, odd - branch),  # input 0
            (slice(half, STATES), even - branch, odd + branch),  # input 1
        ):
            np.greater(from_odd, from_even, out=chosen[t, new])
            np.maximum(from_even, from_odd, out=metrics[new])
    state, packets = np.zeros(n, np.int64), np.arange(n)
    bits = np.empty((n, steps), np.uint8)
    for t in range(steps - 1, -1, -1):
        bits[:, t] = state >> (TAIL_BITS - 1)
        state = (state << 1 & (STATES - 1)) | chosen[t, state, packets]
    return bits[:, : steps - TAIL_BITS]
