"""Plots of the comparison: accuracy against images per class and against bytes, one panel per image set."""

from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from benchmarks.general.findings import percent, shots_of, spread, title
from benchmarks.general.schemes import names
from benchmarks.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, finish_panels

COLUMNS = 2
BYTES_SHOTS = "20"  # images per class of the plot against bytes
NOISY = "0.05"  # bit error rate shown beside the clean link


def file_names(figures: dict) -> list[str]:
    """Return the file names of the plots."""
    return [f"general-{part}-{figures['bundle']}.png" for part in ("images", "bytes")]


def draw(folder: Path, figures: dict) -> list[str]:
    """Draw both plots and return their names."""
    by_images, by_bytes = file_names(figures)
    _draw(folder / by_images, figures, _by_images, "images per class")
    _draw(folder / by_bytes, figures, _by_bytes, "bytes per image")
    return [by_images, by_bytes]


def _draw(file: Path, figures: dict, curves: Any, label: str) -> None:  # noqa: ANN401 - one of the functions below
    sets = list(figures["sets"].values())
    columns = min(COLUMNS, len(sets))
    rows = -(-len(sets) // columns)
    size = (5.2 * columns, 3.5 * rows + 1.2)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for panel, of_set in zip(grid.flat, sets, strict=False):
        curves(panel, of_set, figures["payload_bytes"])
        panel.set_title(of_set["title"], fontsize=11)
        panel.set_xlabel(label)
        panel.set_ylabel("accuracy, %")
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in list(grid.flat)[len(sets) :]:
        panel.axis("off")
    finish_panels(figure, grid.flat, file)


def _by_images(panel: plt.Axes, of_set: dict, sizes: list[int]) -> None:
    whole, shots = sizes[0], shots_of(of_set)
    places = [int(count) for count in shots]
    styles: dict[str, dict[str, Any]] = {
        names.PERFECT: {"color": GREY, "linestyle": ":"},
        names.inkling(whole): {"color": BLUE, "linewidth": 2.4},
        **{names.inkling(size): {"color": BLUE, "linestyle": "--"} for size in sizes[1:2]},
        names.REFITTED: {"color": ORANGE, "linewidth": 1.8},
        names.SCRATCH: {"color": ORANGE, "linestyle": "--"},
        names.compressed("webp", whole): {"color": GREEN},
        names.compressed("jpeg", whole): {"color": PURPLE},
    }
    for name, style in styles.items():
        values = [percent(of_set, name, count) for count in shots]
        heights, errors = [float(each.mean()) for each in values], [spread(each) for each in values]
        panel.errorbar(places, heights, errors, marker="o", markersize=3, capsize=2, label=title(name), **style)
    panel.set_xscale("log")
    panel.set_xticks(places, shots)
    panel.minorticks_off()


def _by_bytes(panel: plt.Axes, of_set: dict, sizes: list[int]) -> None:
    shots = BYTES_SHOTS if BYTES_SHOTS in shots_of(of_set) else shots_of(of_set)[0]
    lines: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Inkling", [names.inkling(size) for size in sizes], "0", {"color": BLUE, "linewidth": 2.4}),
        (f"Inkling at BER {NOISY}", [names.inkling(size) for size in sizes], NOISY, {"color": BLUE, "linestyle": "--"}),
        ("WebP and the pretrained network", [names.compressed("webp", size) for size in sizes], "0", {"color": GREEN}),
        ("JPEG and the pretrained network", [names.compressed("jpeg", size) for size in sizes], "0", {"color": PURPLE}),
    ]
    for label, schemes, ber, style in lines:
        values = [percent(of_set, name, shots, ber) for name in schemes]
        heights, errors = [float(each.mean()) for each in values], [spread(each) for each in values]
        panel.errorbar(sizes, heights, errors, marker="o", markersize=3, capsize=2, label=label, **style)
    constant = ((names.PERFECT, GREY, ":"), (names.REFITTED, ORANGE, "-"), (names.SCRATCH, ORANGE, "--"))
    for name, colour, line in constant:
        panel.axhline(
            float(percent(of_set, name, shots).mean()), color=colour, linestyle=line, linewidth=1.3, label=title(name)
        )
    panel.set_xticks(sizes, [str(size) for size in sizes])
