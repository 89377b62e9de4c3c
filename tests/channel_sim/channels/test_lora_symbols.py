"""Tests of LoRa symbols in noise, against theory and a receiver of all bins."""

import numpy as np
import pytest

from channel_sim import symbol_error_rate
from channel_sim.channels import lora
from tests.support.statistics import within


@pytest.mark.parametrize("bins", [2, 3, 4])
def test_symbol_error_rate_matches_closed_series(bins: int) -> None:
    """Alternating series of Proakis, eq. 5.4-46; with more bins its terms grow beyond what floats resolve."""
    from math import comb, exp

    m, es_n0 = 1 << bins, (1 << bins) * 10**0.1
    series = sum((-1) ** (k + 1) * comb(m - 1, k) / (k + 1) * exp(-es_n0 * k / (k + 1)) for k in range(1, m))
    assert symbol_error_rate(1.0, bins) == pytest.approx(series, rel=1e-8)


@pytest.mark.parametrize("sf", range(7, 13))
def test_demodulate_matches_integral(sf: int) -> None:
    rng = np.random.default_rng(sf)
    for off in (-3.0, -1.5, 0.0):  # symbol error rates of about 0.2, 0.05 and 0.005
        snr = -8.8 - 2.6 * (sf - 7) + off
        sent = rng.integers(0, 1 << sf, (2000, 200))
        wrong = lora.demodulate(sent, np.full(2000, snr), sf, rng) != sent
        p = float(symbol_error_rate(snr, sf))
        assert 1e-3 < p < 0.4 and within(int(wrong.sum()), wrong.size, p)
        assert not within(int(wrong.sum()), wrong.size, float(symbol_error_rate(snr + 0.1, sf))), "detects 0.1 dB"


def test_demodulate_matches_receiver_of_all_bins() -> None:
    """20,000 symbols at SF7, -10 dB, with all 128 bins: chirps in complex noise, the strongest bin wins."""
    rng, sent = np.random.default_rng(2), np.zeros((20_000, 1), int)
    shape = (20_000, 128)
    bins = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) * np.sqrt(0.5)
    bins[:, 0] += np.sqrt(128 * 10**-1.0)
    real = int((np.abs(bins).argmax(1) != 0).sum())
    drawn = int((lora.demodulate(sent, np.full(20_000, -10.0), 7, rng) != 0).sum())
    p = float(symbol_error_rate(-10.0, 7))
    assert within(real, 20_000, p) and within(drawn, 20_000, p)


def test_demodulate_errors_are_uniform_over_other_symbols() -> None:
    decided = lora.demodulate(np.full((1000, 256), 5), np.full(1000, -40.0), 7, np.random.default_rng(3))
    counts = np.bincount(decided.ravel(), minlength=128)
    p = float(symbol_error_rate(-40.0, 7))
    assert all(within(int(n), decided.size, p / 127) for n in np.delete(counts, 5))
