"""The device that a model trains on: the CPU or a CUDA GPU."""

import contextlib
import re

import torch
from torch import nn

from train.errors import TrainError

CPU = torch.device("cpu")


def choose_device(name: str | None) -> torch.device:
    """Return the device called `cpu`, `cuda` or `cuda:N`; without a name, the CUDA GPU if one works, else the CPU.

    Raises TrainError for an unknown name and for a device that does not work.
    """
    if name is None:
        if not torch.cuda.is_available():
            return CPU
        device = torch.device("cuda")
        if fault := _fault(device):
            print(f"training on the CPU: the GPU does not work ({fault})")
            return CPU
        return device
    if not re.fullmatch(r"cpu|cuda(:\d{1,2})?", name):
        raise TrainError(f"--device {name}: unknown device; use cpu, cuda or cuda:N")
    device = torch.device(name)
    if fault := _fault(device):
        raise TrainError(f"--device {name}: PyTorch cannot use it here ({fault})")
    return device


def _fault(device: torch.device) -> str | None:
    """Return the error of a first computation on a device, in one line; None if it works."""
    try:
        torch.zeros(1, device=device).add(1).cpu()
    except Exception as error:  # drivers, architectures and builds fail in ways of their own
        return (str(error).splitlines() or [type(error).__name__])[0][:120]
    return None


def device_name(device: torch.device) -> str:
    """Return the name of a device for logs: the model of a GPU, else its type."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model's weights."""
    return next(model.parameters()).device


def has_fast_bf16(device: torch.device) -> bool:
    """Return whether a device computes convolutions in bfloat16 faster than in float32: CUDA, and some CPUs."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast(device: torch.device, enabled: bool) -> contextlib.AbstractContextManager[None]:
    """Return a context in which matrix products and convolutions run in bfloat16, if `enabled`."""
    if not torch.amp.is_autocast_available(device.type):
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)
