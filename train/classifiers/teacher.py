"""Knowledge distillation: soft labels of a trained CIFAR ResNet, computed once for each view and cached.

Hinton et al. 2015 (arXiv 1503.02531); the network is He et al. 2015 (arXiv 1512.03385), section 4.2, shortcuts of
option A. Checkpoints: state dicts with the keys of the widely used CIFAR-10 ones (`module.layer1.0.conv1.weight`).
"""

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.compute_device import CPU
from train.config import TeacherConfig
from train.errors import TrainError
from train.run_files import load_tensors

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


def load(config: TeacherConfig, classes: int) -> CifarResNet:
    """Load the teacher in evaluation mode. A checkpoint's path is also searched for below INKLING_DATA."""
    candidates = [Path(config.checkpoint), Path(os.environ.get("INKLING_DATA", ".")) / config.checkpoint]
    path = next((p for p in candidates if p.is_file()), None)
    if path is None:
        raise TrainError(f"teacher checkpoint {config.checkpoint} not found (nor below INKLING_DATA)")
    model = CifarResNet(config.depth, classes)
    saved = load_tensors(path)
    try:
        state = {k.removeprefix("module."): v for k, v in saved.get("state_dict", saved).items()}
        model.load_state_dict(state)
    except (RuntimeError, AttributeError) as error:
        lines = str(error).splitlines()
        detail = lines[min(1, len(lines) - 1)].strip()[:120]  # the first line of load_state_dict has no detail
        raise TrainError(f"{path} is not a CIFAR ResNet-{config.depth} of {classes} classes: {detail}") from None
    return model.eval()


class SoftLabels:
    """The teacher's logits for each view of each image: computed at first use, kept in a file (float16)."""

    def __init__(
        self, config: TeacherConfig, n_images: int, classes: int, file: Path, device: torch.device = CPU
    ) -> None:
        self.config = config
        self.model = load(config, classes).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        shape = (config.views, n_images, classes)
        if not file.is_file() or np.load(file, mmap_mode="r").shape != shape:
            part = file.with_suffix(".part")
            empty = np.lib.format.open_memmap(part, "w+", np.float16, shape)
            empty[:] = np.nan
            empty.flush()
            part.replace(file)  # in an incomplete file, zeros would be taken for the teacher's logits
        self.kept = np.load(file, mmap_mode="r+")

    @torch.no_grad()
    def logits(self, view: int, index: Tensor, images: Tensor) -> Tensor:
        """Return logits (B, classes) for images (B, C, H, W), which are training images `index` (B,) in view `view`."""
        rows = index.numpy()
        kept = self.kept[view, rows]
        if np.isnan(kept).any():
            kept = self.model(images).cpu().numpy().astype(np.float16)
            self.kept[view, rows] = kept
        return torch.from_numpy(kept.astype(np.float32)).to(images.device)

    def loss(self, logits: Tensor, teacher_logits: Tensor) -> Tensor:
        """Return T^2 * KL(teacher || student), both softened by T; mean over the batch."""
        t = self.config.temperature
        divergence = F.kl_div(
            F.log_softmax(logits / t, 1), F.log_softmax(teacher_logits / t, 1), reduction="batchmean", log_target=True
        )
        return divergence * t * t
