"""Where a model trains: on the processor, or on a GPU that PyTorch can use."""

import torch
from torch import nn

from train.errors import TrainError

CPU = torch.device("cpu")


def choose(name: str | None) -> torch.device:
    """The device of that name, as PyTorch has it; of no name: CUDA's where there is one, else the CPU.

    Raises TrainError for one that is not there.
    """
    if name is None:
        return torch.device("cuda") if torch.cuda.is_available() else CPU
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        line = str(error).splitlines()[0][:120]
        raise TrainError(f"--device {name}: PyTorch cannot use it here ({line})") from None
    return device


def of(model: nn.Module) -> torch.device:
    """Where a model's weights are."""
    return next(model.parameters()).device
