"""Base classifiers, split after their stem: the device computes the stem, the host the rest.

Architectures are torchvision's, with torchvision's stems, as SemanticNN (arXiv 2511.11038) splits them; ResNet-20 is
the CIFAR one of He et al. 2015 (arXiv 1512.03385). Input is pixel / 255 without normalisation, which the first layers
learn, as a board does not compute it. For grey images, the first convolution has one input channel.

| name | stem | features of a 32 x 32 image |
| --- | --- | --- |
| mobilenet_v2 | 3x3 s2, batch norm, ReLU6 | 32 x 16 x 16 |
| resnet50 | 7x7 s2, batch norm, ReLU, 3x3 s2 max pooling | 64 x 8 x 8 |
| efficientnet_v2_s | 3x3 s2, batch norm, SiLU | 24 x 16 x 16 |
| resnet20 | 3x3, batch norm, ReLU | 16 x 32 x 32 |
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from train.classifiers.resnet import CifarResNet
from train.data.torchvision_import import models
from train.errors import unknown_name


class Classifier(nn.Module):
    """A classifier in two parts. `stem`: images -> features; the rest: a list of blocks, then the head -> logits."""

    def __init__(self, stem: nn.Module, blocks: Sequence[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.stem, self.blocks, self.head = stem, nn.ModuleList(blocks), head

    @property
    def channels(self) -> int:
        """Number of channels of the images: 3, or 1 for grey ones."""
        return _first_convolution(self).in_channels

    def features(self, images: Tensor) -> Tensor:
        """Return the stem's features (B, C, h, w) of images (B, channels, H, W) in [0, 1]."""
        return self.stem(images)

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


def _mobilenet_v2(classes: int) -> Classifier:
    model = models.mobilenet_v2(num_classes=classes)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), model.classifier)
    return Classifier(model.features[0], list(model.features[1:]), head)


def _efficientnet_v2_s(classes: int) -> Classifier:
    model = models.efficientnet_v2_s(num_classes=classes)
    head = nn.Sequential(model.avgpool, nn.Flatten(), model.classifier)
    return Classifier(model.features[0], list(model.features[1:]), head)


def _resnet50(classes: int) -> Classifier:
    model = models.resnet50(num_classes=classes)
    stem = nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool)
    head = nn.Sequential(model.avgpool, nn.Flatten(), model.fc)
    return Classifier(stem, [model.layer1, model.layer2, model.layer3, model.layer4], head)


def _resnet20(classes: int) -> Classifier:
    model = CifarResNet(20, classes)
    stem = nn.Sequential(model.conv1, model.bn1, nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), model.linear)
    blocks = [block for number in (1, 2, 3) for block in model.get_submodule(f"layer{number}").children()]
    return Classifier(stem, blocks, head)


ARCHITECTURES: dict[str, Callable[[int], Classifier]] = {
    "mobilenet_v2": _mobilenet_v2,
    "resnet50": _resnet50,
    "efficientnet_v2_s": _efficientnet_v2_s,
    "resnet20": _resnet20,
}


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


def _first_convolution(classifier: Classifier) -> nn.Conv2d:
    return next(module for module in classifier.modules() if isinstance(module, nn.Conv2d))


@torch.no_grad()
def feature_shape(classifier: Classifier, height: int, width: int) -> tuple[int, int, int]:
    """Return the shape (C, h, w) of the stem's features for images of that size."""
    training = classifier.training
    features = classifier.eval().features(torch.zeros(1, classifier.channels, height, width))
    classifier.train(training)
    return features.shape[1], features.shape[2], features.shape[3]
