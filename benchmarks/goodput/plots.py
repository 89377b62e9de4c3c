"""Plots of the comparison over links: accuracy of all sent and goodput, against SNR and bit error rate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from benchmarks.plots import BLUE, GREEN, GREY, ORANGE, PURPLE

# The schemes in the plots, all with explicit headers, in the order of the legend: one colour per family, broken lines
# for variants.
STYLES: dict[str, dict[str, Any]] = {
    "inkling": {"color": BLUE, "linewidth": 2.2},
    "inkling_prefix": {"color": BLUE, "linewidth": 1.3, "linestyle": "--"},
    "inkling_adaptive": {"color": BLUE, "linewidth": 1.6, "linestyle": "-."},
    "secured": {"color": BLUE, "linewidth": 1.3, "linestyle": ":"},
    "board": {"color": PURPLE, "linewidth": 2.2},
    "board_48": {"color": PURPLE, "linewidth": 1.3, "linestyle": "--"},
    "crc": {"color": ORANGE, "linewidth": 2.2},
    "crc_48_prefix": {"color": ORANGE, "linewidth": 1.3, "linestyle": "--"},
    "again_prefix": {"color": ORANGE, "linewidth": 1.3, "linestyle": ":"},
    "rs": {"color": GREEN, "linewidth": 2.2},
    "rs_short": {"color": GREEN, "linewidth": 1.3, "linestyle": "--"},
    "webp_bare": {"color": GREY, "linewidth": 2.2},
    "jpeg5_bare": {"color": GREY, "linewidth": 1.3, "linestyle": "--"},
}
ACCURACY, GOODPUT = "accuracy of all sent, %", "correct classifications per hour"
SIZE = (10.5, 5.4)


def draw_lora(folder: Path, goodput: dict) -> list[str]:
    """Draw lora.png and goodput.png, accuracy of all sent and goodput against SNR at SF7 and SF9; return the names."""
    panels = [goodput["links"][name] for name in ("sf7", "sf9")]
    for file, key, label in (("lora.png", "accuracy_sent", ACCURACY), ("goodput.png", "correct_per_hour", GOODPUT)):
        figure, axes = plt.subplots(1, 2, figsize=SIZE, sharey=key == "accuracy_sent")
        for side, link in zip(axes, panels, strict=True):
            _curves(side, link, key, float)
            side.set_title(link["title"], fontsize=11)
            side.set_xlabel("SNR, dB")
        axes[0].set_ylabel(label)
        _finish(figure, axes, folder / file)
    return ["lora.png", "goodput.png"]


def draw_serial(folder: Path, goodput: dict) -> list[str]:
    """Draw bsc.png, both figures against the bit error rate of the serial radio; return the name."""
    link = goodput["links"]["bsc"]
    names = list(link["schemes"]["inkling"]["rows"])
    figure, axes = plt.subplots(1, 2, figsize=SIZE)
    for side, key, label in zip(axes, ("accuracy_sent", "correct_per_hour"), (ACCURACY, GOODPUT), strict=True):
        _curves(side, link, key, names.index)
        side.set_xticks(range(len(names)), names)
        side.set_xlabel("bit error rate")
        side.set_ylabel(label)
    _finish(figure, axes, folder / "bsc.png")
    return ["bsc.png"]


def _curves(axes: plt.Axes, link: dict, key: str, place: Callable[[str], float]) -> None:
    """Draw a figure of all schemes. place: maps a state to its place on the axis."""
    factor = 100 if key == "accuracy_sent" else 1
    for name, style in STYLES.items():
        if name in link["schemes"]:
            scheme = link["schemes"][name]
            places = [place(state) for state in scheme["rows"]]
            heights = [factor * row[key] for row in scheme["rows"].values()]
            axes.plot(places, heights, label=scheme["title"], marker="o", markersize=3, **style)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _finish(figure: plt.Figure, axes: list[plt.Axes], file: Path) -> None:
    """Add one legend for both panels below them, and write the file."""
    shown = {label: line for side in axes for line, label in zip(*side.get_legend_handles_labels(), strict=True)}
    figure.legend(shown.values(), shown, loc="lower center", ncols=3, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.17, 1, 1))
    figure.savefig(file, dpi=110)
    plt.close(figure)
