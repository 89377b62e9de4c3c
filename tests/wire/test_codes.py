"""The CRCs and the BCH code, against published check values and the package galois."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import bch
from wire.crc import crc16, crc32

WORDS = st.integers(0, (1 << 24) - 1)


def flipped(block: bytes, positions: list[int]) -> bytes:
    """Return the block with bits flipped. Position 0 is the first on the wire."""
    value = int.from_bytes(block, "big")
    for position in positions:
        value ^= 1 << 63 - position
    return value.to_bytes(8, "big")


def distance(a: bytes, b: bytes) -> int:
    """Return the number of differing bits among the 63 of the code."""
    return (int.from_bytes(a, "big") >> 1 ^ int.from_bytes(b, "big") >> 1).bit_count()


def test_crc16_check_values() -> None:
    assert crc16(b"123456789", 0xFFFF) == 0x29B1  # CRC-16/CCITT-FALSE
    assert crc16(b"123456789", 0x0000) == 0x31C3  # CRC-16/XMODEM
    assert crc16(b"123456789", 0x1D0F) == 0xE5CC  # CRC-16/AUG-CCITT


def test_crc16_uses_low_16_bits_of_initial() -> None:
    assert crc16(b"123456789", 0x5EEDFFFF) == 0x29B1


def test_crc32_check_value() -> None:
    assert crc32(b"123456789") == 0xCBF43926


@given(st.binary(min_size=1, max_size=64), st.integers(0, 0xFFFF), st.data())
def test_crc16_detects_bursts_of_up_to_16_bits(text: bytes, initial: int, data: st.DataObject) -> None:
    length = data.draw(st.integers(1, min(16, 8 * len(text))))
    start = data.draw(st.integers(0, 8 * len(text) - length))
    burst = data.draw(st.integers(1, (1 << length) - 1)) << start
    damaged = (int.from_bytes(text, "big") ^ burst).to_bytes(len(text), "big")
    assert crc16(damaged, initial) != crc16(text, initial)


@pytest.mark.slow
def test_bch_matches_galois() -> None:
    import galois  # takes seconds, which collecting tests need not

    reference = galois.BCH(63, 24)
    assert int(reference.generator_poly) == bch.GENERATOR
    assert (reference.n, reference.k, reference.t) == (bch.N_BITS, bch.WORD_BITS, bch.MAX_ERRORS)
    words = np.concatenate([[0, 1, (1 << 24) - 1], np.random.default_rng(1).integers(0, 1 << 24, 500)])
    messages = (words[:, None] >> np.arange(23, -1, -1) & 1).astype(np.uint8)
    codewords = np.asarray(reference.encode(messages)).astype(np.uint8)
    for word, codeword in zip(words, codewords, strict=True):
        assert bch.encode(int(word)) == np.packbits([*codeword, 0]).tobytes()


@given(WORDS, st.lists(st.integers(0, 62), unique=True, max_size=7), st.booleans())
def test_bch_decode_corrects_up_to_seven_flips(word: int, positions: list[int], last_bit: bool) -> None:
    block = flipped(bch.encode(word), [*positions, 63] if last_bit else positions)
    assert bch.decode(block) == (word, len(positions))


@given(WORDS, st.lists(st.integers(0, 62), unique=True, min_size=8, max_size=63))
def test_bch_decode_beyond_seven_flips(word: int, positions: list[int]) -> None:
    block = flipped(bch.encode(word), positions)
    decoded = bch.decode(block)
    if decoded is not None:
        assert decoded[0] != word
        assert distance(bch.encode(decoded[0]), block) == decoded[1] <= 7


@given(st.binary(min_size=8, max_size=8))
def test_bch_decode_accepts_any_block(block: bytes) -> None:
    decoded = bch.decode(block)
    assert decoded is None or distance(bch.encode(decoded[0]), block) == decoded[1] <= 7


@given(st.lists(WORDS, max_size=40), st.binary(min_size=8, max_size=8))
def test_bch_distances(words: list[int], block: bytes) -> None:
    candidates = bch.codewords(np.array(words))
    assert candidates.tolist() == [int.from_bytes(bch.encode(word), "big") for word in words]
    assert bch.distances(block, candidates).tolist() == [
        (int.from_bytes(bch.encode(word), "big") ^ int.from_bytes(block, "big")).bit_count() for word in words
    ]


@pytest.mark.parametrize("word", [-1, 1 << 24])
def test_bch_encode_refuses_word_beyond_24_bits(word: int) -> None:
    with pytest.raises(ValueError, match="24 bits"):
        bch.encode(word)
    with pytest.raises((ValueError, OverflowError), match=r"24 bits|bounds|negative"):
        bch.codewords(np.array([5, word]))


@pytest.mark.parametrize("size", [0, 7, 9])
def test_bch_refuses_block_of_wrong_size(size: int) -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        bch.decode(bytes(size))
    with pytest.raises(ValueError, match="8 bytes"):
        bch.distances(bytes(size), bch.codewords(np.array([1])))
