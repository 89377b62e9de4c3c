"""Optimization: phases of the learning rate, AdamW, and the moving average of the weights."""

import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Phase:
    """Epochs of one objective: linear warm-up to `lr`, then a cosine down to `end_lr`."""

    name: str
    epochs: int
    lr: float
    end_lr: float = 0.0
    warmup_epochs: float = 0.0
    int8: bool = False  # the encoder has its batch norm merged and its values rounded as on the board

    def learning_rate(self, step: int, steps_per_epoch: int) -> float:
        """Return the learning rate of a step, counted from the start of the phase."""
        warmup = round(self.warmup_epochs * steps_per_epoch)
        if step < warmup:
            return self.lr * (step + 1) / warmup
        done = (step - warmup) / max(1, self.epochs * steps_per_epoch - warmup)
        return self.end_lr + (self.lr - self.end_lr) * 0.5 * (1 + math.cos(math.pi * done))


def adamw(model: nn.Module, weight_decay: float) -> torch.optim.Optimizer:
    """Return AdamW (arXiv 1711.05101) over the learned weights. Biases, norms, priors and centres do not decay."""
    learned = [p for p in model.parameters() if p.requires_grad]
    weights = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)}
    decayed = [p for p in learned if id(p) in weights and p.numel() > 256]
    chosen = {id(p) for p in decayed}
    rest = [p for p in learned if id(p) not in chosen]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.99))


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the average of the weights, and of batch norm's statistics, by 1 - decay towards the model's."""
    for kept, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)
