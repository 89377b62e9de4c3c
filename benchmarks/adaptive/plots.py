"""Plots of the comparison: accuracy of all sent against air time, bytes and energy, and the sweep of thresholds."""

from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from benchmarks.adaptive.reduce import BOARD, COMPRESSED, CONVENTIONAL, COSTLY, INKLING, OFFLOADING, SOFT
from benchmarks.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, finish_panels

STYLES: dict[str, dict[str, Any]] = {
    INKLING: {"color": BLUE, "linewidth": 2.4},
    SOFT: {"color": BLUE, "linewidth": 1.4, "linestyle": ":"},
    BOARD: {"color": ORANGE, "linewidth": 1.8},
    COSTLY: {"color": ORANGE, "linewidth": 1.2, "linestyle": "--"},
    OFFLOADING: {"color": GREEN, "linewidth": 1.8},
    COMPRESSED: {"color": GREY, "linewidth": 1.5},
    CONVENTIONAL: {"color": PURPLE, "linewidth": 1.2, "linestyle": "--"},
}
SHOWN_SNRS = ("-15", "-12", "-10", "-8", "-5", "clean")
COLUMNS = 3
SWEEP_SPAN = 8  # least points of accuracy that the plot of thresholds spans
SHOWN_POINTS = 25  # below the best accuracy
TICKS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000)
COSTS = {  # of the second plot: key -> label and factor
    "bytes": ("mean bytes per image", 1.0),
    "energy_mj": ("modelled energy per image, mJ", 1.0),
}
SWEEP_COLOURS = (BLUE, "#5b9bd5", GREEN, ORANGE, PURPLE)


def names(figures: dict) -> list[str]:
    """Return the file names of the plots."""
    return [f"adaptive-{part}-{figures['bundle']}.png" for part in ("air", "cost", "sweep")]


def draw(folder: Path, figures: dict) -> list[str]:
    """Draw all plots and return their names."""
    air, cost, sweep = names(figures)
    _draw_air(folder / air, figures)
    _draw_cost(folder / cost, figures)
    _draw_sweep(folder / sweep, figures)
    return [air, cost, sweep]


def _draw_air(file: Path, figures: dict) -> None:
    """Draw accuracy against air time on a logarithmic axis, one panel per SNR."""
    shown = [snr for snr in SHOWN_SNRS if snr in figures["by_snr"]]
    rows = -(-len(shown) // COLUMNS)
    figure, grid = plt.subplots(
        rows, COLUMNS, figsize=(4.1 * COLUMNS, 3.4 * rows + 0.8), sharex=True, sharey=True, squeeze=False
    )
    for panel in grid.flat[len(shown) :]:
        panel.axis("off")
    for panel, snr in zip(grid.flat, shown, strict=False):
        _curves(panel, figures["by_snr"][snr]["frontiers"]["air_s"], 1e3)
        panel.set_title("clean link" if snr == "clean" else f"SNR {snr} dB", fontsize=11)
    for panel in grid[-1]:
        panel.set_xlabel("mean air time per image, ms")
    for panel in grid[:, 0]:
        panel.set_ylabel("accuracy of all sent, %")
    finish_panels(figure, grid.flat, file)


def _draw_cost(file: Path, figures: dict) -> None:
    """Draw accuracy against bytes and against energy, at the middle SNR and over a clean link."""
    shown = [snr for snr in ("-10", "clean") if snr in figures["by_snr"]]
    figure, grid = plt.subplots(len(shown), 2, figsize=(10, 3.4 * len(shown) + 0.8), sharey=True, squeeze=False)
    for row, snr in zip(grid, shown, strict=True):
        for panel, (cost, (label, factor)) in zip(row, COSTS.items(), strict=True):
            _curves(panel, figures["by_snr"][snr]["frontiers"][cost], factor)
            panel.set_xlabel(label)
            panel.set_title("clean link" if snr == "clean" else f"SNR {snr} dB", fontsize=11)
        row[0].set_ylabel("accuracy of all sent, %")
    finish_panels(figure, grid.flat, file)


def _curves(panel: plt.Axes, frontiers: dict[str, list], factor: float) -> None:
    for name, style in STYLES.items():
        if name in frontiers:
            places = [factor * point[0] for point in frontiers[name]]
            heights = [100 * point[1] for point in frontiers[name]]
            panel.plot(places, heights, marker="o", markersize=3, label=name, **style)
    best = max(100 * point[1] for points in frontiers.values() for point in points)
    panel.set_ylim(max(best / 2, best - SHOWN_POINTS), best + 2)
    panel.set_xscale("log")
    panel.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    panel.minorticks_off()
    panel.set_xlim(min(p[0] for points in frontiers.values() for p in points) * factor * 0.8, None)
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)


def _draw_sweep(file: Path, figures: dict) -> None:
    """Draw accuracy against the share of images that the board answers, one line per prefix for the others."""
    figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
    for colour, (size, row) in zip(SWEEP_COLOURS, figures["thresholds"].items(), strict=False):
        answered, accuracy = ([100 * point[place] for point in row["sweep"]] for place in (0, 1))
        axes.plot(answered, accuracy, color=colour, marker="o", markersize=4, label=f"{size} bytes if not answered")
        default = row["default"]
        axes.plot(
            100 * default["answered"], 100 * default["accuracy"], "s", color=colour, markersize=9, fillstyle="none"
        )
    axes.set_xlabel("images that the board answers itself, %")
    axes.set_ylabel("accuracy of all, clean link, %")
    low, high = axes.get_ylim()
    room = max(0.0, SWEEP_SPAN - (high - low)) / 2
    axes.set_ylim(low - room, high + room)  # so that chance does not look like a difference
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, frameon=False, fontsize=9)
    figure.savefig(file, dpi=110)
    plt.close(figure)
