"""Pictures of confusion matrices, by matplotlib, which the host itself does not need."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from host.errors import HostError
from wire.errors import install_hint

NUMBERED_CLASSES = 20  # up to so many, the cells have their counts


def draw(file: Path, matrices: Mapping[str, np.ndarray], classes: Sequence[str]) -> None:
    """Draw confusion matrices (C, C) side by side, by title: true classes down, predicted classes across.

    The suffix of `file` tells the format. Raises HostError if matplotlib is missing, or the file cannot be written.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise HostError(f"the picture needs matplotlib; {install_hint('teach')}") from None
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    side = min(14.0, 2.5 + 0.32 * len(classes))
    size = (side * len(matrices), side)
    figure, axes = plt.subplots(1, len(matrices), figsize=size, squeeze=False, layout="constrained")
    for panel, (title, counts) in zip(axes[0], matrices.items(), strict=True):
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        correct = counts.trace() / counts.sum()
        panel.set_title(f"{title}: {100 * correct:.2f} % of {counts.sum():,} images", fontsize=11)
        font_size = 9 if len(classes) <= NUMBERED_CLASSES else 4
        panel.set_xticks(range(len(classes)), classes, rotation=90, fontsize=font_size)
        panel.set_yticks(range(len(classes)), classes, fontsize=font_size)
        panel.set_xlabel("predicted class")
        panel.set_ylabel("true class")
        if len(classes) <= NUMBERED_CLASSES:
            for (row, column), count in np.ndenumerate(counts):
                colour = "white" if shares[row, column] > 0.5 else "black"
                panel.text(column, row, str(count), ha="center", va="center", fontsize=7, color=colour)
    try:
        figure.savefig(file, dpi=130)
    except (OSError, ValueError) as error:  # ValueError for an unknown suffix
        raise HostError(f"{file} cannot be written: {getattr(error, 'strerror', None) or error}") from None
    finally:
        plt.close(figure)
