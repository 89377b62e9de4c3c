"""The rhythm of a device: known or not, and the number of images that fit a time."""

import numpy as np
import pytest

from host.receive.senders.rhythm import MIN_INTERVAL_S, MIN_SAMPLES, Rhythm


def test_rhythm_is_known_after_enough_intervals() -> None:
    rhythm = Rhythm()
    for n in range(MIN_SAMPLES):
        assert rhythm.interval_s is None and rhythm.images_in(100.0) is None, n
        rhythm.add(10.0)
    assert rhythm.interval_s == 10.0


def test_rhythm_of_a_camera_that_waits_for_motion_is_unknown() -> None:
    rng = np.random.default_rng(0)
    rhythm = Rhythm(rng.exponential(60.0, 32).tolist())
    assert rhythm.interval_s is None and rhythm.images_in(60.0) is None


def test_rhythm_ignores_a_few_outliers() -> None:
    rhythm = Rhythm([10.0] * 12 + [0.1, 500.0, 33.0])
    assert rhythm.interval_s == 10.0


def test_rhythm_of_a_simulation_is_unknown() -> None:
    assert Rhythm([MIN_INTERVAL_S / 10] * 32).interval_s is None


@pytest.mark.parametrize(("images", "width"), [(1, 0.6), (24, 0.8), (200, 2.0)])
def test_images_in_contains_the_number_sent_and_few_others(images: int, width: float) -> None:
    limits = Rhythm([60.0] * 32).images_in(60.0 * images)
    assert limits and limits[0] < images < limits[1] and limits[1] - images < width


def test_images_in_tells_nothing_where_the_error_exceeds_the_numbers() -> None:
    rhythm = Rhythm((10.0 + np.random.default_rng(1).normal(0, 0.4, 32)).tolist())
    assert rhythm.images_in(10.0 * 24) and rhythm.images_in(10.0 * 1000) is None


def test_images_in_holds_for_random_intervals() -> None:
    """Intervals that vary by 3 %, and the times of 1 to 60 of them: one in a hundred may miss."""
    rng, missed = np.random.default_rng(2), 0
    for _ in range(1000):
        intervals, count = rng.normal(1.0, 0.03, 92), int(rng.integers(1, 61))
        limits = Rhythm(intervals[:32].tolist()).images_in(intervals[32 : 32 + count].sum())
        missed += not (limits and limits[0] <= count <= limits[1])
    assert missed <= 10


def test_most_in_is_at_twice_the_fastest_rate_seen() -> None:
    assert Rhythm([5.0] * 10).most_in(50.0) == 21.0
    assert Rhythm([60.0, 4.0] * 5).most_in(50.0) == 25.0, "irregular"
    assert Rhythm().most_in(1.0) == pytest.approx(1 / MIN_INTERVAL_S), "unknown"
