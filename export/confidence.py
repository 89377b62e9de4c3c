"""Confidences that mean what they say: temperature scaling (Guo et al. 2017, arXiv 1706.04599).

Distillation leaves logits that are too far apart. Dividing them by one number, fitted on held-out training images,
changes no decision and makes the softmax a probability that can be believed.
"""

import numpy as np
import torch
from torch.nn import functional as F

from train.codecs.deployable import DeployableCodec
from train.evaluate import encode, logits

BERS = (0.0, 1e-2, 5e-2)  # what links are like, so that one temperature serves them
CANDIDATES = torch.logspace(-1, 1, 201, base=10)


@torch.no_grad()
def calibrate(codec: DeployableCodec, images: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Scale the codec's last layer; images uint8 (N, H, W, C), held out of training, and labels (N,).

    Returns the temperature, and the negative log-likelihood before and after, in nats an image.
    """
    levels = encode(codec, images)
    given = torch.cat([logits(codec, levels, ber) for ber in BERS])  # (3 N, classes)
    target = torch.from_numpy(labels).repeat(len(BERS))
    losses = torch.stack([F.cross_entropy(given / t, target) for t in CANDIDATES])
    best = int(losses.argmin())
    temperature = float(CANDIDATES[best])
    codec.last_layer.weight /= temperature
    codec.last_layer.bias /= temperature
    return temperature, float(F.cross_entropy(given, target)), float(losses[best])
