"""The findings of the comparison, in sentences and tables made from its figures, whether good or bad for Inkling."""

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.adaptive.reduce import COMPRESSED, CONVENTIONAL, INKLING, OPPONENTS

CHANCE = 2  # standard errors
COSTS = {"air_s": ("air time", 1e3, "ms"), "bytes": ("bytes", 1.0, "bytes"), "energy_mj": ("energy", 1.0, "mJ")}


class Lead(NamedTuple):
    """Inkling's accuracy minus that of an opponent at one SNR and cost."""

    snr: str
    cost: float
    difference: float
    error: float

    @property
    def is_behind(self) -> bool:
        return self.difference < -CHANCE * self.error

    @property
    def is_ahead(self) -> bool:
        return self.difference > CHANCE * self.error


def leads(figures: dict, opponent: str, cost: str) -> list[Lead]:
    """Return all comparisons with an opponent at equal mean cost, over all SNRs."""
    return [
        Lead(snr, *compared)
        for snr, row in figures["by_snr"].items()
        for compared in row["against"][cost].get(opponent, [])
    ]


def findings(figures: dict) -> list[str]:
    """Return the paragraphs."""
    return [_summary(figures, cost) for cost in COSTS] + [_cheapest(figures)]


def _summary(figures: dict, cost: str) -> str:
    name, factor, unit = COSTS[cost]
    every = leads(figures, OPPONENTS, cost)
    ahead, behind = ([each for each in every if getattr(each, key)] for key in ("is_ahead", "is_behind"))
    text = (
        f"**At equal mean {name}**, compared with the best of all opponents at {len(every)} points over all SNRs, "
        f"Inkling is ahead by more than chance at {len(ahead)}, behind at {len(behind)}, and level at "
        f"{len(every) - len(ahead) - len(behind)}."
    )
    if ahead:
        best = max(ahead, key=lambda each: each.difference)
        text += f" Its largest lead is {_points(best)} at {_place(best, factor, unit)}."
    if behind:
        worst = min(behind, key=lambda each: each.difference)
        text += f" It is farthest behind at {_place(worst, factor, unit)}: {_points(worst)}."
    return text + "\n"


def _cheapest(figures: dict) -> str:
    """Say where an opponent works with less air time than Inkling needs at all."""
    cheaper = []
    for snr, row in figures["by_snr"].items():
        frontiers = row["frontiers"]["air_s"]
        if INKLING in frontiers and OPPONENTS in frontiers:
            own, opponent = frontiers[INKLING][0], frontiers[OPPONENTS][0]
            if opponent[0] < own[0]:
                cheaper.append((snr, own[0], opponent))
    if not cheaper:
        return ""
    snr, own_s, opponent = max(cheaper, key=lambda each: each[2][1])
    return (
        f"**Below {1e3 * own_s:.0f} ms** Inkling has no setting: its shortest packet is an answer frame. An opponent's "
        f"is shorter at {len(cheaper)} of {len(figures['by_snr'])} SNRs, most usefully at {_decibels(snr)}: "
        f"{1e3 * opponent[0]:.0f} ms with an accuracy of {100 * opponent[1]:.1f} % ({opponent[3]}).\n"
    )


def by_snr(figures: dict) -> Iterator[list[str]]:
    """Yield the rows of the table by SNR: counts of comparisons, least and largest lead at equal air time."""
    for snr in figures["by_snr"]:
        every = [each for each in leads(figures, OPPONENTS, "air_s") if each.snr == snr]
        if not every:
            yield [_decibels(snr), "-", "-", "-", "-", "-"]
            continue
        least, largest = (choose(every, key=lambda each: each.difference) for choose in (min, max))
        counts = [sum(each.is_ahead for each in every), sum(each.is_behind for each in every)]
        level = len(every) - sum(counts)
        extremes = [
            f"{_points(each)} ± {100 * each.error:.2f} at {1e3 * each.cost:.0f} ms" for each in (least, largest)
        ]
        yield [_decibels(snr), str(counts[0]), str(level), str(counts[1]), *extremes]


def by_opponent(figures: dict) -> Iterator[list[str]]:
    """Yield the rows of the table by opponent: counts of comparisons, and where the lead is least."""
    names = {name for row in figures["by_snr"].values() for name in row["against"]["air_s"]}
    for name in sorted(names - {OPPONENTS}, key=lambda each: (each == CONVENTIONAL, each == COMPRESSED, each)):
        every = leads(figures, name, "air_s")
        if not every:
            continue
        least = min(every, key=lambda each: each.difference)
        counts = [sum(each.is_ahead for each in every), sum(each.is_behind for each in every)]
        level = len(every) - sum(counts)
        yield [name, str(counts[0]), str(level), str(counts[1]), f"{_points(least)} at {_place(least, 1e3, 'ms')}"]


def _points(lead: Lead) -> str:
    return f"{100 * lead.difference:+.2f} points"


def _place(lead: Lead, factor: float, unit: str) -> str:
    return f"{factor * lead.cost:.0f} {unit} and {_decibels(lead.snr)}"


def _decibels(snr: str) -> str:
    return "a clean link" if snr == "clean" else f"{snr} dB"
