"""The findings of the comparison over links, in sentences made from its figures, whether good or bad for Inkling."""

from collections.abc import Callable, Sequence
from statistics import median

HIGH, LOW = 0.8, 0.5  # accuracies of all sent whose SNR is reported
IMAGES_PER_HOUR = 60  # at which accuracies are compared
SPREADING = ("sf7", "sf8", "sf9")
# Inkling and its opponents with LoRa's explicit header, and those that are measured without.
EXPLICIT = ("inkling", "inkling_prefix", "crc", "crc_prefix", "crc_48", "crc_48_prefix", "again_prefix", "rs")
IMPLICIT = tuple(f"{key}_implicit" for key in EXPLICIT)


def lowest_snr(rows: dict[str, dict], level: float) -> float | None:
    """Return the lowest SNR with an accuracy of all sent of at least `level`, interpolated; None if none has it."""
    points = [(float(value), row["accuracy_sent"]) for value, row in rows.items()]
    if points[-1][1] < level:
        return None
    for (low, below), (high, above) in zip(points[-2::-1], points[:0:-1], strict=True):
        if below < level:
            return low + (level - below) / (above - below) * (high - low)
    return points[0][0]


def best(goodput: dict, snr: float, wanted: Callable[[str], bool]) -> tuple[float, str]:
    """Return the most correct classifications per hour at an SNR, and the scheme (title, spreading factor).

    Compares the wanted schemes at all spreading factors. Above its sweep, a spreading factor has the figures of the
    end of its sweep, where the link is clean; below its sweep, it is not considered.
    """
    candidates = [(0.0, "nothing")]
    for name in SPREADING:
        for key, scheme in goodput["links"][name]["schemes"].items():
            at = [row for value, row in scheme["rows"].items() if float(value) <= snr]
            if at and wanted(key):
                candidates.append((at[-1]["correct_per_hour"], f"{scheme['title']}, SF{name[2:]}"))
    return max(candidates)


def most_accurate(goodput: dict, snr: float, limit_s: float, wanted: Callable[[str], bool]) -> tuple[float, str]:
    """Return the best accuracy of all sent at an SNR within a mean air time per image, and its scheme; as `best`."""
    candidates = [(0.0, "nothing")]
    for name in SPREADING:
        for key, scheme in goodput["links"][name]["schemes"].items():
            at = [row for value, row in scheme["rows"].items() if float(value) <= snr]
            if at and wanted(key) and at[-1]["air_time_s"] <= limit_s:
                candidates.append((at[-1]["accuracy_sent"], f"{scheme['title']}, SF{name[2:]}"))
    return max(candidates)


def is_inkling(key: str) -> bool:
    """Return True if a key is one of Inkling's own schemes."""
    return key.startswith("inkling")


def is_opponent(key: str) -> bool:
    """Return True if a key is not one of Inkling's own schemes, nor a secured one."""
    return not is_inkling(key) and not is_secured(key)


def is_secured(key: str) -> bool:
    """Return True if a key is that of a scheme with secured frames, which only they are compared with."""
    return key.startswith("secured") or key.endswith("_mic")


def compared_snrs(goodput: dict) -> list[int]:
    """Return the whole dBs at which schemes are compared: from where an opponent reaches HIGH at the widest SF.

    Below that, all schemes would use a wider spreading factor, and error-resilient ones would look too good.
    """
    widest = goodput["links"][SPREADING[-1]]["schemes"]
    limits = [lowest_snr(scheme["rows"], HIGH) for key, scheme in widest.items() if is_opponent(key)]
    lowest = min(snr for snr in limits if snr is not None)
    measured = {float(v) for name in SPREADING for v in goodput["links"][name]["schemes"]["inkling"]["rows"]}
    return sorted(int(snr) for snr in measured if snr.is_integer() and snr >= lowest)


def gain(goodput: dict, snr: float) -> float:
    """Return Inkling's correct per hour over the best opponent's, less one; infinite if no opponent has any."""
    opponent = best(goodput, snr, is_opponent)[0]
    return best(goodput, snr, is_inkling)[0] / opponent - 1 if opponent else float("inf")


def decibels(snr: float | None) -> str:
    """Return an SNR as text."""
    return "-" if snr is None else f"{snr:.1f} dB"


