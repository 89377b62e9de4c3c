"""Tests of chirps behind a convolutional code: symbol errors beside theory, gains over LoRa's own chain, air time."""

from types import SimpleNamespace

import numpy as np
import pytest

from channel_sim.channels import coded_css, convolutional
from channel_sim.channels.coded_css import CodedCss, Css
from channel_sim.channels.lora import LoRa
from channel_sim.channels.lora_theory import symbol_error_rate
from wire.payload import interleaver


@pytest.mark.parametrize(("sf", "snr_db"), [(7, -12.0), (9, -17.0)])
def test_hard_decisions_have_the_symbol_error_rate_of_theory(sf: int, snr_db: float) -> None:
    channel, rng = Css(snr_db, sf), np.random.default_rng(0)
    labels = rng.integers(0, 1 << sf, (40, 100))
    soft, hard = channel.receive(labels, rng)
    sent = labels[..., None] >> np.arange(sf)[::-1] & 1
    wrong, expected = ((hard < 0) != sent).any(-1).mean(), float(symbol_error_rate(snr_db, sf))
    assert abs(wrong - expected) < 4 * np.sqrt(expected * (1 - expected) / labels.size)
    # A soft ratio is a calibrated probability: as many bits are wrong as it says.
    predicted, bits_wrong = (1 / (1 + np.exp(np.abs(soft)))).mean(), ((soft < 0) != sent).mean()
    assert bits_wrong == pytest.approx(predicted, rel=0.1)


@pytest.mark.parametrize(("sf", "snr_db"), [(7, -12.0), (9, -17.0), (12, -25.0)])
def test_hard_decisions_alone_have_the_symbol_error_rate_of_hard_decisions(sf: int, snr_db: float) -> None:
    channel, rng = Css(snr_db, sf), np.random.default_rng(0)
    bits = rng.integers(0, 2, (400, 20 * channel.bits_per_symbol), np.uint8)
    wrong, expected = (
        (received != bits).reshape(8000, -1).any(axis=1).mean()
        for received in (channel.transmit_hard(bits, rng), channel.transmit(bits, rng)[1] < 0)
    )
    assert abs(wrong - expected) < 4 * np.sqrt(2 * expected * (1 - expected) / 8000)


@pytest.mark.parametrize("snr_db", [-12.0, -8.0])
def test_coded_packets_are_those_of_the_decoder(snr_db: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packets that arrive with all signs right are not decoded; the decoder would find the same."""
    data = np.random.default_rng(0).integers(0, 2, (100, 40), np.uint8)
    received, decoded = [], []

    def decode(llr: np.ndarray) -> np.ndarray:
        decoded.append(len(llr))
        return convolutional.decode(llr)

    order = interleaver(convolutional.coded_bits(40))
    for ratios in Css(snr_db, 7).transmit(convolutional.encode(data)[:, order], np.random.default_rng(1)):
        restored = np.empty_like(ratios)
        restored[:, order] = ratios
        received.append(convolutional.decode(restored))
    monkeypatch.setattr(coded_css, "convolutional", SimpleNamespace(**vars(convolutional) | {"decode": decode}))
    np.testing.assert_array_equal(CodedCss(snr_db, 7).transmit(data, np.random.default_rng(1)), received)
    assert max(decoded) < 100 or snr_db < -10


def test_packets_survive_where_lora_loses_them() -> None:
    """At -10 dB a 4/8 packet of 4 bytes and CRC fails in 5 % of cases; the code needs about 3 dB less."""
    rng = np.random.default_rng(1)
    data = rng.integers(0, 2, (500, 52), np.uint8)
    sent = {snr: CodedCss(snr, 7).transmit(data, rng) for snr in (-10, -12)}
    failed = {snr: [(part != data).any(1).mean() for part in parts] for snr, parts in sent.items()}
    _, crc_ok, lost = LoRa(-10, 7, 8, explicit_header=False).transmit(np.zeros((500, 4), np.uint8), rng)
    (soft, hard), (soft_low, hard_low) = failed[-10], failed[-12]
    assert soft <= hard < 0.02 < 1 - (crc_ok & ~lost).mean()
    assert soft_low < 0.08 < hard_low


def test_low_data_rate_uses_fewer_bits_per_symbol() -> None:
    assert Css(-22.0, 12).bits_per_symbol == 10
    data = np.random.default_rng(2).integers(0, 2, (20, 40), np.uint8)
    soft, _ = CodedCss(-22.0, 12).transmit(data, np.random.default_rng(3))
    np.testing.assert_array_equal(soft, data)


def test_raw_bits_arrive_in_order() -> None:
    bits = np.random.default_rng(4).integers(0, 2, (30, 64), np.uint8)
    for ratios in Css(10.0, 7).transmit(bits, np.random.default_rng(5)):
        np.testing.assert_array_equal(ratios < 0, bits == 1)


def test_air_time_counts_preamble_and_coded_symbols() -> None:
    # 52 data bits and 8 of the tail are 120 coded bits: 18 symbols of 7 bits, of 1.024 ms each.
    assert CodedCss(0.0, 7).air_time_s(52) == pytest.approx((12.25 + 18) * 1.024e-3)
