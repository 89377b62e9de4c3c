"""The common style of plots."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

mpl.use("Agg")

BLUE, ORANGE, GREEN, GREY, PURPLE = "#1f5fa8", "#c4691c", "#1b7f4b", "#8a8f98", "#7a4fa3"


def finish(
    figure: Figure,
    axes: Axes,
    file: Path,
    title: str,
    ylabel: str,
    legend_below: bool = False,
    xlabel: str = "bit error rate",
) -> None:
    """Add labels, grid and legend, and write `file`. `legend_below` keeps the legend clear of many lines."""
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_title(title, fontsize=11)
    axes.grid(axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if legend_below:
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    else:
        axes.legend(loc="lower left", frameon=False, fontsize=9)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def finish_panels(figure: Figure, panels: Iterable[Axes], file: Path) -> None:
    """Add one legend below all panels, and write the file."""
    shown = {label: line for one in panels for line, label in zip(*one.get_legend_handles_labels(), strict=True)}
    figure.legend(shown.values(), shown, loc="lower center", ncols=3, frameon=False, fontsize=9)
    height = figure.get_size_inches()[1]
    figure.tight_layout(rect=(0, 0.6 / height, 1, 1))
    figure.savefig(file, dpi=110)
    plt.close(figure)
