"""Payloads: symbols <-> Gray-coded bits <-> packed bytes, and the interleaver that spreads bursts over the symbols.

An array of symbols holds levels, 0 .. 2**bits - 1.
"""

from functools import lru_cache
from math import gcd
from typing import TypeVar

import numpy as np

MAX_BITS_PER_SYMBOL = 8

Levels = TypeVar("Levels", int, np.ndarray)


def gray(levels: Levels) -> Levels:
    """Return the binary reflected Gray codes of levels (US patent 2632058): neighbours differ in one bit."""
    return levels ^ (levels >> 1)


def ungray(codes: Levels) -> Levels:
    """Return the levels of Gray codes of up to 8 bits."""
    levels = codes ^ (codes >> 1)
    levels = levels ^ (levels >> 2)
    return levels ^ (levels >> 4)


_LEVELS = ungray(np.arange(1 << MAX_BITS_PER_SYMBOL, dtype=np.int64))  # by Gray code
_PLACES = 1 << np.arange(MAX_BITS_PER_SYMBOL, dtype=np.uint8)[::-1]  # values of the bits of a code


def payload_bytes(count: int, bits: int) -> int:
    """Return the number of bytes that `count` symbols of `bits` bits take."""
    return (count * bits + 7) // 8


def symbols_to_bits(symbols: np.ndarray, bits: int) -> np.ndarray:
    """Map symbols (..., S) to the bits of their Gray codes (..., S * bits) uint8, most significant first.

    Raises ValueError if a level is not 0 .. 2**bits - 1.
    """
    symbols = np.asarray(symbols)
    top = (1 << _checked(bits)) - 1
    if symbols.size and (symbols.min() < 0 or symbols.max() > top):
        raise ValueError(f"levels of {bits} bits are 0..{top}, got {symbols.min()}..{symbols.max()}")
    codes = gray(symbols.astype(np.uint8))[..., None]
    spread = codes >> np.arange(bits - 1, -1, -1, dtype=np.uint8) & np.uint8(1)  # (..., S, bits)
    return spread.reshape(*symbols.shape[:-1], symbols.shape[-1] * bits)


def bits_to_symbols(payload_bits: np.ndarray, bits: int) -> np.ndarray:
    """Map bits (..., S * bits) of 0 and 1, in payload order, to symbols (..., S) int64."""
    payload_bits = np.asarray(payload_bits, dtype=np.uint8)
    spread = payload_bits.reshape(*payload_bits.shape[:-1], payload_bits.shape[-1] // _checked(bits), bits)
    return _LEVELS[spread @ _PLACES[-bits:]]


def pack(symbols: np.ndarray, bits: int) -> bytes:
    """Pack symbols (n,) into payload_bytes(n, bits) bytes, most significant bit first; not interleaved."""
    return np.packbits(symbols_to_bits(symbols, bits)).tobytes()


def unpack(data: bytes, count: int, bits: int) -> np.ndarray:
    """Return the symbols (count,) int64 of a packed, de-interleaved payload. Padding bits are not read."""
    _checked(bits)
    return bits_to_symbols(_bits(data, count * bits), bits)


@lru_cache(maxsize=64)
def interleaver(n_bits: int) -> np.ndarray:
    """Return the permutation p (n_bits,) int64: wire bit j carries payload bit p[j] = j * step mod n_bits.

    The step is the first number from 0.618034 * n_bits up that is coprime with n_bits: by the golden ratio,
    neighbouring wire bits come from places spread evenly over the payload. The array is cached and read-only.
    """
    step = max(1, n_bits * 618034 // 1000000)
    while gcd(step, n_bits) != 1:
        step += 1
    permutation = np.arange(n_bits, dtype=np.int64) * step % max(1, n_bits)
    permutation.setflags(write=False)
    return permutation


def interleave(payload: bytes, n_bits: int) -> bytes:
    """Return the payload as it is sent: its n_bits data bits permuted, padding bits 0."""
    return np.packbits(_bits(payload, n_bits)[interleaver(n_bits)]).tobytes()


def deinterleave(payload: bytes, n_bits: int) -> bytes:
    """Undo `interleave`. The padding bits of the result are 0."""
    restored = np.empty(n_bits, dtype=np.uint8)
    restored[interleaver(n_bits)] = _bits(payload, n_bits)
    return np.packbits(restored).tobytes()


def _bits(data: bytes, n_bits: int) -> np.ndarray:
    if n_bits < 1 or len(data) != (n_bits + 7) // 8:
        raise ValueError(f"{n_bits} bits take {(n_bits + 7) // 8} bytes (at least 1), got {len(data)}")
    return np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=n_bits)


def _checked(bits: int) -> int:
    if not 1 <= bits <= MAX_BITS_PER_SYMBOL:
        raise ValueError(f"a symbol has 1..{MAX_BITS_PER_SYMBOL} bits, got {bits}")
    return bits
