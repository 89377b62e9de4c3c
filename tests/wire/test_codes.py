"""The CRCs and the BCH codes, against published check values and the package galois."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import bch
from wire.crc import crc16, crc32

CODES = pytest.mark.parametrize("code", [bch.HEADER, bch.ANSWER], ids=["header", "answer"])


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
@pytest.mark.parametrize("size", bch.GENERATORS)
def test_bch_generators_match_galois(size: int) -> None:
    import galois  # takes seconds, which collecting tests need not

    reference = galois.BCH(63, size)
    assert int(reference.generator_poly) == bch.GENERATORS[size]
    assert reference.d == {7: 31, 10: 27, 16: 23, 18: 21, 24: 15, 30: 13, 36: 11}[size]


@pytest.mark.slow
def test_bch_header_matches_galois() -> None:
    import galois

    reference = galois.BCH(63, 24)
    assert (reference.n, reference.k, reference.t) == (bch.N_BITS, bch.HEADER.word_bits, bch.HEADER.max_errors)
    words = np.concatenate([[0, 1, (1 << 24) - 1], np.random.default_rng(1).integers(0, 1 << 24, 500)])
    messages = (words[:, None] >> np.arange(23, -1, -1) & 1).astype(np.uint8)
    codewords = np.asarray(reference.encode(messages)).astype(np.uint8)
    for word, codeword in zip(words, codewords, strict=True):
        assert bch.HEADER.encode(int(word)) == np.packbits([*codeword, 0]).tobytes()


def remainder(codeword: int, generator: int) -> int:
    """Return the remainder of a polynomial divided by another, by long division."""
    while codeword.bit_length() >= generator.bit_length():
        codeword ^= generator << codeword.bit_length() - generator.bit_length()
    return codeword


def test_bch_answer_rows_follow_definition() -> None:
    sizes = [min(size for size in bch.GENERATORS if size > bit) for bit in range(36)]
    assert sizes == [7] * 7 + [10] * 3 + [16] * 6 + [18] * 2 + [24] * 6 + [30] * 6 + [36] * 6
    for bit, (row, size) in enumerate(zip(bch.ANSWER.rows, sizes, strict=True)):
        assert row.bit_length() - 1 == 62 - bit
        assert row & (1 << 62 - bit) - (1 << 63 - size) == 0  # nothing between the leading term and the parity
        assert remainder(row, bch.GENERATORS[size]) == 0


@pytest.mark.parametrize(("size", "distance"), [(7, 31), (10, 27), (16, 23), (18, 21)])
def test_bch_answers_with_equal_high_bits_are_far_apart(size: int, distance: int) -> None:
    assert bch.weights(bch.ANSWER.codewords(np.arange(1, 1 << size))).min() == distance


def test_bch_answer_is_no_header() -> None:
    """Answer codewords with a type of 3 are none of the header's code, so that a block is one or the other."""
    basis = [remainder(row, bch.GENERATORS[24]) for row in bch.ANSWER.rows]
    assert not any(basis[:24])
    sums = {0}  # of the rows of device, type and the highest bit of the model: only that of none is a header
    for row in basis[24:]:
        sums |= {total ^ row for total in sums}
    assert len(sums) == 1 << 12


@CODES
@given(data=st.data())
def test_bch_decode_corrects_up_to_its_limit(code: bch.Code, data: st.DataObject) -> None:
    word = data.draw(st.integers(0, (1 << code.word_bits) - 1))
    positions = data.draw(st.lists(st.integers(0, 62), unique=True, max_size=code.max_errors))
    last_bit = data.draw(st.booleans())
    block = flipped(code.encode(word), [*positions, 63] if last_bit else positions)
    assert code.decode(block) == (word, len(positions))


@CODES
@given(data=st.data())
def test_bch_decode_beyond_its_limit(code: bch.Code, data: st.DataObject) -> None:
    word = data.draw(st.integers(0, (1 << code.word_bits) - 1))
    positions = data.draw(st.lists(st.integers(0, 62), unique=True, min_size=code.max_errors + 1, max_size=63))
    block = flipped(code.encode(word), positions)
    decoded = code.decode(block)
    if decoded is not None:
        assert decoded[0] != word
        assert distance(code.encode(decoded[0]), block) == decoded[1] <= code.max_errors


@CODES
@given(block=st.binary(min_size=8, max_size=8))
def test_bch_decode_accepts_any_block(code: bch.Code, block: bytes) -> None:
    decoded = code.decode(block)
    assert decoded is None or distance(code.encode(decoded[0]), block) == decoded[1] <= code.max_errors


@CODES
@given(data=st.data(), block=st.binary(min_size=8, max_size=8))
def test_bch_distances(code: bch.Code, data: st.DataObject, block: bytes) -> None:
    words = data.draw(st.lists(st.integers(0, (1 << code.word_bits) - 1), max_size=40))
    candidates = code.codewords(np.array(words, np.uint64))
    assert candidates.tolist() == [int.from_bytes(code.encode(word), "big") for word in words]
    assert bch.distances(block, candidates).tolist() == [
        (int.from_bytes(code.encode(word), "big") ^ int.from_bytes(block, "big")).bit_count() for word in words
    ]


@CODES
def test_bch_encode_refuses_too_large_word(code: bch.Code) -> None:
    for word in (-1, 1 << code.word_bits):
        with pytest.raises(ValueError, match=f"{code.word_bits} bits"):
            code.encode(word)
        with pytest.raises((ValueError, OverflowError), match=rf"{code.word_bits} bits|bounds|negative"):
            code.codewords(np.array([5, word]))


@pytest.mark.parametrize("size", [0, 7, 9])
def test_bch_refuses_block_of_wrong_size(size: int) -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        bch.HEADER.decode(bytes(size))
    with pytest.raises(ValueError, match="8 bytes"):
        bch.distances(bytes(size), bch.HEADER.codewords(np.array([1])))
