"""Calibrated confidences by temperature scaling (Guo et al. 2017, arXiv 1706.04599), of the host and of the board.

All is fitted on held-out training images.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from train.codecs.deployable import DeployableCodec
from train.evaluate import encode, logits
from train.temperature import fit_temperature
from wire.answer import CONFIDENCES, FULL_WEIGHT, AnswerHead, confidence_floor

BERS = (0.0, 1e-2, 5e-2)  # typical links: one temperature serves them all
PRIOR_IMAGES = 10  # a confidence level's accuracy counts as if so many images had its nominal one
MAX_LOSS = 0.003  # share of images that the default threshold may cost against the host's accuracy


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature and the negative log-likelihood before and after it, in nats per image."""

    value: float
    loss_before: float
    loss_after: float


@torch.no_grad()
def calibrate(codec: DeployableCodec, images: np.ndarray, labels: np.ndarray) -> Temperature:
    """Fit the temperature of the codec's logits and divide them by it.

    images uint8 (N, H, W, C), held out of training, and their labels (N,).
    """
    payload = encode(codec, images)
    unscaled = torch.cat([logits(codec, payload, ber) for ber in BERS])  # (3 N, classes)
    target = torch.from_numpy(labels).repeat(len(BERS))
    temperature = fit_temperature(unscaled, target)
    codec.scale_logits(temperature)
    loss_before, loss_after = (float(F.cross_entropy(unscaled / t, target)) for t in (1.0, temperature))
    return Temperature(temperature, loss_before, loss_after)


@dataclass(frozen=True)
class BoardCalibration:
    """The calibrated answer head, with the temperature and the expected calibration errors, as shares."""

    head: AnswerHead
    temperature: float
    error_before: float  # without the temperature
    error: float


def calibrate_board(scores: np.ndarray, labels: np.ndarray, step: float) -> BoardCalibration:
    """Calibrate an answer head by scores int8 (N, classes) of held-out images and their labels (N,).

    step: logits per step of a score.
    """
    unscaled, target = torch.from_numpy(scores.astype(np.float32) * step), torch.from_numpy(labels)
    temperature = fit_temperature(unscaled, target)
    weights = np.rint(FULL_WEIGHT * np.exp(-np.arange(256) * step / temperature)).astype(np.uint16)
    head = AnswerHead(weights, np.zeros(CONFIDENCES))
    index, level = head.answers(scores)
    return BoardCalibration(
        AnswerHead(weights, _accuracy_by_level(level, index == labels)),
        temperature,
        *(expected_calibration_error(unscaled / t, target) for t in (1.0, temperature)),
    )


def _accuracy_by_level(levels: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Return the share of correct answers (16,) at each confidence level, drawn to the middle of the level's range."""
    floors = np.array([*(confidence_floor(level) for level in range(CONFIDENCES)), 1.0])
    middle = (floors[1:] + floors[:-1]) / 2
    images = np.bincount(levels, minlength=CONFIDENCES)
    right = np.bincount(levels, weights=correct, minlength=CONFIDENCES)
    return np.round((right + PRIOR_IMAGES * middle) / (images + PRIOR_IMAGES), 4)


def expected_calibration_error(logits: torch.Tensor, labels: torch.Tensor, bins: int = 15) -> float:
    """Return the mean difference of confidence and accuracy over bins of equal width, weighted by images."""
    confident, index = F.softmax(logits, 1).max(1)
    correct = (index == labels).float()
    places = (confident * bins).long().clamp_max(bins - 1)
    gaps = torch.zeros(bins).index_add(0, places, confident - correct)
    return float(gaps.abs().sum() / len(labels))


def choose_threshold(levels: np.ndarray, board_correct: np.ndarray, host_correct: np.ndarray) -> int:
    """Return the lowest threshold at which answers cost at most MAX_LOSS against the host's accuracy.

    All arrays (N,), of held-out images: confidence levels, and whether board and host classify correctly.
    """
    for threshold in range(CONFIDENCES):
        mixed = np.where(levels >= threshold, board_correct, host_correct)
        if mixed.mean() >= host_correct.mean() - MAX_LOSS:
            return threshold
    return CONFIDENCES - 1
