"""Tests of channels by mean BER and from text."""

from math import sqrt

import numpy as np
import pytest

from channel_sim import AT_BER, HELP, BitFlips, Compose, LoRa, Psk, at_ber, parse

# By mean BER


@pytest.mark.parametrize("name", AT_BER)
@pytest.mark.parametrize("ber", [1e-3, 0.01, 0.15, 0.4])
def test_at_ber_has_requested_rate(name: str, ber: float) -> None:
    mask, lost = at_ber(name, ber).flips(10_000, 400, np.random.default_rng(1))
    assert not lost.any()
    rates = mask[:, 20:].mean(1)  # LoRa's first 5 nibbles have a lower BER
    assert abs(rates.mean() - ber) <= 5 * rates.std() / sqrt(len(rates))


@pytest.mark.parametrize("name", AT_BER)
def test_at_ber_per_frame_rates_at_both_extremes(name: str) -> None:
    channel = at_ber(name, np.repeat([0.0, 0.5, 0.02], 3000))
    clean, noise, some = channel.flips(9000, 400, np.random.default_rng(2))[0][:, 20:].reshape(3, 3000, -1)
    assert not clean.any()
    assert abs(noise.mean() - 0.5) < 0.005
    assert abs(some.mean() - 0.02) <= 5 * some.mean(1).std() / sqrt(3000)


def test_at_ber_models_differ_in_clustering() -> None:
    """Compare the probability of a flip 8 bits after another, at a mean rate of 0.02."""
    after = {}
    for name in AT_BER:
        mask, _ = at_ber(name, 0.02).flips(20_000, 400, np.random.default_rng(3))
        after[name] = (mask[:, 28:] & mask[:, 20:-8]).sum() / mask[:, 20:-8].sum()
    assert after["bsc"] == pytest.approx(0.02, rel=0.1) and after["bpsk-awgn"] == pytest.approx(0.02, rel=0.1)
    assert after["gilbert-elliott"] > 0.2 and after["bpsk-rayleigh"] > 0.1 and after["lora"] > 0.1


def test_at_ber_refuses_impossible_rates() -> None:
    with pytest.raises(ValueError, match=r"unknown channel 'awgn'; known: bsc, gilbert-elliott, .*lora"):
        at_ber("awgn", 0.1)
    for ber in (-0.1, 0.6, float("nan")):
        with pytest.raises(ValueError, match=r"lies between 0 and 0\.5"):
            at_ber("lora", ber)


# By name


@pytest.mark.parametrize(
    "text",
    [
        "bsc:ber=0.05",
        "bursts:ber=0.02,burst=40",
        "gilbert-elliott:good-to-bad=1e-3,bad-to-good=0.1,ber-bad=0.3",
        "bpsk:ebn0=3",
        "qpsk:ebn0=3,fading=rayleigh,coherence=100",
        "lora:sf=9,snr=-12.5,cr=8,bw=250",
        "byte-loss:p=0.01",
        "truncation:p=1e-2",
        "frame-loss:p=0.1",
        "duplicate:p=0.1",
        "bsc:ber=0.05+byte-loss:p=0.01",
    ],
)
def test_parse_knows_every_model(text: str) -> None:
    mask, lost = parse(text).flips(5, 80, np.random.default_rng(0))
    assert mask.shape == (5, 80) and lost.shape == (5,)
    assert text.split(":")[0] in HELP


def test_parse_passes_settings() -> None:
    implicit = parse("lora:snr=-12,header=implicit")
    assert isinstance(implicit, LoRa) and not implicit.explicit_header
    lora = parse("lora:sf=9,snr=-12.5,cr=8,bw=250")
    assert isinstance(lora, LoRa)
    assert (lora.sf, lora.coding_rate, lora.bandwidth_hz, float(lora.snr_db)) == (9, 8, 250e3, -12.5)
    assert lora.explicit_header
    qpsk, still = parse("qpsk:ebn0=3,fading=rayleigh,coherence=100"), parse("bpsk:ebn0=-1")
    assert isinstance(qpsk, Psk) and (qpsk.bits_per_symbol, qpsk.coherence_symbols) == (2, 100)
    assert isinstance(still, Psk) and (still.bits_per_symbol, still.coherence_symbols) == (1, None)
    both = parse("bsc:ber=1e-1+duplicate:p=1e+0")
    assert isinstance(both, Compose) and isinstance(both.stages()[0], BitFlips)
    assert len(both.corrupt(b"abc", np.random.default_rng(0)) or b"") == 6


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("awgn:snr=3", "unknown channel 'awgn'; known: bsc, bursts, gilbert-elliott, bpsk, qpsk, lora, byte-loss,"),
        ("", "unknown channel ''; known: bsc"),
        ("bsc", "bsc needs ber; it is bsc:ber="),
        ("bsc:0.1", "bsc has no setting '0.1'; it is bsc:ber="),
        ("gilbert-elliott:good-to-bad=.1", "gilbert-elliott needs bad-to-good; it is gilbert-elliott:good-to-bad=,"),
        ("bsc:ber=much", "bsc: ber is a number, not 'much'"),
        ("lora:snr=-9,sf=7.5", "lora: sf is a whole number, not '7.5'; it is lora:snr=,sf=7,cr=5,bw=125,header="),
        ("lora:snr=-9,header=none", "lora: a header is explicit or implicit, not 'none'"),
        ("lora:snr=-9,sf=6", "lora: a spreading factor is 7 to 12, not 6"),
        ("bpsk:ebn0=3,fading=rice", "bpsk: fading is none or rayleigh, not 'rice'"),
        ("bsc:ber=0.1+bsc:ber=0.7", "bsc: a bit error rate lies between 0 and 0.5"),
    ],
)
def test_parse_errors_are_one_line(text: str, line: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert str(caught.value).startswith(line) and "\n" not in str(caught.value)
