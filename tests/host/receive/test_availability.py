"""When a sender has been silent for too long, by its own rhythm."""

from collections.abc import Iterable

import numpy as np
import pytest

from host.receive.availability import DAY_S, FACTOR, MIN_SILENCE_S, Availability

HOUR_S = 3600.0


def hear(rhythm: Availability, times: Iterable[float]) -> list[tuple[float, float]]:
    """Record frames at these times, with a check each second before. Returns times and lengths of reported silences."""
    reported = []
    for now in times:
        limit = rhythm.limit_s
        if limit is not None and now - rhythm.last_heard > limit:
            silence = rhythm.check(rhythm.last_heard + limit)
            assert silence == limit and rhythm.check(now) is None, "reported once"
            reported.append((now, silence))
        assert (rhythm.hear(now) is not None) == bool(reported and reported[-1][0] == now)
    return reported


@pytest.mark.parametrize(("period_s", "limit_s"), [(60, 210), (3600, 12_600), (5, MIN_SILENCE_S)])
def test_rhythm_follows_the_announced_period_at_once(period_s: int, limit_s: float) -> None:
    rhythm = Availability(0.0)
    assert rhythm.limit_s is None and rhythm.check(1e9) is None
    rhythm.period_s = period_s
    assert rhythm.check(limit_s - 1) is None
    assert rhythm.check(limit_s) == limit_s
    assert rhythm.check(limit_s + 1e6) is None, "reported once"
    assert rhythm.hear(2 * limit_s) == 2 * limit_s
    assert rhythm.hear(3 * limit_s) is None, "back only once"


def test_rhythm_of_a_board_that_announces_nothing_is_known_after_a_day() -> None:
    rhythm = Availability(0.0)
    hear(rhythm, np.arange(300.0, DAY_S, 300))
    assert rhythm.limit_s is None
    hear(rhythm, [DAY_S, DAY_S + 300])
    assert rhythm.limit_s == FACTOR * 300


def test_rhythm_of_frequent_images_is_known_after_a_day() -> None:
    rhythm = Availability(0.0, period_s=3600)
    hear(rhythm, np.arange(10.0, DAY_S - 10, 10))
    assert rhythm.limit_s == FACTOR * 3600
    hear(rhythm, np.arange(DAY_S, DAY_S + 100, 10))
    assert rhythm.limit_s == MIN_SILENCE_S


def test_rhythm_of_a_board_that_sees_motion_by_day_only_is_not_missed_at_night() -> None:
    """It sends many images by day and one status frame per hour, for a week."""
    rng, rhythm = np.random.default_rng(1), Availability(0.0, period_s=3600)
    days = [DAY_S * day + 8 * HOUR_S + np.sort(rng.uniform(0, 10 * HOUR_S, 2000)) for day in range(7)]
    times = np.sort(np.concatenate([*days, np.arange(HOUR_S, 7 * DAY_S, HOUR_S)]))
    assert hear(rhythm, times) == []


@pytest.mark.parametrize("lost", [0.1, 0.3])
def test_rhythm_bears_losses(lost: float) -> None:
    rng, rhythm = np.random.default_rng(2), Availability(0.0, period_s=60)
    times = [60.0 * n for n in range(1, 10_000) if rng.random() > lost]
    reported = hear(rhythm, times)
    runs = np.count_nonzero(np.diff(times) > FACTOR * 60)
    assert 0 < len(reported) == runs <= 2 * 10_000 * lost**3


def test_rhythm_forgets_a_single_outage_and_learns_a_slower_one() -> None:
    rhythm = Availability(0.0)
    fast = np.arange(30.0, 2 * DAY_S, 30)
    hear(rhythm, fast)
    outage = fast[-1] + 5000
    assert len(hear(rhythm, [outage])) == 1
    assert rhythm.limit_s == FACTOR * 30
    missed = [len(hear(rhythm, [outage + 600 * n])) for n in range(1, 6)]
    assert 1 <= sum(missed) <= 2 and missed[2:] == [0, 0, 0]
    assert rhythm.limit_s == FACTOR * 600


def test_rhythm_of_rare_frames_is_their_announced_period() -> None:
    rhythm = Availability(0.0, period_s=64_800)
    assert hear(rhythm, np.arange(64_800, 100 * DAY_S, 64_800)) == []
    assert rhythm.limit_s == FACTOR * 64_800


def test_excuse_does_not_count_time_in_which_nobody_could_hear() -> None:
    rhythm = Availability(0.0, period_s=60)
    rhythm.excuse(1000, 1050)
    assert rhythm.check(1209) is None and rhythm.check(1210) == 210
    rhythm.excuse(1e9, 1200)
    assert rhythm.last_heard == 1200
