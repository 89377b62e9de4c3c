"""Tests of the LoRa channel against theory: symbol errors, packet errors, lost headers, air time, readings."""

from collections.abc import Callable

import numpy as np
import pytest

from channel_sim import Compose, LoRa, bit_error_rate, symbol_error_rate
from channel_sim.channels import lora
from tests.support.statistics import within


def random_frames(n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (n, size), dtype=np.uint8)


def bits_wrong(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Flipped bits of each frame (n,)."""
    return np.unpackbits(one ^ other, axis=1).sum(1)


# Packets


@pytest.mark.parametrize("sf", range(7, 13))
@pytest.mark.parametrize("coding_rate", [5, 6, 7, 8])
@pytest.mark.parametrize("explicit_header", [True, False])
def test_lora_without_noise_every_length_arrives(sf: int, coding_rate: int, explicit_header: bool) -> None:
    rng = np.random.default_rng(4)
    for size in (1, 2, 3, 5, 17, 62, 255):
        for low_data_rate, crc in ((True, True), (False, False)):
            channel = LoRa(np.inf, sf, coding_rate, 125e3, explicit_header, low_data_rate, crc)
            frames = random_frames(3, size, rng)
            received, crc_ok, lost = channel.transmit(frames, rng)
            np.testing.assert_array_equal(received, frames)
            assert crc_ok.all() and not lost.any()


# 56 bytes, SF7, 4/5, as computed beforehand by another program: SNR, BER, packet errors.
TABLE = [(-8.0, 8e-4, 0.10), (-9.0, 5e-3, 0.47), (-10.0, 2e-2, 0.92), (-11.0, 5e-2, 1.00)]


@pytest.mark.parametrize(("snr", "ber", "packets"), TABLE)
def test_lora_error_rates_of_56_bytes_at_sf7(snr: float, ber: float, packets: float) -> None:
    """112 nibbles are 16 blocks of 7 after the header: correct if and only if 64 data symbols are."""
    rng, n = np.random.default_rng(5), 8000
    frames = random_frames(n, 56, rng)
    received, _, lost = LoRa(snr).transmit(frames, rng)
    flipped = bits_wrong(frames, received)
    expected = 1 - (1 - float(symbol_error_rate(snr, 7))) ** 64
    assert within(int((flipped > 0).sum()), n, expected)
    assert expected == pytest.approx(packets, abs=0.01)
    assert flipped.mean() / 448 == pytest.approx(ber, rel=0.15)
    assert not lost.all()


@pytest.mark.parametrize(("sf", "snr"), [(7, -10.0), (8, -12.0), (10, -18.0)])
@pytest.mark.parametrize("coding_rate", [5, 6, 7, 8])
def test_lora_payload_ber_matches_theory(sf: int, snr: float, coding_rate: int) -> None:
    rng, n, size = np.random.default_rng(6), 8000, 60
    channel = LoRa(snr, sf, coding_rate, explicit_header=False)
    frames = random_frames(n, size, rng)
    received, _, _ = channel.transmit(frames, rng)
    flipped = bits_wrong(frames[:, 5:], received[:, 5:])  # after the first block, whatever the SF
    mean, error = flipped.mean() / (8 * (size - 5)), 5 * flipped.std() / np.sqrt(n) / (8 * (size - 5))
    expected = float(bit_error_rate(snr, sf, coding_rate))
    assert abs(mean - expected) <= error
    assert error < abs(expected - float(bit_error_rate(snr + 0.3, sf, coding_rate))), "detects 0.3 dB"


def test_lora_per_frame_snr() -> None:
    rng = np.random.default_rng(7)
    mask, _ = LoRa(np.repeat([np.inf, -9.0, -np.inf], 2000)).flips(6000, 448, rng)
    clean, some, all_noise = mask.reshape(3, -1)
    assert not clean.any() and 3e-3 < some.mean() < 7e-3 and 0.45 < all_noise.mean() < 0.55


def damage(symbols: list[int], sf: int, seed: int) -> Callable[..., np.ndarray]:
    """Return a demodulator that decides these symbols wrongly, and no others."""

    def receive(sent: np.ndarray, _snr: np.ndarray, _sf: int, _rng: np.random.Generator) -> np.ndarray:
        decided = sent.copy()
        offsets = np.random.default_rng(seed).integers(1, 1 << sf, (len(sent), len(symbols)))
        decided[:, symbols] = (decided[:, symbols] + offsets) % (1 << sf)
        return decided

    return receive


@pytest.mark.parametrize("coding_rate", [5, 6, 7, 8])
@pytest.mark.parametrize("sf", [7, 9, 12])
def test_lora_one_symbol_error_is_one_burst(sf: int, coding_rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    frames = random_frames(50, 56, rng)
    channel = LoRa(0.0, sf, coding_rate, low_data_rate=False)
    blocks = -(-(5 + 112 + 4 - (sf - 2)) // sf)
    for symbol in range(8 + blocks * coding_rate):
        monkeypatch.setattr(lora, "demodulate", damage([symbol], sf, symbol))
        received, crc_ok, lost = channel.transmit(frames, rng)
        assert not lost.any()
        # The flipped bits of each payload nibble, low one first.
        hit = np.unpackbits(frames ^ received, axis=1).reshape(50, 56, 2, 4)[:, :, ::-1].reshape(50, 112, 4)
        if symbol < 8 or coding_rate >= 7 or (symbol - 8) % coding_rate >= 4:
            assert not hit.any(), "a corrected code, or a parity"
            continue
        start = sf - 7 + (symbol - 8) // coding_rate * sf  # the block's first payload nibble
        assert not hit[:, : max(start, 0)].any() and not hit[:, start + sf :].any() and hit.sum(2).max() <= 1
        if start + sf <= 112:
            assert not crc_ok[hit.any((1, 2))].any()


def test_lora_loses_packet_with_damaged_header(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, frames = np.random.default_rng(9), np.zeros((400, 20), np.uint8)
    monkeypatch.setattr(lora, "demodulate", damage([0, 1], 7, 9))
    _, _, lost = LoRa(0.0).transmit(frames, rng)
    assert 0.5 < lost.mean() < 1, "the code corrects one wrong symbol, not two, except by chance"
    _, crc_ok, lost = LoRa(0.0, explicit_header=False).transmit(frames, rng)
    assert not lost.any() and not crc_ok.all(), "without a header, the payload is damaged"
    monkeypatch.setattr(lora, "demodulate", damage([0], 7, 9))
    assert not LoRa(0.0).transmit(frames, rng)[2].any(), "one wrong symbol is corrected"


def test_lora_header_loss_rate() -> None:
    n = 20_000
    _, lost = LoRa(-11.0).flips(n, 80, np.random.default_rng(10))
    # At reduced rate, the three nearest of the 127 wrong bins round to the correct one.
    wrong = float(symbol_error_rate(-11.0, 7)) * 124 / 127
    two = 1 - (1 - wrong) ** 8 - 8 * wrong * (1 - wrong) ** 7
    assert 0.5 * two < lost.mean() <= two + 5 * np.sqrt(two / n)


def test_lora_crc_marks_damaged_payloads() -> None:
    rng = np.random.default_rng(11)
    frames = random_frames(5000, 56, rng)
    received, crc_ok, _ = LoRa(-9.0).transmit(frames, rng)
    intact = (frames == received).all(1)
    assert not (crc_ok & ~intact).any(), "one wrong payload in 65536 would pass"
    assert 0 < (intact & ~crc_ok).mean() < 0.06, "only the two bytes of the CRC itself are wrong"
    assert LoRa(-20.0, crc=False).transmit(frames, rng)[1].all()


def test_lora_crc_misses_errors_shared_with_last_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The CRC is xored with the last two bytes: equal flips in them and in the CRC cancel out.

    At SF9, 56 bytes end with 2 nibbles in a block with the CRC's 4 and 3 of padding: of 511 wrong values of a
    data symbol, those whose two pairs of bits agree are missed, 3 * 2**3 with a wrong payload.
    """
    rng, n = np.random.default_rng(14), 20_000
    monkeypatch.setattr(lora, "demodulate", damage([8 + 12 * 5 + 1], 9, 14))
    frames = random_frames(n, 56, rng)
    received, crc_ok, _ = LoRa(0.0, 9).transmit(frames, rng)
    assert within(int((crc_ok & (frames != received).any(1)).sum()), n, 24 / 511)


def test_flips_of_no_frames_is_empty() -> None:
    mask, lost = LoRa(np.zeros(0)).flips(0, 448, np.random.default_rng(0))
    assert mask.shape == (0, 448) and lost.shape == (0,)


def test_lora_flips_and_corrupt_agree_with_transmit() -> None:
    zeros, channel = np.zeros((300, 56), np.uint8), LoRa(-10.0)
    received, _, lost = channel.transmit(zeros, np.random.default_rng(12))
    mask, gone = channel.flips(300, 448, np.random.default_rng(12))
    np.testing.assert_array_equal(np.packbits(mask, axis=1), received)
    np.testing.assert_array_equal(gone, lost)
    frame = random_frames(1, 56, np.random.default_rng(0))
    for seed in range(200):
        received, _, lost = channel.transmit(frame, np.random.default_rng(seed))
        expected = None if lost[0] else received.tobytes()
        assert channel.corrupt(frame.tobytes(), np.random.default_rng(seed)) == expected


# Air time


@pytest.mark.parametrize(
    ("sf", "coding_rate", "size", "milliseconds"),
    [
        (7, 5, 51, 102.656),  # Semtech's and TTN's calculators: 102.7 ms
        (7, 5, 13, 46.336),
        (9, 5, 51, 328.704),
        (10, 5, 51, 616.448),
        (11, 5, 51, 1314.816),  # low data rate from here on
        (12, 5, 51, 2465.792),
        (12, 5, 13, 1155.072),
        (12, 8, 13, 1449.984),
    ],
)
def test_air_time_matches_known_calculators(sf: int, coding_rate: int, size: int, milliseconds: float) -> None:
    assert 1e3 * LoRa(0.0, sf, coding_rate).air_time_s(size) == pytest.approx(milliseconds, abs=1e-6)


def test_low_data_rate_is_on_from_16_ms_symbols() -> None:
    def on(sf: int, bandwidth_hz: float) -> bool:
        return LoRa(0.0, sf, bandwidth_hz=bandwidth_hz).low_data_rate

    assert on(11, 125e3) and on(12, 250e3) and on(10, 62.5e3)
    assert not on(10, 125e3) and not on(11, 250e3) and not on(12, 500e3)


@pytest.mark.parametrize("sf", range(7, 13))
@pytest.mark.parametrize("explicit_header", [True, False])
@pytest.mark.parametrize("low_data_rate", [True, False])
def test_lora_sends_as_many_symbols_as_air_time_counts(
    sf: int, explicit_header: bool, low_data_rate: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def receive(sent: np.ndarray, *_rest: object) -> np.ndarray:
        counts.append(sent.shape[1])
        return sent

    monkeypatch.setattr(lora, "demodulate", receive)
    for coding_rate in (5, 8):
        for size in (1, 2, 10, 62, 255):
            for crc in (True, False):
                channel = LoRa(0.0, sf, coding_rate, 125e3, explicit_header, low_data_rate, crc, preamble_symbols=12)
                channel.transmit(np.zeros((1, size), np.uint8), np.random.default_rng(0))
                assert channel.air_time_s(size) == pytest.approx((12 + 4.25 + counts[-1]) * channel.symbol_s)


# Readings


def test_lora_readings_of_snr_and_rssi() -> None:
    rng, channel = np.random.default_rng(13), LoRa(-5.0)
    receptions = [channel.receive(bytes(4), rng) for _ in range(2000)]
    snr = np.array([r.snr_db for r in receptions if r])
    assert snr.mean() == pytest.approx(-5.0, abs=0.12) and snr.std() == pytest.approx(1.0, abs=0.1)
    assert np.all(snr * 4 % 1 == 0)
    # The noise is -174 + 51 + 6 = -117 dBm, and the total power 1.2 dB more.
    assert np.mean([r.rssi_dbm for r in receptions if r]) == pytest.approx(-117 + 1 - 5, abs=0.3)
    assert all(r.crc_ok and r.payload == bytes(4) for r in receptions if r)
    strong, weak = LoRa(60.0).receive(b"x", rng), LoRa(-60.0, explicit_header=False).receive(b"x", rng)
    assert strong and strong.snr_db == 31.75 and strong.rssi_dbm == -57
    assert weak and weak.snr_db == -32.0


def test_lora_receive_agrees_with_corrupt() -> None:
    channel, frame = LoRa(-11.0), bytes(range(30))
    for seed in range(100):
        reception = channel.receive(frame, np.random.default_rng(seed))
        assert (reception and reception.payload) == channel.corrupt(frame, np.random.default_rng(seed))
    assert (
        channel.receive(
            frame,
            np.random.default_rng(
                np.argmax([channel.corrupt(frame, np.random.default_rng(seed)) is None for seed in range(100)])
            ),
        )
        is None
    )


# Refused settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"snr_db": float("nan")}, "an SNR is"),
        ({"snr_db": np.zeros((2, 2))}, "an SNR is"),
        ({"sf": 6}, "a spreading factor is 7 to 12, not 6"),
        ({"coding_rate": 4}, "a coding rate is 5 to 8"),
        ({"bandwidth_hz": 0.0}, "a bandwidth is 7.8 to 500 kHz"),
        ({"preamble_symbols": 5}, "a preamble has 6 symbols or more"),
    ],
)
def test_channel_refuses_impossible_settings(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LoRa(**{"snr_db": 0.0, **settings})


def test_lora_refuses_impossible_frames() -> None:
    rng = np.random.default_rng(0)
    for frame in (b"", bytes(256)):
        with pytest.raises(ValueError, match="a LoRa payload has 1 to 255 bytes"):
            LoRa(0.0).corrupt(frame, rng)
    with pytest.raises(ValueError, match="LoRa carries whole bytes, not 12 bits"):
        LoRa(0.0).flips(1, 12, rng)
    with pytest.raises(ValueError, match="LoRa needs whole frames, not a byte stream"):
        LoRa(0.0).line(rng)
    assert LoRa(0.0).own_sync and Compose(LoRa(0.0)).own_sync
