"""The findings of the comparison, in sentences and tables made from its figures, whether good or bad for Inkling."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.adaptive.frontier import Comparison
from benchmarks.adaptive.reduce import CHIPS, COMPRESSED, CONVENTIONAL, INKLING, OPPONENTS, SOFT

COSTS = {"air_s": ("air time", 1e3, "ms"), "bytes": ("bytes", 1.0, "bytes"), "energy_mj": ("energy", 1.0, "mJ")}
PAIRS = ((INKLING, CHIPS), (SOFT, OPPONENTS), (INKLING, OPPONENTS))  # that the page shows: who, against whom


@dataclass(frozen=True)
class Lead(Comparison):
    """Inkling's accuracy minus that of an opponent at one cost and SNR."""

    snr: str


def leads(figures: dict, own: str, opponent: str, cost: str) -> list[Lead]:
    """Return all comparisons of Inkling (`own`) with an opponent at equal mean cost, over all SNRs."""
    return [
        Lead(at, difference, error, snr)
        for snr, row in figures["by_snr"].items()
        for at, difference, error in row["against"][own][cost].get(opponent, [])
    ]


def findings(figures: dict) -> list[str]:
    """Return the paragraphs."""
    return [*(_summary(figures, own, opponent) for own, opponent in PAIRS), _cheapest(figures)]


def _summary(figures: dict, own: str, opponent: str) -> str:
    parts = []
    for cost, (name, factor, unit) in COSTS.items():
        every = leads(figures, own, opponent, cost)
        ahead, behind = ([each for each in every if getattr(each, key)] for key in ("is_ahead", "is_behind"))
        text = (
            f"at equal mean {name} ({len(every)} points over all SNRs) ahead by more than chance at {len(ahead)}, "
            f"behind at {len(behind)}, level at {len(every) - len(ahead) - len(behind)}"
        )
        if ahead:
            best = max(ahead, key=lambda each: each.difference)
            text += f"; at most {_points(best)}, at {_place(best, factor, unit)}"
        if behind:
            worst = min(behind, key=lambda each: each.difference)
            text += f"; at worst {_points(worst)}, at {_place(worst, factor, unit)}"
        parts.append(text)
    return f"**{own} against {opponent}**: {'. '.join(part[0].upper() + part[1:] for part in parts)}.\n"


def _cheapest(figures: dict) -> str:
    """Say where an opponent works with less air time than Inkling needs at all."""
    cheaper = []
    for snr, row in figures["by_snr"].items():
        frontiers = row["frontiers"]["air_s"]
        if INKLING in frontiers and CHIPS in frontiers:
            own, opponent = frontiers[INKLING][0], frontiers[CHIPS][0]
            if opponent[0] < own[0]:
                cheaper.append((snr, own[0], opponent))
    if not cheaper:
        return ""
    snr, own_s, opponent = max(cheaper, key=lambda each: each[2][1])
    return (
        f"**Below {1e3 * own_s:.0f} ms** Inkling has no setting on a LoRa chip: its shortest packet is an answer. "
        f"An opponent's is shorter at {len(cheaper)} of {len(figures['by_snr'])} SNRs, most usefully at "
        f"{_decibels(snr)}: {1e3 * opponent[0]:.0f} ms with an accuracy of {100 * opponent[1]:.1f} % ({opponent[3]}).\n"
    )


def by_snr(figures: dict, own: str, opponent: str) -> Iterator[list[str]]:
    """Yield the rows of the table by SNR: counts of comparisons, least and largest lead at equal air time."""
    for snr in figures["by_snr"]:
        every = [each for each in leads(figures, own, opponent, "air_s") if each.snr == snr]
        if not every:
            yield [_decibels(snr), "-", "-", "-", "-", "-"]
            continue
        least, largest = (choose(every, key=lambda each: each.difference) for choose in (min, max))
        extremes = [
            f"{_points(each)} ± {100 * each.error:.2f} at {1e3 * each.cost:.0f} ms" for each in (least, largest)
        ]
        yield [_decibels(snr), *_counts(every), *extremes]


def by_opponent(figures: dict) -> Iterator[list[str]]:
    """Yield the rows of the table by opponent, for Inkling by LoRa: counts, and where the lead is least."""
    names = {name for row in figures["by_snr"].values() for name in row["against"][INKLING]["air_s"]}
    for name in sorted(names - {OPPONENTS, CHIPS}, key=lambda each: (each == CONVENTIONAL, each == COMPRESSED, each)):
        every = leads(figures, INKLING, name, "air_s")
        if every:
            least = min(every, key=lambda each: each.difference)
            yield [name, *_counts(every), f"{_points(least)} at {_place(least, 1e3, 'ms')}"]


def _counts(every: list[Lead]) -> list[str]:
    """Return how often Inkling is ahead, level and behind."""
    ahead, behind = sum(each.is_ahead for each in every), sum(each.is_behind for each in every)
    return [str(ahead), str(len(every) - ahead - behind), str(behind)]


def _points(lead: Lead) -> str:
    return f"{100 * lead.difference:+.2f} points"


def _place(lead: Lead, factor: float, unit: str) -> str:
    return f"{factor * lead.cost:.0f} {unit} and {_decibels(lead.snr)}"


def _decibels(snr: str) -> str:
    return "a clean link" if snr == "clean" else f"{snr} dB"
