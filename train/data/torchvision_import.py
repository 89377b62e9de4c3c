"""Import of torchvision that also works with a CPU-only torch and a torchvision without compiled operators.

There `import torchvision` fails with `operator torchvision::nms does not exist`. Declaring the two operators first is
enough for data sets and models; ops.nms itself stays unusable, and is not used here.
"""

import torch

# The library must outlive the import: its registrations end when it is collected.
_library: torch.library.Library | None = None
if torch.version.cuda is None:
    try:
        _library = torch.library.Library("torchvision", "DEF")
        for _name in ("nms", "qnms"):
            _library.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:  # a torchvision built for this torch has defined them already
        _library = None

from torchvision import datasets, models, ops  # noqa: E402

__all__ = ["datasets", "models", "ops"]
