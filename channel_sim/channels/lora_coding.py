"""LoRa's coding chain: whitening, header, CRC, Hamming codes, diagonal interleaver, Gray mapping.

The chip vendors do not document it. This follows reverse engineering of the signal: Knight & Seeber, Decoding LoRa
(GRCon 2016); Tapparel et al., An Open-Source LoRa Physical Layer Prototype on GNU Radio (2020, arXiv 2002.08208).
"""

from functools import lru_cache

import numpy as np

from wire.crc import crc16


def _whitening() -> np.ndarray:
    """Return one period of the LFSR x^8 + x^6 + x^5 + x^4 + 1 from 0xFF: uint8 (255,)."""
    state, sequence = 0xFF, []
    for _ in range(255):
        sequence.append(state)
        state = (state << 1 | (state & 0xB8).bit_count() & 1) & 0xFF  # taps: bits 7, 5, 4 and 3
    return np.array(sequence, np.uint8)


WHITENING = _whitening()


def _codeword(nibble: int, length: int) -> int:
    """Return the nibble, least significant bit first, followed by parity bits; 4/5 has one parity over all."""
    a, b, c, d = (nibble >> i & 1 for i in range(4))
    parities = [a ^ b ^ c ^ d] if length == 5 else [a ^ b ^ c, b ^ c ^ d, a ^ b ^ d, a ^ c ^ d]
    return int("".join(map(str, [a, b, c, d, *parities][:length])), 2)


def _decoder(length: int) -> np.ndarray:
    """Return the decoded nibble of every word: uint8 (2**length,). 4/7 and 4/8 correct one flip, the others none."""
    data = np.arange(1 << length) >> (length - 4)
    table = (data >> 3 & 1 | data >> 1 & 2 | data << 1 & 4 | data << 3 & 8).astype(np.uint8)
    if length >= 7:
        for nibble in range(16):
            for bit in range(length):
                table[_codeword(nibble, length) ^ 1 << bit] = nibble
    return table


# By codeword length: 5 is rate 4/5, 8 is rate 4/8.
ENCODE = {length: np.array([_codeword(v, length) for v in range(16)], np.uint8) for length in (5, 6, 7, 8)}
DECODE = {length: _decoder(length) for length in (5, 6, 7, 8)}


def to_nibbles(data: np.ndarray) -> np.ndarray:
    """Split bytes (n, B) into nibbles (n, 2B), low one first."""
    return np.stack([data & 15, data >> 4], -1).reshape(len(data), 2 * data.shape[1])


def to_bytes(nibbles: np.ndarray) -> np.ndarray:
    """Join nibbles (n, 2B), low one first, to bytes (n, B)."""
    return nibbles[:, ::2] | nibbles[:, 1::2] << 4


def header(payload_bytes: int, coding_rate: int, crc: bool) -> np.ndarray:
    """Return the explicit header: uint8 (5,) nibbles of length, coding rate, CRC flag and a 5-bit checksum."""
    fields = payload_bytes << 4 | coding_rate - 4 << 1 | crc  # 12 bits
    covered = (0b111100000000, 0b100011100001, 0b010010011010, 0b001001010111, 0b000100101111)
    top, *low = ((fields & mask).bit_count() & 1 for mask in covered)
    checksum = low[0] << 3 | low[1] << 2 | low[2] << 1 | low[3]
    return np.array([fields >> 8, fields >> 4 & 15, fields & 15, top, checksum], np.uint8)


def payload_crc(data: np.ndarray) -> np.ndarray:
    """Return the CRC of bytes (n, B): uint8 (n, 2), low byte first; CRC-16 from 0 of all but two bytes, xor those."""
    rows = (row.tobytes() for row in data)
    values = [crc16(row[:-2], 0) ^ int.from_bytes(row[-2:], "big") for row in rows]
    return np.array(values, "<u2").view(np.uint8).reshape(-1, 2)


@lru_cache
def _diagonal(rows: int, length: int) -> np.ndarray:
    """Return the codeword bit of each symbol bit: bit j of symbol i is bit i of codeword i - j - 1 modulo `rows`."""
    i, j = np.divmod(np.arange(rows * length), rows)
    return (i - j - 1) % rows * length + i


def _bits(words: np.ndarray, width: int) -> np.ndarray:
    """Unpack words (..., k) to bits (..., k * width), most significant first."""
    bits = words[..., None] >> np.arange(width - 1, -1, -1, dtype=words.dtype) & words.dtype.type(1)
    return bits.reshape(*words.shape[:-1], words.shape[-1] * width)


def _words(bits: np.ndarray, width: int) -> np.ndarray:
    """Pack bits to words uint16; the inverse of _bits."""
    weights = 1 << np.arange(width - 1, -1, -1, dtype=np.uint16)
    return bits.reshape(*bits.shape[:-1], bits.shape[-1] // width, width).astype(np.uint16) @ weights


def interleave(codewords: np.ndarray, length: int) -> np.ndarray:
    """Map the k codewords (..., k) uint8 of a block, `length` bits each, to symbols (..., length) uint16 of k bits.

    A symbol carries one bit of each codeword, so that a symbol error costs each codeword at most one bit.
    """
    rows = codewords.shape[-1]
    return _words(_bits(codewords, length)[..., _diagonal(rows, length)], rows)


def deinterleave(words: np.ndarray, rows: int) -> np.ndarray:
    """Map symbols (..., length) uint16 to codewords (..., rows) uint16; the inverse of interleave."""
    length = words.shape[-1]
    return _words(_bits(words, rows)[..., np.argsort(_diagonal(rows, length))], length)


def gray(values: np.ndarray) -> np.ndarray:
    """Map bins to Gray codes, as the receiver does: a bin that is off by one costs one bit."""
    return values ^ values >> 1


def ungray(codes: np.ndarray) -> np.ndarray:
    """Return the value, up to 16 bits, of a Gray code, as the transmitter does."""
    for shift in (1, 2, 4, 8):
        codes = codes ^ codes >> shift
    return codes
