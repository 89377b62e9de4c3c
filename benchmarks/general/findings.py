"""The findings of the comparison, in sentences and tables made from its figures, whether good or bad for Inkling."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.general.schemes import names

GOAL_SET = "tiny-imagenet"
GOAL_ACCURACY = {"5": 52, "20": 62, "100": 70}  # percent, by images per class
GOAL_SCRATCH = {"20": 20}  # points ahead
GOAL_REFITTED = {"5": 10, "20": 10}
GOAL_LOST = {"0.01": 0.5, "0.05": 2, "0.1": 6}  # points, by BER
GOAL_SHORTER = (3, 8)  # points that half and a quarter of the payload lose
GOAL_TEACH_S = {"20": 10}
TITLES = {
    names.SCRATCH: "board alone, from scratch",
    names.REFITTED: "board alone, pretrained trunk, refitted and reflashed",
    names.PERFECT: "pretrained network, perfect image",
}
FORMATS = {"webp": "WebP", "jpeg": "JPEG"}


@dataclass(frozen=True)
class Lead:
    """Inkling's accuracy minus an opponent's on one set, in points: one value for each run."""

    place: str
    points: np.ndarray

    @property
    def mean(self) -> float:
        """The mean over runs."""
        return float(self.points.mean())

    @property
    def is_ahead(self) -> bool:
        """Inkling is ahead in every run."""
        return bool((self.points > 0).all())

    @property
    def is_behind(self) -> bool:
        """Inkling is behind in every run."""
        return bool((self.points < 0).all())


def title(name: str) -> str:
    """Return the title of a scheme."""
    if name in TITLES:
        return TITLES[name]
    kind, _, size = name.partition("-")
    return f"{FORMATS[kind]} and the pretrained network, {size} bytes" if kind in FORMATS else f"Inkling, {size} bytes"


def percent(of_set: dict, name: str, shots: str, ber: str = "0", key: str = "accuracy") -> np.ndarray:
    """Return a scheme's accuracies in percent, one for each draw of classes and seed (R,)."""
    return 100 * np.array(of_set["schemes"][name]["by_shots"][shots][ber][key])


def spread(values: np.ndarray) -> float:
    """Return the standard deviation of values (R,), 0 of a single one."""
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def shots_of(of_set: dict) -> list[str]:
    """Return the numbers of images per class of a set."""
    return list(next(iter(of_set["schemes"].values()))["by_shots"])


def findings(figures: dict) -> list[str]:
    """Return the paragraphs."""
    sizes = figures["payload_bytes"]
    return [
        _against(figures, "the board alone, trained from scratch", {sizes[0]: names.SCRATCH}),
        _against(figures, "the board alone, pretrained, refitted and reflashed", {sizes[0]: names.REFITTED}),
        *(
            _against(figures, f"{text} of equal bytes", {size: names.compressed(kind, size) for size in sizes})
            for kind, text in FORMATS.items()
        ),
        _against(figures, "the pretrained network on the perfect image", {sizes[0]: names.PERFECT}),
        _lost(figures),
    ]


def _against(figures: dict, text: str, opponents: dict[int, str]) -> str:
    """Compare Inkling's payloads with opponents by payload bytes, and say who is ahead where."""
    every = [
        Lead(
            f"{of_set['title']}, {shots} images per class" + (f", {size} bytes" if len(opponents) > 1 else ""),
            percent(of_set, names.inkling(size), shots) - percent(of_set, name, shots),
        )
        for of_set in figures["sets"].values()
        for size, name in opponents.items()
        for shots in shots_of(of_set)
    ]
    ahead, behind = sum(lead.is_ahead for lead in every), sum(lead.is_behind for lead in every)
    best, worst = max(every, key=lambda lead: lead.mean), min(every, key=lambda lead: lead.mean)
    return (
        f"**Against {text}**, clean link: ahead in every run at {ahead} of {len(every)} points, behind in every run at "
        f"{behind}, mixed at {len(every) - ahead - behind}. Best: {best.mean:+.1f} points ({best.place}). Worst: "
        f"{worst.mean:+.1f} points ({worst.place}).\n"
    )


