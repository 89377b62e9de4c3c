"""A device that is none: it computes on the CPU, and refuses what a GPU refuses. Tests train on it without a GPU.

`with Far():` lets tensors go `.to(FAR)`. They are there what they are, but one that meets a tensor of the CPU in an
operation, and one that NumPy asks for, raises as CUDA's would. It borrows the name of a device that PyTorch knows and
its builds for CPUs do not have.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

FAR = torch.device("lazy")
aten = torch.ops.aten
MOVES = (aten._to_copy.default, aten.copy_.default)
# An index may be on the CPU.
INDEXED = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)


class _FarTensor(Tensor):
    """What is far, with its values on the CPU in `near`."""

    near: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls: type["_FarTensor"], near: Tensor) -> "_FarTensor":
        far = Tensor._make_wrapper_subclass(cls, near.size(), strides=near.stride(), dtype=near.dtype, device=FAR)
        far.near = near
        return far

    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        return _compute(op, args, kwargs or {})

    def __reduce_ex__(self, protocol: Any) -> Any:  # noqa: ANN401 - a file has it as a tensor of the CPU
        return self.near.__reduce_ex__(protocol)


class Far(TorchDispatchMode):
    """Within it, FAR is a device like others."""

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        return _compute(op, args, kwargs or {})


def _compute(op: Any, args: tuple, kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    far = {id(x.near): x for x in tensors if isinstance(x, _FarTensor)}
    wanted = torch.device(kwargs["device"]) if kwargs.get("device") is not None else None
    if not far and wanted != FAR:
        return op(*args, **kwargs)
    if far and op not in MOVES:
        indices = tree_leaves(args[1]) if op in INDEXED else []
        for x in tensors:
            if not isinstance(x, _FarTensor) and x.dim() > 0 and not any(x is index for index in indices):
                raise RuntimeError(f"{op}: expected all tensors to be on the same device")
    if wanted is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    result = op(*tree_map(_near, args), **tree_map(_near, kwargs))
    stays = wanted == FAR if wanted is not None else op != aten.copy_.default or isinstance(args[0], _FarTensor)
    if not stays:
        return result
    # What an operation changed in place is the tensor that it was.
    return tree_map(lambda x: far[id(x)] if id(x) in far else _FarTensor(x) if isinstance(x, Tensor) else x, result)


def _near(x: Any) -> Any:  # noqa: ANN401
    return x.near if isinstance(x, _FarTensor) else x
