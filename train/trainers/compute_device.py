"""Where a model trains: on the processor, or on a GPU of CUDA."""

import re

import torch
from torch import nn

from train.errors import TrainError

CPU = torch.device("cpu")


def choose(name: str | None) -> torch.device:
    """The device of that name, `cpu`, `cuda` or `cuda:N`; of no name: CUDA's where one works, else the CPU.

    Raises TrainError for a name that is none, and for a device that does not work.
    """
    if name is None:
        if not torch.cuda.is_available():
            return CPU
        device = torch.device("cuda")
        if trouble := _trouble(device):
            print(f"training on the CPU: the GPU does not work ({trouble})")
            return CPU
        return device
    if not re.fullmatch(r"cpu|cuda(:\d{1,2})?", name):
        raise TrainError(f"--device {name}: known are cpu, cuda, and cuda:0 and so on")
    device = torch.device(name)
    if trouble := _trouble(device):
        raise TrainError(f"--device {name}: PyTorch cannot use it here ({trouble})")
    return device


def _trouble(device: torch.device) -> str | None:
    """What goes wrong on a device, in a line; None if nothing does."""
    try:
        torch.zeros(1, device=device).add(1).cpu()
    except Exception as error:  # drivers, architectures and builds fail in ways of their own
        return (str(error).splitlines() or [type(error).__name__])[0][:120]
    return None


def title(device: torch.device) -> str:
    """What a log calls a device: a GPU by its model."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def of(model: nn.Module) -> torch.device:
    """Where a model's weights are."""
    return next(model.parameters()).device
