"""Evaluate a subject: accuracy by BER and prefix, confusion matrix, the board alone, and mode adaptive."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from export.evaluation.metrics import Confusion, expected_calibration_error, sweep
from export.evaluation.subject import Encoded, Subject
from train.evaluate import BER_GRID

OnProgress = Callable[[int], None]  # called with the number of images done since the last call


def steps(subject: Subject, n_images: int, draws: int, bers: Sequence[float] = BER_GRID) -> int:
    """Return the number of images that `evaluate` passes on to `on_progress` in total."""
    return n_images * (1 + len(subject.prefixes) * (1 + (len(bers) - 1) * draws))


def evaluate(
    subject: Subject,
    images: np.ndarray,
    labels: np.ndarray,
    classes: list[str],
    draws: int,
    probability: np.ndarray | None,
    on_progress: OnProgress,
    bers: Sequence[float] = BER_GRID,
) -> dict[str, Any]:
    """Return all figures of a subject on images uint8 (N, H, W, C) with labels (N,).

    draws: of the bit flips at each BER above 0. probability (16,): share of correct answers that the host reports for
    each confidence level of the board. bers: bit error rates, 0 first.
    """
    encoded = subject.encode(images, lambda: on_progress(1))
    figures: dict[str, Any] = {"images": len(labels), "draws": draws, "classes": classes}
    clean = _host(subject, encoded, labels, draws, on_progress, figures, bers)
    if encoded.classes is None:
        return figures
    correct = encoded.classes == labels
    alone = {"accuracy": float(np.mean(correct)), **_confusion(encoded.classes, labels, classes)}
    figures[subject.alone] = alone
    if encoded.confidences is not None:
        if probability is not None:
            error = expected_calibration_error(encoded.confidences, correct, probability)
            alone["expected_calibration_error"] = error
        figures["adaptive"] = {
            title: [asdict(row) for row in sweep(encoded.confidences, correct, predicted == labels)]
            for title, predicted in clean.items()
        }
    return figures


def _host(
    subject: Subject,
    encoded: Encoded,
    labels: np.ndarray,
    draws: int,
    on_progress: OnProgress,
    figures: dict[str, Any],
    bers: Sequence[float],
) -> dict[str, np.ndarray]:
    """Add the host's figures; return its classes (N,) over a clean link, by payload."""
    clean: dict[str, np.ndarray] = {}
    accuracies: dict[str, dict[str, dict[str, float]]] = {}
    for title, n_symbols in subject.prefixes.items():
        accuracies[title] = {}
        for ber in bers:
            shares = []
            for draw in range(draws if ber else 1):
                predicted = subject.predict(encoded, n_symbols, ber, draw)
                on_progress(len(labels))
                shares.append(float((predicted == labels).mean()))
                if not ber:
                    clean[title] = predicted
            spread = float(np.std(shares, ddof=1)) if len(shares) > 1 else 0.0
            accuracies[title][f"{ber:g}"] = {"accuracy": float(np.mean(shares)), "std": spread}
    if clean:
        whole = next(iter(clean.values()))
        figures["host"] = {"accuracy": accuracies, **_confusion(whole, labels, figures["classes"])}
    return clean


def _confusion(predicted: np.ndarray, labels: np.ndarray, classes: list[str]) -> dict[str, Any]:
    confusion = Confusion.of(labels, predicted, len(classes))
    return {
        "confusion": confusion.counts.tolist(),
        "per_class": [None if np.isnan(share) else float(share) for share in confusion.per_class],
    }