def findings(goodput: dict) -> list[str]:
    """Return the paragraphs."""
    robustness = [_robustness(goodput["links"][name]) for name in ("sf7", "sf9")]
    return [*robustness, _goodput(goodput), _compressed(goodput)]


def _robustness(link: dict) -> str:
    """Compare the SNRs that schemes need, explicit headers with explicit ones and implicit with implicit ones."""
    explicit, implicit = (_needed_snrs(link["schemes"], keys) for keys in (EXPLICIT, IMPLICIT))
    return (
        f"**{link['title']}.** Lowest SNR at which {100 * HIGH:.0f} % of all images sent are classified correctly, "
        f"for a known device (in brackets: difference to Inkling's whole payload). With LoRa's explicit header: "
        f"{explicit}. With implicit headers: {implicit}.\n"
    )


def _needed_snrs(schemes: dict[str, dict], keys: Sequence[str]) -> str:
    """Return the SNRs that schemes need for HIGH, and their differences to the first of them."""
    keys = [key for key in keys if key in schemes]
    needed = {key: lowest_snr(schemes[key]["rows"], HIGH) for key in keys}
    reference, texts = needed[keys[0]], []
    for key, snr in needed.items():
        margin = "" if key == keys[0] or snr is None or reference is None else f" ({snr - reference:+.1f})"
        texts.append(f"{schemes[key]['title'].removesuffix(', implicit header')}: {decibels(snr)}{margin}")
    return "; ".join(texts)


def _goodput(goodput: dict) -> str:
    gains = {snr: gain(goodput, snr) for snr in compared_snrs(goodput)}
    ahead, behind = [s for s in gains if gains[s] > 0], [s for s in gains if gains[s] <= 0]
    text = (
        "**Correct classifications per hour**, each scheme at its best spreading factor, payload, coding rate and "
        f"header mode (named in the table below), from {min(gains)} dB up. Below that, no opponent reaches "
        f"{100 * HIGH:.0f} % at SF9, and a wider spreading factor, which was not measured, would serve all. "
    )
    if ahead:
        middle, least = median(gains[s] for s in ahead), min(gains[s] for s in ahead)
        text += (
            f"Inkling is ahead of every opponent at {_ranges(ahead)} dB: by {100 * middle:.0f} % in the median, and by "
            f"at least {100 * least:.0f} %. "
        )
    if behind:
        worst = min(behind, key=lambda snr: gains[snr])
        (inkling, setting), (opponent, title) = (best(goodput, worst, wanted) for wanted in (is_inkling, is_opponent))
        rows = [goodput["links"]["sf7"]["schemes"][key]["rows"] for key in ("inkling_prefix", "crc_prefix")]
        inkling_bytes, crc_bytes = (next(iter(row.values()))["frame_bytes"] for row in rows)
        text += (
            f"It is behind at {_ranges(behind)} dB, by up to {-100 * gains[worst]:.0f} % (at {worst} dB: {setting}: "
            f"{inkling:.0f}; {title}: {opponent:.0f}). There the link damages little, and Inkling's frame of "
            f"{inkling_bytes} bytes costs more air time than one of {crc_bytes} bytes behind a CRC. "
        )
    return text.strip() + "\n"


def _compressed(goodput: dict) -> str:
    if not goodput["compressed"]:
        return "JPEG and WebP were not measured.\n"
    schemes = goodput["links"]["sf7"]["schemes"]
    clean = {key: list(scheme["rows"].values())[-1]["correct_per_hour"] for key, scheme in schemes.items()}
    parts = [
        f"{report['title']}: {report['bytes_mean']:.0f} bytes per file and {report['bare_bytes_mean']:.0f} bare, "
        f"accuracy {100 * report['accuracy']:.1f} %, {clean[name]:.0f} and {clean[f'{name}_bare']:.0f} correct per hour"
        for name, report in goodput["compressed"].items()
    ]
    return (
        f"**Compressed images** over a clean link at SF7, all with explicit headers. {'; '.join(parts)}. Inkling: "
        f"{clean['inkling']:.0f} with the whole payload, {clean['inkling_prefix']:.0f} with the prefix.\n"
    )


def _ranges(numbers: list[int]) -> str:
    """Return sorted whole numbers as runs: -19 to -9, -5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
