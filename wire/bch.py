"""BCH codes of 63 bits: BCH(63,24), t = 7, of frame headers, and BCH(63,36), t = 5, of answer frames.

Both are narrow-sense and binary over GF(64) with primitive polynomial x^6 + x + 1; their minimum distances are 15 and
11, and every codeword of the first is one of the second. A block is 8 bytes: message bits, parity bits and one 0 bit,
each most significant first. Decoding is Berlekamp-Massey and a Chien search (Lin & Costello, *Error Control Coding*,
chapter 6).
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

import numpy as np
from numpy.typing import ArrayLike

N_BITS = 63
BLOCK_BYTES = 8

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
_ONES = np.array([value.bit_count() for value in range(1 << 16)], dtype=np.uint8)


@dataclass(frozen=True)
class Code:
    """A code with `word_bits` message bits that corrects up to `max_errors` flipped bits."""

    word_bits: int
    max_errors: int
    # Least common multiple of the minimal polynomials of a, a^3, ...: bit i is the coefficient of x^i.
    generator: int

    @property
    def parity_bits(self) -> int:
        """The number of parity bits, the degree of the generator polynomial."""
        return N_BITS - self.word_bits

    def encode(self, word: int) -> bytes:
        """Return the 8 bytes that carry a word. Raises ValueError if it does not fit `word_bits`."""
        if not 0 <= word < 1 << self.word_bits:
            raise ValueError(f"a header word has {self.word_bits} bits, got {word}")
        return (self._codeword(word) << 1).to_bytes(BLOCK_BYTES, "big")

    def decode(self, block: bytes) -> tuple[int, int] | None:
        """Return the word of the codeword within `max_errors` bits of the block, and the number of flips, or None.

        The block's last bit is outside the code. It is neither read nor counted.
        """
        received = _block_value(block) >> 1
        positions = [i for i in range(N_BITS) if received >> i & 1]
        syndromes = [int(s) for s in np.bitwise_xor.reduce(self._syndromes[positions], axis=0, initial=0)]
        if not any(syndromes):
            return received >> self.parity_bits, 0
        locator = _berlekamp_massey(syndromes)
        degree = len(locator) - 1
        if degree > self.max_errors:
            return None
        errors = [i for i in range(N_BITS) if _evaluate(locator, _ORDER - i) == 0]
        if len(errors) != degree:
            return None
        corrected = received ^ sum(1 << i for i in errors)
        word = corrected >> self.parity_bits
        return (word, degree) if self._codeword(word) == corrected else None

    def codewords(self, words: ArrayLike) -> np.ndarray:
        """Return the blocks of words as uint64, in the shape of `words`. Raises ValueError beyond `word_bits`."""
        values = np.asarray(words, dtype=np.uint64)
        if values.size and values.max() >> np.uint64(self.word_bits):
            raise ValueError(f"a header word has {self.word_bits} bits, got {values.max()}")
        blocks = np.zeros(values.shape, dtype=np.uint64)
        for bit in range(self.word_bits):  # the code is linear: a codeword is the sum of its bits' codewords
            blocks ^= (values >> np.uint64(bit) & np.uint64(1)) * self._basis[bit]
        return blocks

    def _codeword(self, word: int) -> int:
        """Return 63 bits: the word times x^parity_bits, plus the remainder of dividing that by the generator."""
        remainder = word << self.parity_bits
        for bit in range(N_BITS - 1, self.parity_bits - 1, -1):
            if remainder >> bit & 1:
                remainder ^= self.generator << (bit - self.parity_bits)
        return word << self.parity_bits | remainder

    @cached_property
    def _basis(self) -> np.ndarray:
        return np.array([self._codeword(1 << i) << 1 for i in range(self.word_bits)], dtype=np.uint64)

    @cached_property
    def _syndromes(self) -> np.ndarray:
        """Row i: contribution of an error in the coefficient of x^i to the syndromes S_1..S_2t."""
        powers = range(1, 2 * self.max_errors + 1)
        return np.array([[_EXP[i * j % _ORDER] for j in powers] for i in range(N_BITS)], dtype=np.uint8)


HEADER = Code(word_bits=24, max_errors=7, generator=0xF6_9A_C2_09_21)
ANSWER = Code(word_bits=36, max_errors=5, generator=0x8_6E_81_13)


def weights(blocks: np.ndarray) -> np.ndarray:
    """Return the number of ones in each block (K,) uint64, as uint8 (K,)."""
    return _ONES[np.ascontiguousarray(blocks).view(np.uint16).reshape(-1, BLOCK_BYTES // 2)].sum(axis=1, dtype=np.uint8)


def distances(block: bytes, candidates: np.ndarray) -> np.ndarray:
    """Return the number of bits (K,) uint8, of 64, in which a block differs from each of `codewords` (K,)."""
    return weights(candidates ^ np.uint64(_block_value(block)))


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
