"""Base classifiers, split after their stem: the device computes the stem, the host the rest.

Architectures are torchvision's, with torchvision's stems, as SemanticNN (arXiv 2511.11038) splits them; ResNet-20 is
the CIFAR one of He et al. 2015 (arXiv 1512.03385). Input is pixel / 255 without normalisation, which the first layers
learn, as a board does not compute it; a public checkpoint may need one. For grey images, the first convolution has one
input channel.

| name | stem | features of a 32 x 32 image |
| --- | --- | --- |
| mobilenet_v2 | 3x3 s2, batch norm, ReLU6 | 32 x 16 x 16 |
| resnet50 | 7x7 s2, batch norm, ReLU, 3x3 s2 max pooling | 64 x 8 x 8 |
| efficientnet_v2_s | 3x3 s2, batch norm, SiLU | 24 x 16 x 16 |
| resnet20 | 3x3, batch norm, ReLU | 16 x 32 x 32 |
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from train.classifiers.resnet import CifarResNet
from train.config import ClassifierConfig
from train.data.torchvision_import import models
from train.errors import TrainError, unknown_name
from train.run_files import load_tensors


class Normalize(nn.Module):
    """Subtraction of each colour's mean, and division by its standard deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        return (images - self.mean) / self.std


class Classifier(nn.Module):
    """A classifier in two parts. `stem`: images -> features; the rest: a list of blocks, then the head -> logits."""

    def __init__(self, stem: nn.Module, blocks: Sequence[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.normalize: Normalize | None = None  # of the images, before the stem
        self.stem, self.blocks, self.head = stem, nn.ModuleList(blocks), head

    @property
    def channels(self) -> int:
        """Number of channels of the images: 3, or 1 for grey ones."""
        return _first_convolution(self).in_channels

    @property
    def last(self) -> nn.Linear:
        """The layer that computes the logits."""
        return [layer for layer in self.head.modules() if isinstance(layer, nn.Linear)][-1]

    def features(self, images: Tensor) -> Tensor:
        """Return the stem's features (B, C, h, w) of images (B, channels, H, W) in [0, 1]."""
        return self.stem(images if self.normalize is None else self.normalize(images))

    def block_outputs(self, features: Tensor) -> list[Tensor]:
        """Return the output of every block after the stem for features (B, C, h, w); the head takes the last one."""
        outputs = []
        for block in self.blocks:
            features = block(features)
            outputs.append(features)
        return outputs

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (B, classes) for features (B, C, h, w)."""
        for block in self.blocks:
            features = block(features)
        return self.head(features)

    def forward(self, images: Tensor) -> Tensor:
        """(B, channels, H, W) in [0, 1] -> logits (B, classes)."""
        return self.classify(self.features(images))


def _split_mobilenet_v2(model: nn.Module) -> Classifier:
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), model.get_submodule("classifier"))
    stem, *blocks = model.get_submodule("features").children()
    return Classifier(stem, blocks, head)


def _split_efficientnet(model: nn.Module) -> Classifier:
    head = nn.Sequential(model.get_submodule("avgpool"), nn.Flatten(), model.get_submodule("classifier"))
    stem, *blocks = model.get_submodule("features").children()
    return Classifier(stem, blocks, head)


def _split_resnet50(model: nn.Module) -> Classifier:
    conv1, bn1, relu, maxpool, *layers, avgpool, fc = model.children()
    return Classifier(nn.Sequential(conv1, bn1, relu, maxpool), layers, nn.Sequential(avgpool, nn.Flatten(), fc))


def _split_cifar_resnet(model: nn.Module) -> Classifier:
    conv1, bn1, *layers, linear = model.children()
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)
    blocks = [block for layer in layers for block in layer.children()]
    return Classifier(nn.Sequential(conv1, bn1, nn.ReLU()), blocks, head)


# By architecture: the whole model for a number of classes, with the names of its public checkpoints, and its split.
_WHOLE: dict[str, tuple[Callable[[int], nn.Module], Callable[[nn.Module], Classifier]]] = {
    "mobilenet_v2": (lambda classes: models.mobilenet_v2(num_classes=classes), _split_mobilenet_v2),
    "resnet50": (lambda classes: models.resnet50(num_classes=classes), _split_resnet50),
    "efficientnet_v2_s": (lambda classes: models.efficientnet_v2_s(num_classes=classes), _split_efficientnet),
    "resnet20": (lambda classes: CifarResNet(20, classes), _split_cifar_resnet),
}


def _builder(architecture: str) -> Callable[[int], Classifier]:
    create, split = _WHOLE[architecture]
    return lambda classes: split(create(classes))


ARCHITECTURES: dict[str, Callable[[int], Classifier]] = {name: _builder(name) for name in _WHOLE}


def build(architecture: str, classes: int, channels: int = 3) -> Classifier:
    """Return a classifier with fresh weights for images of 3 or 1 channels. Raises TrainError if it is unknown."""
    if architecture not in ARCHITECTURES:
        raise unknown_name("unknown architecture", architecture, ARCHITECTURES)
    classifier = ARCHITECTURES[architecture](classes)
    if channels != 3:  # torchvision's models always have three
        first = _first_convolution(classifier)
        first.in_channels = channels
        first.weight = nn.Parameter(torch.empty(first.out_channels, channels, *first.kernel_size))
        nn.init.kaiming_normal_(first.weight, mode="fan_out")
    return classifier


def build_configured(config: ClassifierConfig, classes: int, channels: int) -> Classifier:
    """Return the classifier of a config with fresh weights, or with those of its checkpoint.

    Raises TrainError if the checkpoint is missing or does not fit, or if grey images are to be normalised as colours.
    """
    path = config.find_checkpoint()
    classifier = (
        from_checkpoint(path, config.architecture, classes) if path else build(config.architecture, classes, channels)
    )
    if classifier.channels != channels:
        raise TrainError(
            f"{config.name}: the checkpoint takes {classifier.channels} channels, the images have {channels}"
        )
    if (config.mean, config.std) != (ClassifierConfig.mean, ClassifierConfig.std):
        if channels != 3:
            raise TrainError(f"{config.name}: mean and std are those of three colours, and the images are grey")
        classifier.normalize = Normalize(config.mean, config.std)
    return classifier


def from_checkpoint(path: Path, architecture: str, classes: int) -> Classifier:
    """Load a whole model's state dict, as such or as `state_dict`, with or without the prefix `module.`.

    Raises TrainError if it is not one of that architecture and number of classes.
    """
    create, split = _WHOLE[architecture]
    model, saved = create(classes), load_tensors(path)
    try:
        saved = saved.get("state_dict", saved)
        model.load_state_dict({name.removeprefix("module."): part for name, part in saved.items()})
    except (RuntimeError, AttributeError, TypeError) as error:
        lines = str(error).splitlines()
        detail = lines[min(1, len(lines) - 1)].strip()[:120]  # the first line of load_state_dict has no detail
        raise TrainError(f"{path} has no weights of a {architecture} of {classes} classes: {detail}") from None
    return split(model)


def _first_convolution(classifier: Classifier) -> nn.Conv2d:
    return next(module for module in classifier.modules() if isinstance(module, nn.Conv2d))


@torch.no_grad()
def feature_shape(classifier: Classifier, height: int, width: int) -> tuple[int, int, int]:
    """Return the shape (C, h, w) of the stem's features for images of that size."""
    training = classifier.training
    features = classifier.eval().features(torch.zeros(1, classifier.channels, height, width))
    classifier.train(training)
    return features.shape[1], features.shape[2], features.shape[3]
