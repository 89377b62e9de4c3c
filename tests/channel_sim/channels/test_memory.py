"""Tests of bursts and fading: rates and burst lengths against theory; streams that are cut anywhere."""

from collections.abc import Callable
from math import erfc, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim import Channel, GilbertElliott, Psk
from tests.support.statistics import same_however_cut, within

# Bursts


def test_gilbert_elliott_burst_rate_and_length() -> None:
    """States are visible in the flips: a bad bit flips half of the time, a good one never."""
    channel = GilbertElliott(0.01, 0.1, 0.0, 0.5)
    assert float(channel.bad_share) == pytest.approx(1 / 11) and float(channel.mean_ber) == pytest.approx(1 / 22)
    mask, lost = channel.flips(4000, 1000, np.random.default_rng(1))
    assert not lost.any()
    counts = mask.sum(1)  # frames are independent, their bits are not
    assert abs(counts.mean() - 1000 / 22) <= 5 * counts.std() / sqrt(4000)
    # The chance that two bits k apart are both bad: share * (share + (1 - share) * memory**k), Elliott 1963.
    for k in (1, 5, 20):
        pairs = (mask[:, k:] & mask[:, :-k]).mean(1)
        expected = 1 / 11 * (1 / 11 + 10 / 11 * 0.89**k) / 4
        assert abs(pairs.mean() - expected) <= 5 * pairs.std() / sqrt(4000)


def test_gilbert_elliott_frames_start_stationary() -> None:
    mask, _ = GilbertElliott(0.01, 0.1, 0.1, 0.4).flips(200_000, 1, np.random.default_rng(2))
    assert within(int(mask.sum()), 200_000, 0.1 + 0.3 / 11)


def test_gilbert_elliott_equal_states_are_independent_flips() -> None:
    mask, _ = GilbertElliott(0.2, 0.3, 0.1, 0.1).flips(2000, 500, np.random.default_rng(3))
    assert within(int(mask.sum()), mask.size, 0.1)
    assert within(int((mask[:, 1:] & mask[:, :-1]).sum()), 2000 * 499, 0.01)


@pytest.mark.parametrize("ber", [0.0, 1e-3, 0.05, 0.3, 0.49, 0.5])
def test_gilbert_elliott_bursts_by_mean_rate(ber: float) -> None:
    channel = GilbertElliott.bursts(ber, burst_bits=16)
    assert float(channel.mean_ber) == pytest.approx(ber)
    assert float(channel.p_bad_to_good) == pytest.approx(1 / 16) or ber > 0.46
    mask, _ = channel.flips(3000, 512, np.random.default_rng(4))
    assert abs(mask.mean() - ber) <= 5 * mask.mean(1).std() / sqrt(3000)


def test_gilbert_elliott_per_frame_parameters() -> None:
    mask, _ = GilbertElliott.bursts(np.repeat([0.0, 0.5], 1000)).flips(2000, 400, np.random.default_rng(5))
    assert not mask[:1000].any() and within(int(mask[1000:].sum()), 400_000, 0.5)


# Phase shift keying


def q(x: float) -> float:
    """Tail of the normal distribution."""
    return erfc(x / sqrt(2)) / 2


@pytest.mark.parametrize("bits_per_symbol", [1, 2])
@pytest.mark.parametrize("ebn0_db", [-2.0, 3.0, 7.0])
def test_psk_white_noise_matches_q_function(bits_per_symbol: int, ebn0_db: float) -> None:
    """BER = Q(sqrt(2 Eb/N0)), for BPSK and for each bit of a Gray-coded QPSK (Proakis, eq. 4.3-13)."""
    mask, _ = Psk(ebn0_db, bits_per_symbol).flips(4000, 496, np.random.default_rng(6))
    expected = q(sqrt(2 * 10 ** (ebn0_db / 10)))
    assert within(int(mask.sum()), mask.size, expected)
    assert within(int((mask[:, 1:] & mask[:, :-1]).sum()), mask[:, 1:].size, expected**2)


