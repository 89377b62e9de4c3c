"""What the comparison over links says, good or bad for Inkling, in sentences made from its figures."""

from collections.abc import Callable
from statistics import median

HIGH, LOW = 0.8, 0.5  # accuracies of all sent whose SNR is told
SPREADING = ("sf7", "sf8", "sf9")


def reaches(rows: dict[str, dict], level: float) -> float | None:
    """The SNR from which on the accuracy of all sent is at least `level`, interpolated; None where it never is."""
    points = [(float(value), row["accuracy_sent"]) for value, row in rows.items()]
    if points[-1][1] < level:
        return None
    for (low, below), (high, above) in zip(points[-2::-1], points[:0:-1], strict=True):
        if below < level:
            return low + (level - below) / (above - below) * (high - low)
    return points[0][0]


def best(goodput: dict, snr: float, wanted: Callable[[str], bool]) -> tuple[float, str]:
    """Correct an hour at an SNR, and by what (title, spreading factor), of the wanted systems at any spreading factor.

    Above its sweep a spreading factor stays as it is at the sweep's end, all clean; below, it is not considered.
    """
    found = [(0.0, "nothing")]
    for name in SPREADING:
        for key, system in goodput["media"][name]["systems"].items():
            at = [row for value, row in system["rows"].items() if float(value) <= snr]
            if at and wanted(key):
                found.append((at[-1]["correct_an_hour"], f"{system['title']}, SF{name[2:]}"))
    return max(found)


def is_inkling(key: str) -> bool:
    """Whether a key is one of Inkling's own systems."""
    return key.startswith("inkling")


def is_opponent(key: str) -> bool:
    """Whether it is not."""
    return not is_inkling(key)


def compared_snrs(goodput: dict) -> list[int]:
    """Whole dBs at which spreading factors are compared, from where an opponent reaches HIGH at the widest measured.

    Below that everyone would take a wider one, and whoever bears errors would seem better than he is.
    """
    widest = goodput["media"][SPREADING[-1]]["systems"]
    limits = [reaches(system["rows"], HIGH) for key, system in widest.items() if is_opponent(key)]
    lowest = min(snr for snr in limits if snr is not None)
    found = {float(v) for name in SPREADING for v in goodput["media"][name]["systems"]["inkling"]["rows"]}
    return sorted(int(snr) for snr in found if snr.is_integer() and snr >= lowest)


def gain(goodput: dict, snr: float) -> float:
    """Inkling's correct an hour over the best opponent's, less one; infinite where no opponent has any."""
    theirs = best(goodput, snr, is_opponent)[0]
    return best(goodput, snr, is_inkling)[0] / theirs - 1 if theirs else float("inf")


def decibels(snr: float | None) -> str:
    """An SNR as it is shown."""
    return "-" if snr is None else f"{snr:.1f} dB"


def findings(goodput: dict) -> list[str]:
    """The paragraphs."""
    return [_robustness(goodput["media"][name]) for name in ("sf7", "sf9")] + [_goodput(goodput), _pictures(goodput)]


def _robustness(medium: dict) -> str:
    systems = medium["systems"]
    ours, said = reaches(systems["inkling"]["rows"], HIGH), []
    for key in ("inkling_implicit", "inkling_prefix", "crc", "crc_48", "again_prefix", "rs", "rs_implicit"):
        theirs = reaches(systems[key]["rows"], HIGH)
        margin = "" if None in (ours, theirs) else f" ({theirs - ours:+.1f})"
        said.append(f"{systems[key]['title']}: {decibels(theirs)}{margin}")
    return (
        f"**{medium['title']}.** {100 * HIGH:.0f} % of all pictures sent are classified rightly from {decibels(ours)} "
        f"up with {systems['inkling']['title']}. What the others need, and how much more: {'; '.join(said)}.\n"
    )


def _goodput(goodput: dict) -> str:
    gains = {snr: gain(goodput, snr) for snr in compared_snrs(goodput)}
    ahead, behind = [s for s in gains if gains[s] > 0], [s for s in gains if gains[s] <= 0]
    text = (
        "**Correct an hour**, each system at its best spreading factor, payload, coding rate and header, from "
        f"{min(gains)} dB up (below, no opponent reaches {100 * HIGH:.0f} % at SF9, and a wider spreading factor, "
        "which was not measured, would serve all). "
    )
    if ahead:
        middle, least = median(gains[s] for s in ahead), min(gains[s] for s in ahead)
        text += (
            f"Inkling is ahead of every opponent at {_ranges(ahead)} dB, by {100 * middle:.0f} % in the median, "
            f"{100 * least:.0f} % at least. "
        )
    if behind:
        worst = min(behind, key=lambda snr: gains[snr])
        theirs, title = best(goodput, worst, is_opponent)
        rows = [goodput["media"]["sf7"]["systems"][key]["rows"] for key in ("inkling_prefix", "crc_prefix")]
        ours_bytes, crc_bytes = (next(iter(row.values()))["frame_bytes"] for row in rows)
        text += (
            f"It is behind at {_ranges(behind)} dB, by up to {-100 * gains[worst]:.0f} % ({title}: {theirs:.0f}): "
            f"where little is damaged, its frame of {ours_bytes} bytes is dearer than one of {crc_bytes} behind a CRC. "
        )
    return text.strip() + "\n"


def _pictures(goodput: dict) -> str:
    if not goodput["compressed"]:
        return "JPEG and WebP were not measured.\n"
    systems = goodput["media"]["sf7"]["systems"]
    clean = {key: list(system["rows"].values())[-1]["correct_an_hour"] for key, system in systems.items()}
    parts = [
        f"{report['title']}: {report['bytes_mean']:.0f} bytes a file and {report['bare_bytes_mean']:.0f} bare, "
        f"{100 * report['accuracy']:.1f} % right, {clean[name]:.0f} and {clean[f'{name}_bare']:.0f} correct an hour"
        for name, report in goodput["compressed"].items()
    ]
    return (
        f"**Compressed pictures** over a clean link at SF7. {'; '.join(parts)}. Inkling: {clean['inkling']:.0f} with "
        f"the whole payload, {clean['inkling_prefix']:.0f} with the prefix.\n"
    )


def _ranges(numbers: list[int]) -> str:
    """Sorted whole numbers as runs: -19 to -9, -5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
