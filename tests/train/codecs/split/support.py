"""Small classifiers, batches and impairments for the tests of the split codecs."""

import torch
from torch import Tensor, nn

from tests.support.codec import impairment
from train.classifiers.architectures import Classifier
from train.codecs.split.split_codec import SplitCodec
from train.impairment import Impairment


def small_classifier(classes: int = 4) -> Classifier:
    """Return a stem that keeps the image's size, five blocks and a head."""
    blocks: list[nn.Module] = [nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()) for _ in range(5)]
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))
    classifier = Classifier(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()), blocks, head)
    for layer in classifier.modules():  # with PyTorch's own initialisation the signal fades
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    return classifier


def batch(size: int = 8, n: int = 12) -> tuple[Tensor, Tensor]:
    """Return random images (n, 3, size, size) and labels (n,)."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n, 3, size, size, generator=generator), torch.arange(n) % 4


def flipped_symbols(codec: SplitCodec, n: int = 12, flipped: int = 0) -> Impairment:
    """Return an impairment that flips the lowest bit of the first `flipped` symbols per image; given BER 1e-2."""
    return impairment(codec, n, flips=(torch.arange(codec.n_symbols) < flipped).long())


def train_steps(codec: SplitCodec, steps: int, stage: str = "task", rate: float = 1e-2) -> list[float]:
    """Return the loss of each training step on one batch, labelled by the base classifier."""
    images, _ = batch()
    with torch.no_grad():
        labels = codec.classifier(images).argmax(1)
    optimizer = torch.optim.AdamW([p for p in codec.parameters() if p.requires_grad], rate)
    losses = []
    for _ in range(steps):
        loss = codec.loss(stage, images, labels, flipped_symbols(codec, flipped=2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def gradients(codec: SplitCodec, loss: Tensor) -> dict[str, float]:
    """Return the largest absolute gradient of each parameter that the loss reaches."""
    codec.zero_grad()
    loss.backward()
    return {name: float(p.grad.abs().max()) for name, p in codec.named_parameters() if p.grad is not None}


def gradient(codec: SplitCodec, name: str) -> Tensor:
    """Return the gradient of a parameter."""
    grad = codec.get_parameter(name).grad
    assert grad is not None, name
    return grad
