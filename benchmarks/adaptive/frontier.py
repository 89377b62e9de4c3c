"""Operating points of schemes, and the best accuracy that a set of them reaches at a mean cost per image."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

CHANCE = 2  # standard errors


@dataclass(frozen=True, eq=False)
class Point:
    """One scheme in one setting: its mean costs per image, and what becomes of each test image.

    `correct` (n,) float32 is the probability that an image arrives and is classified correctly. `std` is the standard
    deviation of the accuracy over draws of the channel. `selected_by` is the accuracy that decides whether a frontier
    uses this point: that of held-out training images for Inkling, that of the test images for its opponents.
    `error` is the standard error of the accuracy that all images share: that of simulated shares of packets.
    """

    scheme: str  # of a family: the same way to send, in other settings
    setting: str
    air_s: float
    bytes: float
    energy_mj: float
    correct: np.ndarray
    std: float
    selected_by: float
    error: float = 0.0

    @property
    def accuracy(self) -> float:
        """The accuracy of all images sent."""
        return float(self.correct.mean())


COSTS: dict[str, Callable[[Point], float]] = {
    "air_s": lambda point: point.air_s,
    "bytes": lambda point: point.bytes,
    "energy_mj": lambda point: point.energy_mj,
}


@dataclass(frozen=True)
class Frontier:
    """The best points of a set, cheapest first: the upper convex hull of accuracy over mean cost.

    Between two points a board can alternate: a share of the images goes one way, the rest the other.
    """

    points: list[Point]
    cost: Callable[[Point], float]

    @classmethod
    def of(cls, points: Iterable[Point], cost: str) -> "Frontier":
        """Return the frontier of points by one of COSTS, chosen by `selected_by`. Raises ValueError without points."""
        of = COSTS[cost]
        hull: list[Point] = []
        # At equal cost the best comes last, and replaces the others.
        for point in sorted(points, key=lambda p: (of(p), p.selected_by)):
            if hull and point.selected_by <= hull[-1].selected_by:
                continue
            while hull and of(point) <= of(hull[-1]):
                hull.pop()
            while len(hull) > 1 and not _bends_down(hull[-2], hull[-1], point, of):
                hull.pop()
            hull.append(point)
        if not hull:
            raise ValueError("a frontier needs points")
        return cls(hull, of)

    @property
    def cheapest(self) -> float:
        """The least cost at which the scheme works at all."""
        return self.cost(self.points[0])

    def at(self, cost: float) -> tuple[np.ndarray, float] | None:
        """Return `correct` (n,) and `error` at a mean cost; None below the cheapest point.

        Beyond the last point, they are those of the last. The errors of two points are assumed to be the same error,
        which is the worst case.
        """
        if cost < self.cheapest:
            return None
        for low, high in zip(self.points, self.points[1:], strict=False):
            if cost < self.cost(high):
                share = (cost - self.cost(low)) / (self.cost(high) - self.cost(low))
                error = low.error + share * (high.error - low.error)
                return low.correct + np.float32(share) * (high.correct - low.correct), error
        return self.points[-1].correct, self.points[-1].error


@dataclass(frozen=True)
class Comparison:
    """Accuracy of one frontier minus that of another at the same mean cost, with its standard error."""

    cost: float
    difference: float
    error: float

    @property
    def is_behind(self) -> bool:
        """True if the first is behind by more than chance."""
        return self.difference < -CHANCE * self.error

    @property
    def is_ahead(self) -> bool:
        """True if the first is ahead by more than chance."""
        return self.difference > CHANCE * self.error


def compare(one: Frontier, other: Frontier) -> list[Comparison]:
    """Compare two frontiers at each cost at which either has a point and both work."""
    costs = {frontier.cost(point) for frontier in (one, other) for point in frontier.points}
    return [comparison for cost in sorted(costs) if (comparison := compare_at(one, other, cost)) is not None]


def compare_at(one: Frontier, other: Frontier, cost: float) -> Comparison | None:
    """Compare two frontiers at a mean cost; None where one of them does not work. The images are paired."""
    a, b = one.at(cost), other.at(cost)
    if a is None or b is None:
        return None
    gain = a[0].astype(np.float64) - b[0]
    return Comparison(cost, float(gain.mean()), float(np.hypot(gain.std() / np.sqrt(len(gain)), np.hypot(a[1], b[1]))))


def best_within(points: Sequence[Point], cost: str, most: float) -> Point | None:
    """Return the most accurate of the points with a mean cost of at most `most`; None if there is none."""
    affordable = [point for point in points if COSTS[cost](point) <= most]
    return max(affordable, key=lambda point: point.selected_by, default=None)


def _bends_down(low: Point, middle: Point, high: Point, cost: Callable[[Point], float]) -> bool:
    """Return True if the middle point lies above the line between the other two."""
    rise = (middle.selected_by - low.selected_by) * (cost(high) - cost(low))
    return rise > (high.selected_by - low.selected_by) * (cost(middle) - cost(low))
