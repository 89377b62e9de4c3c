"""Plots of the demo: accuracy against BER, and some images with their payloads."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from host.classify.classifier import Reading
from host.receive.events import AnswerFrame
from wire.bundle import Bundle

mpl.use("Agg")

LINE, MUTED, CORRECT, WRONG = "#1f5fa8", "#8a8f98", "#1b7f4b", "#b3261e"
COLUMNS = 6
BYTES_PER_LINE = 12


@dataclass(frozen=True)
class ShownImage:
    """An image whose frame arrived: its number, pixels, label and reading."""

    number: int
    image: np.ndarray  # uint8 (H, W, C)
    label: int
    reading: Reading
    ber: float

    @property
    def lines(self) -> list[str]:
        """The received content as text: an answer, or the payload in hex."""
        frame = self.reading.frame
        if isinstance(frame, AnswerFrame):
            return [f"answer: class {frame.answer.index},", f"level {frame.answer.confidence} of 15"]
        text, width = frame.payload.hex(), 2 * BYTES_PER_LINE
        return [text[i : i + width] for i in range(0, len(text), width)]


def draw_accuracy(file: Path, report: dict, bundle: Bundle) -> None:
    """Draw accuracy against BER, of the frames delivered (with the 95 % interval of the count) and of all sent."""
    names = list(report["accuracy"])
    places = np.arange(len(names))
    delivered = np.array([100 * report["accuracy"][k] for k in names])
    sent = np.array([100 * report["accuracy_sent"][k] for k in names])
    counts = np.array([report["images"] - report["frames_lost"][k] for k in names])
    spread = 1.96 * np.sqrt(delivered * (100 - delivered) / np.maximum(counts, 1))
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    reference = 100 * report["accuracy_float_clean"]
    label = f"float encoder, clean, all test images: {reference:.1f} %"
    axes.axhline(reference, color=MUTED, linestyle=":", linewidth=1.5, label=label)
    axes.plot(places, sent, color=MUTED, marker="s", markersize=5, linewidth=1.2, label="of all frames sent")
    axes.errorbar(places, delivered, yerr=spread, color=LINE, marker="o", linewidth=2, capsize=4,
                  label="of the frames delivered (bars: 95 % interval)")  # fmt: skip
    for x, y in zip(places, delivered, strict=True):
        axes.annotate(f"{y:.1f}", (x, y), xytext=(8, 6), textcoords="offset points", color=LINE, fontsize=9)
    axes.set_xticks(places, names)
    axes.set_xlim(-0.2, len(names) - 0.7)  # room for the last figure
    axes.set_ylim(0, 100)
    axes.set_xlabel("bit error rate of the serial line")
    axes.set_ylabel("accuracy, %")
    axes.set_title(
        f"{report['images']} test images through {report['target']}, {len(bundle.classes)} classes, "
        f"{100 * report['answered']['0']:.0f} % answered by the board",
        fontsize=11,
    )
    axes.grid(axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", frameon=False, fontsize=9)
    figure.savefig(file, dpi=130)
    plt.close(figure)


def draw_images(file: Path, rows: list[list[ShownImage]], bundle: Bundle) -> None:
    """Draw one row per BER with the first images that arrived: image, classes, who decided, and what was received."""
    longest = max((len(item.lines) for row in rows for item in row), default=0)
    height = 3.2 + 0.13 * longest  # image and title, then what was received
    figure, grid = plt.subplots(
        len(rows), COLUMNS, figsize=(2.35 * COLUMNS, height * len(rows)), layout="constrained", squeeze=False
    )
    for line, shown in zip(grid, rows, strict=True):
        for axes, item in zip(line, [*shown[:COLUMNS], *[None] * COLUMNS][:COLUMNS], strict=True):
            axes.axis("off")
            if item is not None:
                _draw_one(axes, item, bundle)
    figure.savefig(file, dpi=130, bbox_inches="tight")
    plt.close(figure)


def _draw_one(axes: plt.Axes, item: ShownImage, bundle: Bundle) -> None:
    pixels = item.image[..., 0] if item.image.shape[-1] == 1 else item.image
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    prediction, decided = item.reading.prediction, item.reading.answered_by
    axes.set_title(
        f"BER {item.ber:g}, image {item.number}\ntrue: {bundle.classes[item.label]}\n"
        f"{decided.value}: {prediction.label} ({100 * prediction.confidence:.0f} %)",
        fontsize=9,
        color=CORRECT if prediction.index == item.label else WRONG,
    )
    axes.text(
        0.5,
        -0.04,
        "\n".join(item.lines),
        transform=axes.transAxes,
        ha="center",
        va="top",
        family="monospace",
        fontsize=7,
    )