def _lost(figures: dict) -> str:
    """Say what bit errors and shorter payloads cost, on average and at most over sets and images per class."""
    whole, *shorter = figures["payload_bytes"]
    own, sets = names.inkling(whole), list(figures["sets"].values())
    points = [(of_set, shots) for of_set in sets for shots in shots_of(of_set)]
    bers = list(sets[0]["schemes"][own]["by_shots"][points[0][1]])

    def text(place: str, name: str, ber: str) -> str:
        losses = [lead(of_set, own, name, shots, ber) for of_set, shots in points]
        return f"{place} {np.mean(losses):.1f} (at most {max(losses):.1f})"

    parts = [text(f"a BER of {ber}", own, ber) for ber in bers[1:]]
    parts += [text(f"a payload of {size} bytes", names.inkling(size), "0") for size in shorter]
    return f"**Lost** against {whole} bytes over a clean link, in points, mean over all points: {'; '.join(parts)}.\n"


def lead(of_set: dict, inkling: str, other: str, shots: str, ber: str = "0") -> float:
    """Return the mean points by which one of Inkling's payloads over a clean link is ahead of a scheme."""
    return float((percent(of_set, inkling, shots) - percent(of_set, other, shots, ber)).mean())


def goals(figures: dict) -> Iterator[list[str]]:
    """Yield the rows of the table of goals: the goal, what is measured, and whether it is met."""
    of_set = figures["sets"][GOAL_SET]
    whole, *shorter = figures["payload_bytes"]
    own, shots = names.inkling(whole), shots_of(of_set)

    yield _goal(
        f"accuracy of {whole} bytes, clean, %",
        [(f"{n} per class", percent(of_set, own, n).mean(), goal) for n, goal in GOAL_ACCURACY.items() if n in shots],
    )
    for name, least in ((names.SCRATCH, GOAL_SCRATCH), (names.REFITTED, GOAL_REFITTED)):
        yield _goal(
            f"points ahead of {title(name)}",
            [(f"{n} per class", lead(of_set, own, name, n), goal) for n, goal in least.items() if n in shots],
        )
    webp = [
        (size, min(lead(of_set, names.inkling(size), names.compressed("webp", size), n) for n in shots))
        for size in (whole, *shorter)
    ]
    yield _row(
        "ahead of WebP and the pretrained network at every size",
        ", ".join(f"{size} bytes: {points:+.1f}" for size, points in webp) + " points at least",
        all(points > 0 for _, points in webp),
    )
    for ber, most in GOAL_LOST.items():
        losses = [lead(of_set, own, own, n, ber) for n in shots]
        yield _at_most(f"points lost at BER {ber}: at most {most:g}", shots, losses, most)
    for size, most in zip(shorter, GOAL_SHORTER, strict=False):
        losses = [lead(of_set, own, names.inkling(size), n) for n in shots]
        yield _at_most(f"points lost by {size} bytes: at most {most:g}", shots, losses, most)
    for n, most in GOAL_TEACH_S.items():
        if n in shots:
            seconds = of_set["teach_cpu_s"][n]
            text = f"teaching {of_set['classes']} classes of {n} images after the embeddings: at most {most} s"
            yield _row(text, f"{seconds:.1f} s of CPU time", seconds <= most)


def _goal(text: str, parts: Sequence[tuple[str, float, float]]) -> list[str]:
    wanted = " / ".join(f"{goal:g}" for _, _, goal in parts)
    measured = ", ".join(f"{place}: {value:.1f}" for place, value, _ in parts)
    return _row(f"{text}: at least {wanted}", measured, all(value >= goal for _, value, goal in parts))


def _at_most(text: str, shots: Sequence[str], values: Sequence[float], most: float) -> list[str]:
    measured = ", ".join(f"{n} per class: {value:.1f}" for n, value in zip(shots, values, strict=True))
    return _row(text, measured, all(value <= most for value in values))


def _row(text: str, measured: str, met: bool) -> list[str]:
    return [text, measured, "yes" if met else "no"]
