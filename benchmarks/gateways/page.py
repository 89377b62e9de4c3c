"""The section of docs/RESULTS.md on copies of several gateways, from gateways.json."""

from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from benchmarks.markdown import table
from benchmarks.plots import BLUE, GREEN, GREY, ORANGE, finish

METHOD = """Each gateway receives its own copy of a frame: bits flip independently of each other and of the other
copies. The bits of all copies are combined before the header is read ([gateways.md](gateways.md)). *Best copy*: each
copy is received alone, and the frame is lost only if all of them are. *Known device*: the receiver has received frames
of it before; *new device*: an empty receiver, or one that holds the key and has received nothing.
"""
AIR = """Over LoRa at SF{sf}, 4/5, with an explicit header, features of 48 bytes, a known device. All gateways
receive with the same SNR and independent noise, and detect every packet whose LoRa header is undamaged. *Combined*: one
site with the copies of all gateways. *Best copy*: the host takes the undamaged copy, or else that with the highest SNR.
*First clean copy*: what a network server does, which drops damaged copies. The last column is the limit: three gateways
that receive the same damage, as from one source of interference, gain nothing over one.
"""
PAIRS = """Two packets of different images, each received by one gateway within the settle window, are combined by
mistake in so many cases. *Equal* contents are those of a static or dark scene: then only the headers differ, those of
features in 15 or 16 of 63 bits, and of answers in 27 or more (of one device). The criterion bounds each of these cases
to one in 100,000 for independent flips.
"""
AIR_COLUMNS = {
    "combined, 1": "one gateway",
    "combined, 2": "two, combined",
    "combined, 3": "three, combined",
    "best copy, 2": "two, best copy",
    "best copy, 3": "three, best copy",
    "first clean copy, 1": "one, clean",
    "first clean copy, 3": "three, first clean",
    "combined, 3, same noise": "three, same noise",
}
CURVES: dict[str, dict[str, Any]] = {
    "combined, 3": {"color": BLUE, "linewidth": 2.2},
    "combined, 2": {"color": BLUE, "linewidth": 1.6, "linestyle": "--"},
    "best copy, 3": {"color": GREEN, "linewidth": 1.6},
    "combined, 1": {"color": GREY, "linewidth": 2.2},
    "first clean copy, 3": {"color": ORANGE, "linewidth": 2.2},
    "first clean copy, 1": {"color": ORANGE, "linewidth": 1.6, "linestyle": "--"},
}


def section(gateways: dict) -> str:
    """Return the section in Markdown."""
    return "\n".join(
        [
            "## Copies of several gateways\n",
            f"{gateways['frames']:,} frames per figure, {gateways['images']:,} test images per SNR, seed "
            f"{gateways['seed']}; {gateways['date']}, `{gateways['command']}`.\n",
            METHOD,
            _losses(gateways["header_loss"]),
            AIR.format(sf=gateways["sf"]),
            "![Accuracy of all sent against SNR, by number of gateways](gateways.png)\n",
            _air(gateways["air"]),
            PAIRS,
            _pairs(gateways["false_pairs"]),
        ]
    )


def draw(folder: Path, gateways: dict) -> list[str]:
    """Draw gateways.png, the accuracy of all sent against SNR; return the name."""
    figure, axes = plt.subplots(figsize=(7.5, 4.6), layout="constrained")
    rows = gateways["air"]
    for key, style in CURVES.items():
        values = [100 * row[key]["accuracy_sent"] for row in rows.values()]
        axes.plot([*map(float, rows)], values, label=AIR_COLUMNS[key], **style)
    title = f"LoRa at SF{gateways['sf']}, independent noise at each gateway"
    finish(figure, axes, folder / "gateways.png", title, "accuracy of all sent, %", True, "SNR, dB")
    return ["gateways.png"]


def _losses(header_loss: dict) -> str:
    copies = list(next(iter(next(iter(header_loss.values())).values())))
    rows = [
        [f"{name}, BER {ber}", *[_percent(row[count]["lost"]) for count in copies]]
        + [_percent(row[count]["best_lost"]) for count in copies[1:3]]
        for name, by_ber in header_loss.items()
        for ber, row in by_ber.items()
    ]
    head = ["lost, %", *[f"{count} combined" if count != "1" else "1 copy" for count in copies]]
    false = max(one["false"] for by_ber in header_loss.values() for row in by_ber.values() for one in row.values())
    text = f"Frames taken for others, at most in any of these cells: {_percent(false)} %.\n"
    return table(text, [*head, *[f"best of {count}" for count in copies[1:3]]], rows)


def _air(rows: dict) -> str:
    body = [[f"{snr} dB", *[_percent(row[key]["accuracy_sent"]) for key in AIR_COLUMNS]] for snr, row in rows.items()]
    return table("", ["accuracy of all sent, %", *AIR_COLUMNS.values()], body)


def _pairs(false_pairs: dict) -> str:
    bers = list(next(iter(false_pairs.values()))["by_ber"])
    rows = [[name, f"{one['pairs']:,}", str(one["combined"])] for name, one in false_pairs.items()]
    total, combined = (sum(one[key] for one in false_pairs.values()) for key in ("pairs", "combined"))
    head = ["pairs of different images", "pairs", "combined"]
    return table(f"At BER {', '.join(bers)}, in equal parts:\n", head, [*rows, ["all", f"{total:,}", str(combined)]])


def _percent(share: float) -> str:
    """Return a share in percent with one digit after the point, or two digits below 1 %."""
    return f"{100 * share:.1f}" if share >= 0.01 or not share else f"{100 * share:.2g}"
