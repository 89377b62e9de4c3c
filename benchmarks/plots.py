"""How the pictures of accuracy against bit error rate look."""

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

mpl.use("Agg")


def finish(figure: Figure, axes: Axes, file: Path, title: str, ylabel: str, legend_below: bool = False) -> None:
    """Labels, grid and legend, inside or below the axes where many lines would cross it; then write `file`."""
    axes.set_xlabel("bit error rate")
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