@pytest.mark.parametrize("bits_per_symbol", [1, 2])
@pytest.mark.parametrize("coherence", [1, 50])
@pytest.mark.parametrize("ebn0_db", [0.0, 10.0])
def test_psk_rayleigh_matches_closed_form(bits_per_symbol: int, coherence: int, ebn0_db: float) -> None:
    """BER = (1 - sqrt(g / (1 + g))) / 2 for a mean Eb/N0 of g (Proakis, eq. 13.3-7), however slow the fades."""
    mask, _ = Psk(ebn0_db, bits_per_symbol, coherence).flips(10_000, 496, np.random.default_rng(7))
    g = 10 ** (ebn0_db / 10)
    expected = (1 - sqrt(g / (1 + g))) / 2
    if bits_per_symbol == coherence == 1:
        assert within(int(mask.sum()), mask.size, expected)
        assert within(int((mask[:, 1:] & mask[:, :-1]).sum()), mask[:, 1:].size, expected**2)
    assert abs(mask.mean() - expected) <= 5 * mask.mean(1).std() / sqrt(10_000)


def test_psk_fade_lasts_its_symbols() -> None:
    """Errors cluster within a fade, not across its edge."""
    mask, _ = Psk(5.0, 2, coherence_symbols=10).flips(20_000, 40, np.random.default_rng(8))
    ber = mask.mean()
    inside, across = (mask[:, 0] & mask[:, 19]).sum(), (mask[:, 19] & mask[:, 20]).sum()
    assert within(int(across), 20_000, ber**2)
    assert inside > 1.5 * across


def test_psk_per_frame_ratio() -> None:
    mask, _ = Psk(np.repeat([np.inf, -np.inf], 1000), 2).flips(2000, 399, np.random.default_rng(9))
    assert not mask[:1000].any() and within(int(mask[1000:].sum()), 399_000, 0.5)


# Lines

CHANNELS = [
    GilbertElliott.bursts(0.1, 40),
    Psk(2.0),
    Psk(2.0, 2),
    Psk(5.0, 1, coherence_symbols=1),
    Psk(5.0, 2, coherence_symbols=37),
    Psk(5.0, 2, coherence_symbols=10**9),
]


@pytest.mark.parametrize("channel", CHANNELS)
@given(cuts=st.lists(st.integers(0, 400), max_size=12), seed=st.integers(0, 2**63))
def test_line_with_state_can_be_cut_anywhere(channel: Channel, cuts: list[int], seed: int) -> None:
    assert same_however_cut(channel, cuts, seed)


@pytest.mark.parametrize("channel", CHANNELS[:-1])
def test_line_has_rate_of_frames(channel: Channel) -> None:
    """In pieces of 5 bytes: state lost at a cut would show as independence or as a different rate."""
    frames, _ = channel.flips(4000, 800, np.random.default_rng(10))
    line = channel.line(np.random.default_rng(11))
    pieces = b"".join(line(bytes(5)) for _ in range(8000))
    running = np.unpackbits(np.frombuffer(pieces, np.uint8)).reshape(400, 800)
    for statistic in (lambda m: m.mean(1), lambda m: (m[:, 16:] & m[:, :-16]).mean(1)):
        one, other = statistic(frames.astype(bool)), statistic(running.astype(bool))
        assert abs(one.mean() - other.mean()) <= 5 * sqrt(one.var() / 4000 + other.var() / 400)


@pytest.mark.parametrize("channel", CHANNELS)
def test_corrupt_agrees_with_flips(channel: Channel) -> None:
    mask, _ = channel.flips(1, 496, np.random.default_rng(12))
    received = channel.corrupt(bytes(62), np.random.default_rng(12))
    assert received is not None and np.array_equal(np.unpackbits(np.frombuffer(received, np.uint8)), mask[0])


# Refused settings


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GilbertElliott(0.6, 0.6), "their sum above 0 and at most 1"),
        (lambda: GilbertElliott(0.0, 0.0), "their sum above 0 and at most 1"),
        (lambda: GilbertElliott(-0.1, 0.6), "transition probabilities lie between 0 and 1"),
        (lambda: GilbertElliott(0.1, float("nan")), "transition probabilities lie between 0 and 1"),
        (lambda: GilbertElliott(0.1, 0.1, 0.6), "a bit error rate lies between 0 and 0.5"),
        (lambda: GilbertElliott(np.zeros((2, 2)), 0.1), "one number, or one per frame"),
        (lambda: GilbertElliott.bursts(0.6), "a mean BER from 0 to that within a burst, 0.5"),
        (lambda: GilbertElliott.bursts(0.1, 0.5), "bursts have at least 1 bit"),
        (lambda: Psk(float("nan")), "Eb/N0 is in dB"),
        (lambda: Psk(0.0, 3), "BPSK has 1 bit per symbol and QPSK 2, got 3"),
        (lambda: Psk(0.0, 1, 0), "the coherence time is at least 1 symbol, got 0"),
    ],
)
def test_channel_refuses_impossible_settings(make: Callable[[], Channel], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
