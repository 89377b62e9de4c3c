"""Thresholds of mode adaptive over a clean link: the sweep, the bundle's default, and the one without loss.

Thresholds are chosen on held-out training images; the figures are those of the test images.
"""

from typing import Any

import numpy as np

from benchmarks.adaptive.schemes.streams import Images
from export.evaluation.metrics import Adaptive, sweep
from wire.bundle import Bundle

NO_LOSS = 0.003  # of accuracy: within this of the host's, an adaptive mode counts as free


def thresholds(
    bundle: Bundle, hosts: dict[int, tuple[np.ndarray, np.ndarray]], test: Images, held_out: Images
) -> dict[str, Any]:
    """Return the figures by bytes of the prefix that unanswered images send.

    hosts: by chunk, the images that the host classifies correctly: test (n,) and held-out (m,) bool.
    """
    figures = {}
    for chunk, (on_test, on_held_out) in hosts.items():
        rows, chosen_on = (_sweep(images, host) for images, host in ((test, on_test), (held_out, on_held_out)))
        free = without_loss(chosen_on)
        figures[f"{bundle.chunk_bytes(chunk)}"] = {
            "host": float(on_test.mean()),
            "board": rows[0].accuracy,
            "sweep": [[row.answered, row.accuracy] for row in rows],
            "default": _row(rows[bundle.threshold]),
            "without_loss": _row(rows[free]),
        }
    return figures


def without_loss(rows: list[Adaptive]) -> int:
    """Return the lowest threshold whose accuracy is within NO_LOSS of that of features only, the last row."""
    return next(row.threshold for row in rows if row.accuracy >= rows[-1].accuracy - NO_LOSS)


def _sweep(images: Images, host: np.ndarray) -> list[Adaptive]:
    confidences, classes = images.encoded.confidences, images.encoded.classes
    assert confidences is not None and classes is not None
    return sweep(confidences, classes == images.labels, host)


def _row(row: Adaptive) -> dict[str, float]:
    return {"threshold": row.threshold, "answered": row.answered, "accuracy": row.accuracy}
