"""Tests of LoRa's coding chain: values worked out by hand, round trips, the cost of a symbol error."""

import numpy as np
import pytest

from channel_sim.channels.lora_coding import (
    DECODE,
    ENCODE,
    WHITENING,
    deinterleave,
    gray,
    header,
    interleave,
    payload_crc,
    to_bytes,
    to_nibbles,
    ungray,
)


def popcount(values: np.ndarray) -> np.ndarray:
    return np.array([int(v).bit_count() for v in values.flat]).reshape(values.shape)


def test_whitening_matches_published_sequence() -> None:
    assert WHITENING[:12].tobytes().hex() == "fffefcf8f0e1c2850b172f5e"
    assert len(set(WHITENING.tolist())) == 255 and 0 not in WHITENING, "all states but 0: the period is 255"
    assert WHITENING[254] == 0x7F, "the next state is 0xFF again"


def test_nibbles_low_one_first() -> None:
    data = np.array([[0x12, 0xF0]], np.uint8)
    assert to_nibbles(data).tolist() == [[0x2, 0x1, 0x0, 0xF]]
    np.testing.assert_array_equal(to_bytes(to_nibbles(data)), data)


def test_hamming_codewords_by_hand() -> None:
    # 1 has only the first data bit, which is in the first, third and fourth parity.
    assert [f"{ENCODE[n][1]:0{n}b}" for n in (5, 6, 7, 8)] == ["10001", "100010", "1000101", "10001011"]
    assert f"{ENCODE[8][0b1010]:08b}" == "01011001"


@pytest.mark.parametrize(("length", "distance"), [(5, 2), (6, 2), (7, 3), (8, 4)])
def test_hamming_codes_distance_and_correction(length: int, distance: int) -> None:
    words = ENCODE[length].astype(int)
    apart = popcount(words[:, None] ^ words[None, :])
    assert apart[~np.eye(16, dtype=bool)].min() == distance
    np.testing.assert_array_equal(DECODE[length][words], np.arange(16))
    hit = words[:, None] ^ 1 << np.arange(length - 1, -1, -1)  # (16, length): every single flip, data bits first
    correct = DECODE[length][hit] == np.arange(16)[:, None]
    if distance >= 3:
        assert correct.all()
    else:
        assert not correct[:, :4].any() and correct[:, 4:].all(), "detected, not corrected: data bits pass unchanged"


def test_lora_header_by_hand() -> None:
    # 56 bytes, 4/5, CRC: 0x38 and 0b0011; of the checksum bits c4..c0 only c1 (three ones) and c0 are set.
    assert header(56, 5, True).tolist() == [0x3, 0x8, 0x3, 0x0, 0x3]
    assert header(255, 8, False).tolist() == [0xF, 0xF, 0x8, 0x0, 0x3]


def test_lora_header_checksum_detects_two_flips() -> None:
    def checksum(fields: int) -> tuple[int, int]:
        nibbles = header(fields >> 4, (fields >> 1 & 7) + 4, bool(fields & 1))
        return int(nibbles[3]), int(nibbles[4])

    patterns = [1 << i | 1 << j for i in range(12) for j in range(12)]
    assert (0, 0) not in [checksum(pattern) for pattern in patterns], "linear: undetected patterns give 0"


def test_lora_payload_crc_xors_last_two_bytes() -> None:
    rows = np.frombuffer(b"123456789\x00\x00123456789\x01\x02", np.uint8).reshape(2, 11)
    assert payload_crc(rows).tolist() == [[0xC3, 0x31], [0xC3 ^ 2, 0x31 ^ 1]]  # 0x31C3: CRC-16/XMODEM's check value
    assert payload_crc(np.array([[7]], np.uint8)).tolist() == [[7, 0]]


def test_gray_neighbours_differ_in_one_bit() -> None:
    values = np.arange(1 << 12)
    np.testing.assert_array_equal(ungray(gray(values)), values)
    assert set(popcount(gray(values) ^ gray((values + 1) % (1 << 12)))) == {1}


def test_lora_interleaver_by_hand() -> None:
    block = np.array([0b11111, 0, 0, 0, 0, 0, 0], np.uint8)
    assert interleave(block, 5).tolist() == [1, 64, 32, 16, 8], "the first codeword runs down a diagonal"


@pytest.mark.parametrize("rows", range(5, 13))
@pytest.mark.parametrize("length", [5, 6, 7, 8])
def test_lora_interleaver_is_invertible_and_spreads_symbols(rows: int, length: int) -> None:
    blocks = np.random.default_rng(1).integers(0, 1 << length, (9, rows), dtype=np.uint8)
    symbols = interleave(blocks, length)
    assert symbols.shape == (9, length) and symbols.max() < 1 << rows
    np.testing.assert_array_equal(deinterleave(symbols, rows), blocks)
    for number in range(length):
        wrong = np.repeat(symbols[:1], 1 << rows, 0)
        wrong[:, number] = np.arange(1 << rows)  # every value that the receiver may take this symbol for
        hit = deinterleave(wrong, rows) ^ blocks[:1]
        assert not (hit & ~np.uint16(1 << length - 1 - number)).any()
