"""Tests of operating points: frontiers, mixtures of two points, paired comparisons."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.adaptive.frontier import Frontier, Point, best_within, compare, compare_at


def point(air_s: float, accuracy: float, n: int = 1000, selected_by: float | None = None, name: str = "") -> Point:
    """Return a point whose first images are the correct ones."""
    correct = (np.arange(n) < round(accuracy * n)).astype(np.float32)
    return Point("scheme", name, air_s, 8 * air_s, 100 * air_s, correct, 0.0, selected_by or accuracy)


def test_frontier_drops_points_below_lines_between_others() -> None:
    points = [point(0.3, 0.8), point(0.1, 0.5), point(0.2, 0.6), point(0.2, 0.7), point(0.4, 0.79), point(0.25, 0.72)]
    assert [p.air_s for p in Frontier.of(points, "air_s").points] == [0.1, 0.2, 0.3]
    assert Frontier.of(points, "air_s").points[1].accuracy == pytest.approx(0.7)
    with pytest.raises(ValueError, match="needs points"):
        Frontier.of([], "bytes")


def test_frontier_mixes_neighbours_and_ends_at_both_sides() -> None:
    frontier = Frontier.of([point(0.1, 0.5), point(0.3, 0.9)], "air_s")
    assert frontier.at(0.09) is None
    middle, beyond = frontier.at(0.2), frontier.at(9.0)
    assert middle is not None and beyond is not None
    assert middle[0].mean() == pytest.approx(0.7) and set(np.unique(middle[0])) == {0.0, 0.5, 1.0}
    assert beyond[0].mean() == pytest.approx(0.9)
    by_energy = Frontier.of(frontier.points, "energy_mj")
    assert by_energy.cheapest == pytest.approx(10.0)


def test_frontier_is_chosen_by_held_out_accuracy() -> None:
    lucky, good = point(0.1, 0.9, selected_by=0.6), point(0.1, 0.8, selected_by=0.7)
    assert Frontier.of([lucky, good], "air_s").points == [good]
    assert best_within([lucky, good, point(0.5, 0.99)], "air_s", 0.2) is good
    assert best_within([lucky], "air_s", 0.05) is None


def test_compare_pairs_the_images() -> None:
    one, other = (Frontier.of([point(0.1, 0.5), point(0.3, high)], "air_s") for high in (0.9, 0.8))
    assert [c.cost for c in compare(one, other)] == [0.1, 0.3]
    same, ahead = compare(one, other)
    assert (same.difference, same.error, same.is_ahead, same.is_behind) == (0.0, 0.0, False, False)
    assert ahead.difference == pytest.approx(0.1) and ahead.is_ahead
    assert ahead.error == pytest.approx(np.sqrt(0.1 * 0.9 / 1000))
    uncertain = Frontier.of([replace(p, error=0.03) for p in other.points], "air_s")
    (_, simulated) = compare(one, uncertain)
    assert simulated.error == pytest.approx(np.hypot(ahead.error, 0.03)) and simulated.difference == ahead.difference
    behind = compare_at(other, one, 0.2)
    assert behind is not None and behind.difference == pytest.approx(-0.05) and behind.is_behind
    assert compare_at(one, Frontier.of([point(0.2, 0.8)], "air_s"), 0.15) is None
