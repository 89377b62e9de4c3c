"""Reading what torch.save wrote, whoever wrote it."""

from pathlib import Path
from typing import Any

import torch

from train.errors import TrainError


def read(file: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Tensors and plain containers, nothing that runs code. TrainError of one line when the file is damaged."""
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # an unpickler that reads junk may raise anything
        line = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise TrainError(f"{file} is damaged, or not PyTorch's ({line})") from None
