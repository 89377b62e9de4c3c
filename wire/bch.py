"""BCH(63,24) code of the frame header, t = 7.

Narrow-sense and binary over GF(64) with primitive polynomial x^6 + x + 1; minimum distance 15. A block is 8
bytes: 24 message bits, 39 parity bits, one 0 bit, each most significant first. Decoding is Berlekamp-Massey
and a Chien search (Lin & Costello, *Error Control Coding*, chapter 6).
"""

from itertools import zip_longest

import numpy as np
from numpy.typing import ArrayLike

N_BITS = 63
WORD_BITS = 24
PARITY_BITS = N_BITS - WORD_BITS
BLOCK_BYTES = 8
MAX_ERRORS = 7
# Least common multiple of the minimal polynomials of a, a^3, ..., a^13; bit i is the coefficient of x^i.
GENERATOR = 0xF6_9A_C2_09_21

_PRIMITIVE = 0b1000011  # x^6 + x + 1
_ORDER = 63


def _field() -> tuple[list[int], list[int]]:
    """Return the powers of a (two periods, which saves a modulo in products) and their logarithms."""
    exp, log, value = [0] * (2 * _ORDER), [0] * (_ORDER + 1), 1
    for power in range(_ORDER):
        exp[power] = exp[power + _ORDER] = value
        log[value] = power
        value <<= 1
        if value > _ORDER:
            value ^= _PRIMITIVE
    return exp, log


_EXP, _LOG = _field()
# Row i: contribution of an error in the coefficient of x^i to the syndromes S_1..S_14.
_SYNDROMES = np.array(
    [[_EXP[i * j % _ORDER] for j in range(1, 2 * MAX_ERRORS + 1)] for i in range(N_BITS)], dtype=np.uint8
)


def _codeword(word: int) -> int:
    """Return 63 bits: the word times x^39, plus the remainder of dividing that by the generator."""
    remainder = word << PARITY_BITS
    for bit in range(N_BITS - 1, PARITY_BITS - 1, -1):
        if remainder >> bit & 1:
            remainder ^= GENERATOR << (bit - PARITY_BITS)
    return word << PARITY_BITS | remainder


_ONES = np.array([value.bit_count() for value in range(1 << 16)], dtype=np.uint8)
_BASIS = np.array([_codeword(1 << i) << 1 for i in range(WORD_BITS)], dtype=np.uint64)


def encode(word: int) -> bytes:
    """Return the 8 bytes that carry a 24-bit word. Raises ValueError if the word does not fit 24 bits."""
    if not 0 <= word < 1 << WORD_BITS:
        raise ValueError(f"a header word has {WORD_BITS} bits, got {word}")
    return (_codeword(word) << 1).to_bytes(BLOCK_BYTES, "big")


def decode(block: bytes) -> tuple[int, int] | None:
    """Return the word of the codeword within 7 bits of the block, and the number of flipped bits, or None.

    The block's last bit is outside the code. It is neither read nor counted.
    """
    received = _block_value(block) >> 1
    positions = [i for i in range(N_BITS) if received >> i & 1]
    syndromes = [int(s) for s in np.bitwise_xor.reduce(_SYNDROMES[positions], axis=0, initial=0)]
    if not any(syndromes):
        return received >> PARITY_BITS, 0
    locator = _berlekamp_massey(syndromes)
    degree = len(locator) - 1
    if degree > MAX_ERRORS:
        return None
    errors = [i for i in range(N_BITS) if _evaluate(locator, _ORDER - i) == 0]
    if len(errors) != degree:
        return None
    corrected = received ^ sum(1 << i for i in errors)
    word = corrected >> PARITY_BITS
    return (word, degree) if _codeword(word) == corrected else None


def codewords(words: ArrayLike) -> np.ndarray:
    """Return the blocks of 24-bit words as uint64, in the shape of `words`. Raises ValueError beyond 24 bits."""
    values = np.asarray(words, dtype=np.uint64)
    if values.size and values.max() >> np.uint64(WORD_BITS):
        raise ValueError(f"a header word has {WORD_BITS} bits, got {values.max()}")
    blocks = np.zeros(values.shape, dtype=np.uint64)
    for bit in range(WORD_BITS):  # the code is linear: a codeword is the sum of its bits' codewords
        blocks ^= (values >> np.uint64(bit) & np.uint64(1)) * _BASIS[bit]
    return blocks


def distances(block: bytes, candidates: np.ndarray) -> np.ndarray:
    """Return the number of bits (K,) uint8, of 64, in which a block differs from each of `codewords` (K,)."""
    different = candidates ^ np.uint64(_block_value(block))
    return _ONES[different.view(np.uint16).reshape(-1, BLOCK_BYTES // 2)].sum(axis=1, dtype=np.uint8)


def _block_value(block: bytes) -> int:
    if len(block) != BLOCK_BYTES:
        raise ValueError(f"a header block has {BLOCK_BYTES} bytes, got {len(block)}")
    return int.from_bytes(block, "big")


def _multiply(a: int, b: int) -> int:
    return _EXP[_LOG[a] + _LOG[b]] if a and b else 0


def _evaluate(polynomial: list[int], power: int) -> int:
    """Return the value of a polynomial (lowest coefficient first) at a^power."""
    total = 0
    for k, coefficient in enumerate(polynomial):
        if coefficient:
            total ^= _EXP[(_LOG[coefficient] + k * power) % _ORDER]
    return total


def _berlekamp_massey(syndromes: list[int]) -> list[int]:
    """Return the shortest error locator for the syndromes, lowest coefficient first; locator[0] is 1."""
    locator, previous = [1], [1]
    length, shift, previous_discrepancy = 0, 1, 1
    for n, syndrome in enumerate(syndromes):
        discrepancy = syndrome
        for k in range(1, min(length, len(locator) - 1) + 1):
            discrepancy ^= _multiply(locator[k], syndromes[n - k])
        if discrepancy == 0:
            shift += 1
            continue
        scale = _EXP[(_LOG[discrepancy] - _LOG[previous_discrepancy]) % _ORDER]
        update = [0] * shift + [_multiply(scale, c) for c in previous]
        grown = [a ^ b for a, b in zip_longest(locator, update, fillvalue=0)]
        if 2 * length <= n:
            previous, previous_discrepancy, shift = locator, discrepancy, 1
            length = n + 1 - length
        else:
            shift += 1
        locator = grown
    while locator[-1] == 0:
        locator.pop()
    return locator
