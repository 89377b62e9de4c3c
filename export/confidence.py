"""Calibrated confidences by temperature scaling (Guo et al. 2017, arXiv 1706.04599).

Distillation leaves logits that are too far apart. Dividing them by one number, fitted on held-out training images,
changes no decision and turns the softmax into a reliable probability.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from train.codecs.deployable import DeployableCodec
from train.evaluate import encode, logits

BERS = (0.0, 1e-2, 5e-2)  # typical links: one temperature serves them all
CANDIDATES = torch.logspace(-1, 1, 201, base=10)


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature and the negative log-likelihood before and after it, in nats per image."""

    value: float
    loss_before: float
    loss_after: float


@torch.no_grad()
def calibrate(codec: DeployableCodec, images: np.ndarray, labels: np.ndarray) -> Temperature:
    """Fit the temperature and scale the codec's last layer by it.

    images uint8 (N, H, W, C), held out of training, and their labels (N,).
    """
    symbols = encode(codec, images)
    unscaled = torch.cat([logits(codec, symbols, ber) for ber in BERS])  # (3 N, classes)
    target = torch.from_numpy(labels).repeat(len(BERS))
    losses = torch.stack([F.cross_entropy(unscaled / t, target) for t in CANDIDATES])
    best = int(losses.argmin())
    temperature = float(CANDIDATES[best])
    codec.last_layer.weight.div_(temperature)
    codec.last_layer.bias.div_(temperature)
    return Temperature(temperature, float(F.cross_entropy(unscaled, target)), float(losses[best]))
