"""Knowledge distillation: soft labels of a trained classifier, computed once for each view and cached.

Hinton et al. 2015 (arXiv 1503.02531). The teacher is a CIFAR ResNet from one of the widely used CIFAR-10 checkpoints,
or the best.pt of a run of `inkling train classifier`.
"""

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.classifiers.architectures import build_configured
from train.classifiers.resnet import CifarResNet
from train.compute_device import CPU, autocast, has_fast_bf16
from train.config import ClassifierConfig, TeacherConfig
from train.data.datasets import Dataset
from train.errors import TrainError
from train.run_files import load_tensors, load_weights


def load(config: TeacherConfig, data: Dataset) -> nn.Module:
    """Load the teacher in evaluation mode: a checkpoint of a CIFAR ResNet, or the best.pt of a classifier's run."""
    path = config.find()
    saved = load_tensors(path)
    if isinstance(saved, dict) and {"config", "model"} <= saved.keys():
        trained = ClassifierConfig.from_dict(saved["config"], f"{path}: config")
        classifier = build_configured(trained, len(data.classes), 3)
        load_weights(classifier, saved["model"], path)
        return classifier.eval()
    model: nn.Module = CifarResNet(config.depth, len(data.classes))
    try:
        state = {k.removeprefix("module."): v for k, v in saved.get("state_dict", saved).items()}
        model.load_state_dict(state)
    except (RuntimeError, AttributeError) as error:
        lines = str(error).splitlines()
        detail = lines[min(1, len(lines) - 1)].strip()[:120]  # the first line of load_state_dict has no detail
        raise TrainError(
            f"{path} is not a CIFAR ResNet-{config.depth} of {len(data.classes)} classes: {detail}"
        ) from None
    return model.eval()


class SoftLabels:
    """The teacher's logits for each view of each image: computed at first use, kept in a file (float16)."""

    def __init__(
        self, config: TeacherConfig, n_images: int, data: Dataset, file: Path, device: torch.device = CPU
    ) -> None:
        self.config, self.bf16 = config, has_fast_bf16(device)
        self.model = load(config, data).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        shape = (config.views, n_images, len(data.classes))
        if not file.is_file() or np.load(file, mmap_mode="r").shape != shape:
            part = file.with_suffix(f".{os.getpid()}.part")  # another run may start at the same time
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
            with autocast(images.device, self.bf16):
                kept = self.model(images).float().cpu().numpy().astype(np.float16)
            self.kept[view, rows] = kept
        return torch.from_numpy(kept.astype(np.float32)).to(images.device)

    def loss(self, logits: Tensor, teacher_logits: Tensor) -> Tensor:
        """Return T^2 * KL(teacher || student), both softened by T; mean over the batch."""
        t = self.config.temperature
        divergence = F.kl_div(
            F.log_softmax(logits / t, 1), F.log_softmax(teacher_logits / t, 1), reduction="batchmean", log_target=True
        )
        return divergence * t * t
