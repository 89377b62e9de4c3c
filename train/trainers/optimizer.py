"""How weights move: AdamW, and the exponential moving average that is evaluated."""

import torch
from torch import nn

from train.codecs.split.gdn import GDN


def adamw(model: nn.Module, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW (arXiv 1711.05101) over what learns. Only what multiplies features decays: no bias, norm, prior, centre."""
    learned = [p for p in model.parameters() if p.requires_grad]
    norms = {id(p) for module in model.modules() if isinstance(module, GDN) for p in module.parameters()}
    decayed = [p for p in learned if p.ndim in (2, 4) and p.numel() > 256 and id(p) not in norms]
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
