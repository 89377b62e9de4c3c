"""The sheet of examples: images, and their previews by payload and bit error rate."""

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.preview.measure import Examples

mpl.use("Agg")

INCHES = 1.1  # height and width of a picture


def draw(examples: Examples, file: Path) -> None:
    """Write the sheet: a row for each image, a column for each payload at each bit error rate."""
    columns = sorted(examples.previews, key=lambda key: (float(key[1]), -int(key[0])))
    n_rows, n_columns = len(examples.images), 1 + len(columns)
    size = (INCHES * n_columns, INCHES * n_rows + 0.5)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False, layout="constrained")
    for row, image in enumerate(examples.images):
        axes[row, 0].imshow(image)
        for column, key in enumerate(columns, 1):
            preview = examples.previews[key][row]
            if preview is None:
                axes[row, column].text(
                    0.5, 0.5, "lost", ha="center", va="center", transform=axes[row, column].transAxes
                )
            else:
                axes[row, column].imshow(preview)
    for column, text in enumerate(["image", *(f"{size} bytes\nBER {ber}" for size, ber in columns)]):
        axes[0, column].set_title(text, fontsize=9)
    for each in axes.flat:
        each.axis("off")
    figure.savefig(file, dpi=110)
    plt.close(figure)
