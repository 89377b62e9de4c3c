"""Limits of header tags: exact sums, the required rate of forgeries, and random tags against them."""

import numpy as np
import pytest

from wire import bch
from wire.secure.limits import FORGERY_RATE, NEXT_RATE, WINDOW_RATE, forgery_probability, max_tag_flips, refused


@pytest.mark.parametrize("rate", [NEXT_RATE, WINDOW_RATE])
@pytest.mark.parametrize("candidates", [1, 2, 3, 16, 33, 160, 2048, 65536, 1 << 20])
def test_max_tag_flips_is_the_largest_within_the_rate(candidates: int, rate: float) -> None:
    flips = max_tag_flips(candidates, rate)
    assert forgery_probability(flips, candidates) <= rate < forgery_probability(flips + 1, candidates)


def test_two_searches_accept_one_forged_frame_in_2_24() -> None:
    assert pytest.approx(FORGERY_RATE) == NEXT_RATE + WINDOW_RATE == pytest.approx(2.0**-24)
    found = forgery_probability(max_tag_flips(1)) + forgery_probability(max_tag_flips(2048, WINDOW_RATE), 2048)
    assert 0.99 * 2**-24 < found <= 2**-24
    assert (max_tag_flips(1), max_tag_flips(2048, WINDOW_RATE)) == (11, 6)


def test_max_tag_flips_of_too_many_candidates() -> None:
    assert max_tag_flips(2**39, 2.0**-25) == 0
    assert max_tag_flips(2**39 + 1, 2.0**-25) == -1


def test_forgery_probability_of_small_cases() -> None:
    assert forgery_probability(0) == 2.0**-64
    assert forgery_probability(1, 3) == 3 * 65 / 2.0**64
    assert forgery_probability(64) == 1.0 and forgery_probability(64, 9) == 1.0


def test_forgery_probability_matches_random_tags() -> None:
    """At 22 flips, where forgeries are frequent enough to count: 1 in 132 for one candidate."""
    rng = np.random.default_rng(0)
    tags = rng.integers(0, 1 << 64, size=(300_000, 2), dtype=np.uint64)
    within = (bch.weights(tags[:, 0] ^ tags[:, 1]) <= 22).mean()
    assert within == pytest.approx(forgery_probability(22), rel=0.1)


@pytest.mark.parametrize("ber", [0.01, 0.05, 0.1])
def test_refused_matches_random_flips(ber: float) -> None:
    flips = np.random.default_rng(1).binomial(64, ber, size=200_000)
    for limit in (2, 6, 9):
        share = refused(limit, ber)
        assert (flips > limit).mean() == pytest.approx(share, abs=5 * np.sqrt(share / 200_000) + 1e-9)


def test_refused_at_the_ends() -> None:
    assert refused(64, 0.5) == 0 and refused(9, 0.0) == 0
    assert refused(-1, 0.1) == pytest.approx(1)
