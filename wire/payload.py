"""A payload: levels as Gray-coded bits, packed, and the interleaver that spreads bursts over the symbols."""

from functools import lru_cache
from math import gcd

import numpy as np

MAX_BITS_PER_SYMBOL = 8


def gray(levels: np.ndarray | int) -> np.ndarray | int:
    """The binary reflected Gray code of each level (US patent 2632058): neighbours differ in one bit."""
    return levels ^ (levels >> 1)


def ungray(codes: np.ndarray | int) -> np.ndarray | int:
    """The level of each Gray code of up to 8 bits."""
    levels = codes ^ (codes >> 1)
    levels = levels ^ (levels >> 2)
    return levels ^ (levels >> 4)


def payload_bytes(count: int, bits: int) -> int:
    """Bytes that hold `count` symbols of `bits` bits."""
    return (count * bits + 7) // 8


def levels_to_bits(levels: np.ndarray, bits: int) -> np.ndarray:
    """Levels (..., S) below 2**bits -> their Gray codes' bits (..., S*bits) uint8, most significant first."""
    levels = np.asarray(levels)
    top = (1 << _checked(bits)) - 1
    if levels.size and (levels.min() < 0 or levels.max() > top):
        raise ValueError(f"levels of {bits} bits are 0..{top}, got {levels.min()}..{levels.max()}")
    codes = gray(levels.astype(np.uint8))[..., None]
    spread = codes >> np.arange(bits - 1, -1, -1, dtype=np.uint8) & np.uint8(1)  # (..., S, bits)
    return spread.reshape(*levels.shape[:-1], levels.shape[-1] * bits)


def bits_to_levels(wire_bits: np.ndarray, bits: int) -> np.ndarray:
    """Bits (..., S*bits) of 0 and 1, in payload order -> levels (..., S) int64."""
    wire_bits = np.asarray(wire_bits, dtype=np.uint8)
    spread = wire_bits.reshape(*wire_bits.shape[:-1], wire_bits.shape[-1] // _checked(bits), bits)
    codes = np.zeros(spread.shape[:-1], dtype=np.uint8)
    for k in range(bits):
        codes = codes << np.uint8(1) | spread[..., k]
    return ungray(codes).astype(np.int64)


def pack(levels: np.ndarray, bits: int) -> bytes:
    """Levels (n,) -> payload_bytes(n, bits) bytes, most significant bit first; not interleaved."""
    return np.packbits(levels_to_bits(levels, bits)).tobytes()


def unpack(data: bytes, count: int, bits: int) -> np.ndarray:
    """The levels (count,) int64 of a packed, de-interleaved payload; pad bits are not read."""
    _checked(bits)
    return bits_to_levels(_bits(data, count * bits), bits)


@lru_cache(maxsize=64)
def interleaver(n_bits: int) -> np.ndarray:
    """The permutation p (n_bits,) int64: wire bit j carries payload bit p[j] = j * step mod n_bits.

    The step is the first number from 0.618034 * n_bits up that is coprime with n_bits: by the golden ratio
    any few neighbouring wire bits come from places spread evenly over the payload. Cached, so read-only.
    """
    step = max(1, n_bits * 618034 // 1000000)
    while gcd(step, n_bits) != 1:
        step += 1
    permutation = np.arange(n_bits, dtype=np.int64) * step % max(1, n_bits)
    permutation.setflags(write=False)
    return permutation


def interleave(payload: bytes, n_bits: int) -> bytes:
    """The payload as it is sent: its n_bits data bits permuted, pad bits 0."""
    return np.packbits(_bits(payload, n_bits)[interleaver(n_bits)]).tobytes()


def deinterleave(payload: bytes, n_bits: int) -> bytes:
    """The inverse of interleave; pad bits come out as 0 whatever they were."""
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
