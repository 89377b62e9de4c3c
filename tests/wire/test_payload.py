"""Gray code, packing and the interleaver."""

from collections.abc import Callable
from itertools import pairwise
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import payload

BITS = st.integers(1, 8)


@pytest.mark.parametrize("bits", range(1, 9))
def test_gray_neighbours_differ_in_one_bit(bits: int) -> None:
    symbols = np.arange(1 << bits)
    codes = payload.gray(symbols)
    assert sorted(codes) == list(symbols)
    assert all(int(a ^ b).bit_count() == 1 for a, b in pairwise(codes))
    assert np.array_equal(payload.ungray(codes), symbols)
    assert [payload.ungray(payload.gray(level)) for level in range(1 << bits)] == list(symbols)


def test_pack_three_bit_example() -> None:
    """By hand: levels 0..4 are 000 001 011 010 110, so 00000101 10101100 with one padding bit."""
    assert payload.pack(np.arange(5), 3) == bytes([0b00000101, 0b10101100])


@given(BITS, st.data())
def test_pack_unpack_round_trip(bits: int, data: st.DataObject) -> None:
    symbols = np.array(data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=1, max_size=200)))
    packed = payload.pack(symbols, bits)
    assert len(packed) == payload.payload_bytes(len(symbols), bits)
    pad = 8 * len(packed) - len(symbols) * bits
    assert packed[-1] & ((1 << pad) - 1) == 0
    unpacked = payload.unpack(packed, len(symbols), bits)
    assert unpacked.dtype == np.int64 and np.array_equal(unpacked, symbols)


@given(BITS, st.integers(1, 5), st.integers(1, 40), st.integers(0, 1 << 30))
def test_symbols_to_bits_of_batch_equals_rows(bits: int, rows: int, count: int, seed: int) -> None:
    symbols = np.random.default_rng(seed).integers(0, 1 << bits, (2, rows, count))
    spread = payload.symbols_to_bits(symbols, bits)
    assert spread.shape == (2, rows, count * bits) and spread.dtype == np.uint8
    assert np.array_equal(payload.bits_to_symbols(spread, bits), symbols)
    assert np.packbits(spread[1, rows - 1]).tobytes() == payload.pack(symbols[1, rows - 1], bits)


def test_interleaver_is_permutation_with_specified_step() -> None:
    for n_bits in range(1, 4097):
        permutation = payload.interleaver(n_bits)
        assert np.array_equal(np.sort(permutation), np.arange(n_bits))
        step = next(s for s in range(max(1, n_bits * 618034 // 10**6), n_bits + 1) if gcd(s, n_bits) == 1)
        assert permutation[-1] == (n_bits - 1) * step % n_bits
        assert n_bits == 1 or permutation[1] == step


def test_interleaver_spreads_burst() -> None:
    """A burst of 16 of 384 wire bits hits 16 different symbols, no two of them neighbours."""
    places = payload.interleaver(384) // 3
    for start in range(384 - 15):
        hit = np.sort(places[start : start + 16])
        assert np.diff(hit).min() >= 2


@pytest.mark.parametrize("bits", range(1, 9))
@given(data=st.data())
def test_deinterleave_undoes_interleave(bits: int, data: st.DataObject) -> None:
    symbols = np.array(data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=1, max_size=64)))
    packed, n_bits = payload.pack(symbols, bits), len(symbols) * bits
    sent = payload.interleave(packed, n_bits)
    assert payload.deinterleave(sent, n_bits) == packed
    payload_bits, wire_bits = (np.unpackbits(np.frombuffer(x, np.uint8)) for x in (packed, sent))
    assert np.array_equal(wire_bits[:n_bits], payload_bits[payload.interleaver(n_bits)])
    assert not wire_bits[n_bits:].any()


def test_deinterleave_ignores_padding_bits() -> None:
    packed = payload.pack(np.array([1, 2, 3]), 3)  # 9 bits, 7 pad bits
    sent = bytearray(payload.interleave(packed, 9))
    sent[1] |= 0x7F
    assert payload.deinterleave(bytes(sent), 9) == packed


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: payload.pack(np.array([8]), 3), "levels of 3 bits are 0..7, got 8..8"),
        (lambda: payload.pack(np.array([-1]), 3), "got -1..-1"),
        (lambda: payload.pack(np.array([0]), 9), "1..8 bits"),
        (lambda: payload.unpack(b"\0", 1, 0), "1..8 bits"),
        (lambda: payload.unpack(b"\0\0", 2, 3), "6 bits take 1 bytes"),
        (lambda: payload.interleave(b"", 0), "at least 1"),
        (lambda: payload.deinterleave(b"\0\0\0", 16), "16 bits take 2 bytes"),
    ],
)
def test_payload_refuses_wrong_sizes(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
