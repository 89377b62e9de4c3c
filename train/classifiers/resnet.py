"""CIFAR ResNets: He et al. 2015 (arXiv 1512.03385), section 4.2, shortcuts of option A.

Their state dicts have the keys of the widely used CIFAR-10 checkpoints (`layer1.0.conv1.weight`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# The statistics that these checkpoints were trained with (ImageNet's).
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class _Block(nn.Module):
    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.stride, self.extra = stride, cout - cin

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1 or self.extra:  # option A: subsample, pad with zero channels
            half = self.extra // 2
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.extra - half))
        return F.relu(x + y)


class CifarResNet(nn.Module):
    """ResNet-20, 32, 44 or 56 for 32 x 32 images."""

    mean: Tensor
    std: Tensor

    def __init__(self, depth: int, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        blocks = (depth - 2) // 6
        channels = 16
        for number, cout in enumerate((16, 32, 64), 1):
            layers = [
                _Block(channels if i == 0 else cout, cout, 2 if i == 0 and number > 1 else 1) for i in range(blocks)
            ]
            self.add_module(f"layer{number}", nn.Sequential(*layers))
            channels = cout
        self.linear = nn.Linear(64, classes)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> logits (B, classes)."""
        x = F.relu(self.bn1(self.conv1((images - self.mean) / self.std)))
        for number in (1, 2, 3):
            x = self.get_submodule(f"layer{number}")(x)
        return self.linear(x.mean((2, 3)))
