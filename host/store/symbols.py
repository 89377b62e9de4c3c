"""Symbols of a reading in the store: packed levels, and which of the symbols were received.

Layout, all numbers big-endian: bits per symbol b (1 byte), number of symbols S (2), number of runs R (2), R runs of
received symbols (first symbol and count, 2 bytes each, in ascending order), and the levels of the received symbols,
b bits each, in the Gray code and bit order of a payload (docs/SPEC.md). b is the least that the highest level needs.
"""

import struct
from collections.abc import Sequence

import numpy as np

from wire.checks import ContentError, require
from wire.payload import MAX_BITS_PER_SYMBOL, pack, payload_bytes, unpack

_HEAD, _RUN = struct.Struct(">BHH"), np.dtype(">u2")
MAX_SYMBOLS = 0xFFFF


def pack_symbols(symbols: Sequence[int]) -> bytes | None:
    """Return symbols (S,) as bytes, None if there are none. Raises ContentError if one is not within -1..255."""
    if not symbols:
        return None
    require(len(symbols) <= MAX_SYMBOLS, f"symbols has {len(symbols)} values, more than {MAX_SYMBOLS}")
    try:
        levels = np.frombuffer(bytes(symbols), np.uint8)  # the fast way, if all symbols were received
        runs = np.array([[0, len(symbols)]])
    except (ValueError, TypeError):
        every = np.array(symbols)
        top = (1 << MAX_BITS_PER_SYMBOL) - 1
        valid = every.dtype == np.int64 and every.min() >= -1 and every.max() <= top
        require(bool(valid), f"symbols has a value that is not an integer within -1..{top}")
        received = np.concatenate([[0], every >= 0, [0]])
        edges = np.flatnonzero(np.diff(received))
        runs = np.stack([edges[::2], edges[1::2] - edges[::2]], axis=1)
        levels = every[every >= 0]
    bits = max(1, int(levels.max(initial=0)).bit_length())
    head = _HEAD.pack(bits, len(symbols), len(runs)) + runs.astype(_RUN).tobytes()
    return head + pack(levels, bits) if len(runs) else head


def unpack_symbols(data: bytes | None) -> tuple[int, ...]:
    """Return what `pack_symbols` packed. Raises ContentError if the bytes are damaged."""
    if data is None:
        return ()
    require(len(data) >= _HEAD.size, "symbols are damaged")
    bits, count, n_runs = _HEAD.unpack_from(data)
    begin = _HEAD.size + 2 * _RUN.itemsize * n_runs
    require(len(data) >= begin, "symbols are damaged")
    runs = np.frombuffer(data[_HEAD.size : begin], _RUN).reshape(n_runs, 2).astype(np.int64)
    ends = runs.sum(1)
    require(bool((ends <= count).all() and (runs[1:, 0] > ends[:-1]).all()), "symbols are damaged")
    n_received = int(runs[:, 1].sum())
    try:
        require(len(data) - begin == payload_bytes(n_received, bits), "symbols are damaged")
        received = unpack(data[begin:], n_received, bits) if n_received else np.zeros(0, np.int64)
    except ValueError:
        raise ContentError("symbols are damaged") from None
    levels = np.full(count, -1, np.int64)
    for (first, length), start in zip(runs.tolist(), (np.cumsum(runs[:, 1]) - runs[:, 1]).tolist(), strict=True):
        levels[first : first + length] = received[start : start + length]
    return tuple(levels.tolist())
