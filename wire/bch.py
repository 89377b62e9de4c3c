"""BCH codes of 63 bits: BCH(63,24), t = 7, of frame headers, and BCH(63,36), t = 5, of answer frames.

Both are narrow-sense and binary over GF(64) with primitive polynomial x^6 + x + 1; their minimum distances are 15 and
11. A block is 8 bytes: the codeword, highest power first, and one 0 bit. Decoding is Berlekamp-Massey and a Chien
search (Lin & Costello, *Error Control Coding*, chapter 6).

The code of headers is systematic. In that of answers, the low bits of a word are encoded in smaller codes that are
part of BCH(63,36): two words that differ only in their lowest k bits are as far apart as codewords of BCH(63,k).
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from itertools import zip_longest
from math import comb
from operator import xor

import numpy as np
from numpy.typing import ArrayLike

N_BITS = 63
BLOCK_BYTES = 8

# Generator polynomials by the code's dimension: least common multiples of the minimal polynomials of a, a^3, ... Bit i
# is the coefficient of x^i. The minimum distances are 31, 27, 23, 21, 15, 13 and 11.
GENERATORS = {
    7: 0x153225B1D0D73DF,
    10: 0x2759262D5D506D,
    16: 0xCD930BDD3B2B,
    18: 0x2F30B529D3D5,
    24: 0xF69AC20921,
    30: 0x37CD0EB67,
    36: 0x86E8113,
}

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
_EXP_ARRAY = np.array(_EXP, dtype=np.uint8)
# Row k: the logarithms of x^k at x = a^-i, for each position i of a bit.
_POWERS = np.arange(N_BITS)[:, None] * -np.arange(N_BITS) % _ORDER
# The number of ones in 16 bits. Its table is the faster way for up to so many blocks.
_MANY = 1000
_ONES = np.array([value.bit_count() for value in range(1 << 16)], dtype=np.uint8)


def _row(power: int, generator: int) -> int:
    """Return the codeword x^power + (x^power mod generator)."""
    degree = generator.bit_length() - 1
    remainder = 1 << power
    for bit in range(power, degree - 1, -1):
        if remainder >> bit & 1:
            remainder ^= generator << (bit - degree)
    return 1 << power | remainder


@dataclass(frozen=True)
class Code:
    """A linear code that corrects up to `max_errors` flipped bits.

    `rows` are the codewords of a word's bits, lowest bit first. The leading term of each does not occur in later rows.
    """

    max_errors: int
    rows: tuple[int, ...]

    @property
    def word_bits(self) -> int:
        """The number of message bits."""
        return len(self.rows)

    def encode(self, word: int) -> bytes:
        """Return the 8 bytes that carry a word. Raises ValueError if it does not fit `word_bits`."""
        if not 0 <= word < 1 << self.word_bits:
            raise ValueError(f"a header word has {self.word_bits} bits, got {word}")
        codeword = reduce(xor, (row for bit, row in enumerate(self.rows) if word >> bit & 1), 0)
        return (codeword << 1).to_bytes(BLOCK_BYTES, "big")

    def decode(self, block: bytes) -> tuple[int, int] | None:
        """Return the word of the codeword within `max_errors` bits of the block, and the number of flips, or None.

        The block's last bit is outside the code. It is neither read nor counted.
        """
        received = _block_value(block) >> 1
        positions = [i for i in range(N_BITS) if received >> i & 1]
        syndromes = np.bitwise_xor.reduce(self._syndromes[positions], axis=0, initial=0).tolist()
        errors: list[int] = []
        if any(syndromes):
            locator = _berlekamp_massey(syndromes)
            if len(locator) - 1 > self.max_errors:
                return None
            errors = _error_positions(locator)
            if len(errors) != len(locator) - 1:
                return None
        word = self._word(received ^ sum(1 << i for i in errors))
        return None if word is None else (word, len(errors))

    def codewords(self, words: ArrayLike) -> np.ndarray:
        """Return the blocks of words as uint64, in the shape of `words`. Raises ValueError beyond `word_bits`."""
        values = np.asarray(words, dtype=np.uint64)
        if values.size and values.max() >> np.uint64(self.word_bits):
            raise ValueError(f"a header word has {self.word_bits} bits, got {values.max()}")
        blocks = np.zeros(values.shape, dtype=np.uint64)
        for bit, row in enumerate(self.rows):
            blocks ^= (values >> np.uint64(bit) & np.uint64(1)) * np.uint64(row << 1)
        return blocks

    def word_of(self, block: int) -> int:
        """Return the word of a block of `codewords`. Raises ValueError if it is none of them."""
        word = self._word(block >> 1)
        if word is None or block & 1:
            raise ValueError(f"{block:016x} is not a block of this code")
        return word

    def _word(self, codeword: int) -> int | None:
        """Return the word of a codeword, or None if it is none."""
        word = 0
        for bit, row in enumerate(self.rows):
            if codeword >> (row.bit_length() - 1) & 1:
                word |= 1 << bit
                codeword ^= row
        return None if codeword else word

    @cached_property
    def _syndromes(self) -> np.ndarray:
        """Row i: contribution of an error in the coefficient of x^i to the syndromes S_1..S_2t."""
        powers = range(1, 2 * self.max_errors + 1)
        return np.array([[_EXP[i * j % _ORDER] for j in powers] for i in range(N_BITS)], dtype=np.uint8)


HEADER = Code(7, tuple(_row(39 + bit, GENERATORS[24]) for bit in range(24)))
ANSWER = Code(5, tuple(_row(62 - bit, GENERATORS[min(k for k in GENERATORS if k > bit)]) for bit in range(36)))


def weights(blocks: np.ndarray) -> np.ndarray:
    """Return the number of ones in each block (K,) uint64, as uint8 (K,)."""
    if len(blocks) > _MANY:  # ones in pairs, in nibbles, in bytes, and their sum: fewer bytes of memory per block
        pairs = blocks - (blocks >> np.uint64(1) & np.uint64(0x5555555555555555))
        nibbles = (pairs & np.uint64(0x3333333333333333)) + (pairs >> np.uint64(2) & np.uint64(0x3333333333333333))
        octets = nibbles + (nibbles >> np.uint64(4)) & np.uint64(0x0F0F0F0F0F0F0F0F)
        return (octets * np.uint64(0x0101010101010101) >> np.uint64(56)).astype(np.uint8)
    return _ONES[np.ascontiguousarray(blocks).view(np.uint16).reshape(-1, BLOCK_BYTES // 2)].sum(axis=1, dtype=np.uint8)


def distances(block: bytes, candidates: np.ndarray) -> np.ndarray:
    """Return the number of bits (K,) uint8, of 64, in which a block differs from each of `codewords` (K,)."""
    return weights(candidates ^ np.uint64(_block_value(block)))


@lru_cache(maxsize=1024)
def max_flips(bits: int, candidates: int, rate: float) -> int:
    """Return the largest distance at which random bits match one of the candidates at most at `rate`; -1 if none.

    A block of random bits is within d of a given one with probability sum_{i<=d} C(bits, i) / 2^bits.
    """
    allowed, within, most = rate * 2**bits / max(1, candidates), 0, -1
    while (within := within + comb(bits, most + 1)) <= allowed:
        most += 1
    return most


def _block_value(block: bytes) -> int:
    if len(block) != BLOCK_BYTES:
        raise ValueError(f"a header block has {BLOCK_BYTES} bytes, got {len(block)}")
    return int.from_bytes(block, "big")


def _multiply(a: int, b: int) -> int:
    return _EXP[_LOG[a] + _LOG[b]] if a and b else 0


def _error_positions(locator: list[int]) -> list[int]:
    """Return the positions i at which the error locator (lowest coefficient first) is 0 at a^-i: a Chien search."""
    terms = [k for k, coefficient in enumerate(locator) if coefficient]
    logs = np.array([_LOG[locator[k]] for k in terms])
    values = np.bitwise_xor.reduce(_EXP_ARRAY[logs[:, None] + _POWERS[terms]], axis=0)
    return np.flatnonzero(values == 0).tolist()


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
