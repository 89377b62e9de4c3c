"""The common style of plots of accuracy against bit error rate."""

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

mpl.use("Agg")


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
