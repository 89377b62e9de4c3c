"""From operating points to figures: frontiers, comparisons at equal cost, and the best within the duty cycle."""

from typing import Any

from benchmarks.adaptive.frontier import COSTS, Frontier, Point, best_within, compare
from benchmarks.adaptive.schemes.contents import BOARD, COSTLY, FEATURES
from benchmarks.adaptive.schemes.conventional import SCHEME as CONVENTIONAL
from benchmarks.adaptive.schemes.modes import INKLING, SOFT
from benchmarks.goodput.findings import IMAGES_PER_HOUR
from wire.lora import DUTY_CYCLE, messages_per_hour

OPPONENTS, CHIPS = "every opponent", "every opponent on LoRa chips"
CODED = "K=9"  # in the schemes that no LoRa chip offers
OFFLOADING, COMPRESSED = "features over conventional links", "compressed images"
AIR_S = 3600 * DUTY_CYCLE / IMAGES_PER_HOUR  # per image, at that rate


def group(scheme: str) -> str:
    """Return the group of a scheme: Inkling by LoRa or on the soft radio, the board alone, features, ..."""
    if scheme.startswith(SOFT):
        return SOFT
    if scheme.startswith(INKLING):
        return INKLING
    for name in (BOARD, COSTLY):
        if scheme.startswith(name):
            return name
    if scheme == CONVENTIONAL:
        return CONVENTIONAL
    return OFFLOADING if scheme.startswith(FEATURES) else COMPRESSED


def reduce(points: list[Point]) -> dict[str, Any]:
    """Return the figures of one SNR from the points of all schemes and spreading factors."""
    schemes: dict[str, list[Point]] = {}
    groups: dict[str, list[Point]] = {name: [] for name in (INKLING, SOFT, CHIPS, OPPONENTS)}
    for point in points:
        schemes.setdefault(point.scheme, []).append(point)
        name = group(point.scheme)
        groups.setdefault(name, []).append(point)
        # The conventional adaptive mode is Inkling's idea, and a costlier board is another device: both are only shown.
        if name not in (INKLING, SOFT, CONVENTIONAL, COSTLY):
            groups[OPPONENTS].append(point)
            groups[CHIPS] += [] if CODED in point.scheme else [point]
    groups = {name: members for name, members in groups.items() if members}
    frontiers = {
        cost: {name: _frontier(Frontier.of(members, cost)) for name, members in groups.items()} for cost in COSTS
    }
    frontiers["air_s"] |= {name: _frontier(Frontier.of(members, "air_s")) for name, members in schemes.items()}
    against = {}
    for own in (INKLING, SOFT):
        singles = {name: members for name, members in schemes.items() if group(name) not in (INKLING, SOFT)}
        against[own] = {cost: _against(groups, singles if cost == "air_s" else {}, own, cost) for cost in COSTS}
    return {
        "frontiers": frontiers,
        "against": against,
        "hour": {name: _hour(members) for name, members in groups.items()},
    }


def _frontier(frontier: Frontier) -> list[list[float | str]]:
    """Return cost, accuracy, its standard deviation over draws, and setting of each point."""
    return [
        [_round(frontier.cost(point)), _round(point.accuracy), _round(point.std), point.setting]
        for point in frontier.points
    ]


def _against(
    groups: dict[str, list[Point]], schemes: dict[str, list[Point]], own: str, cost: str
) -> dict[str, list[list[float]]]:
    """Return the lead of Inkling (`own`) over each opponent: cost, difference of accuracies, and its standard error."""
    opponents = {name: members for name, members in groups.items() if name not in (INKLING, SOFT)} | schemes
    if own not in groups:
        return {name: [] for name in opponents}
    inkling = Frontier.of(groups[own], cost)
    return {
        name: [
            [_round(each.cost), _round(each.difference), _round(each.error)]
            for each in compare(inkling, Frontier.of(members, cost))
        ]
        for name, members in opponents.items()
    }


def _hour(points: list[Point]) -> dict[str, list]:
    """Return the most correct answers per hour, and the best accuracy at IMAGES_PER_HOUR, each with its setting."""
    most = max(points, key=lambda point: point.selected_by * messages_per_hour(point.air_s))
    regular = best_within(points, "air_s", AIR_S)
    return {
        "correct": [_round(most.accuracy * messages_per_hour(most.air_s)), most.setting],
        "accuracy_at_60": [_round(regular.accuracy), regular.setting] if regular else [0.0, "none"],
    }


def _round(value: float) -> float:
    """Return a number with six digits."""
    return float(f"{value:.6g}")
