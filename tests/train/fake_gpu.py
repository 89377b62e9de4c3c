"""Fake GPU: it computes on the CPU and refuses what a GPU refuses, so that tests need no GPU to train on one.

`with FakeGpu():` lets tensors go `.to(FAKE_GPU)`. They keep their values, but an operation on one of them and a tensor
of the CPU raises as CUDA's would, and so does its conversion to NumPy. The device borrows a name that PyTorch knows
and its CPU builds do not have.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

FAKE_GPU = torch.device("lazy")
aten = torch.ops.aten
MOVES = (aten._to_copy.default, aten.copy_.default)
# An index may be on the CPU.
INDEXED = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)


class _FakeTensor(Tensor):
    """A tensor on the fake GPU, with its values on the CPU in `on_cpu`."""

    on_cpu: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment] # as PyTorch documents it

    @staticmethod
    def __new__(cls: type["_FakeTensor"], on_cpu: Tensor) -> "_FakeTensor":
        fake = Tensor._make_wrapper_subclass(
            cls, on_cpu.size(), strides=on_cpu.stride(), dtype=on_cpu.dtype, device=FAKE_GPU
        )
        fake.on_cpu = on_cpu
        return fake

    # PyTorch's stub of this method lacks the first argument.
    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override] # noqa: ANN401
        return _compute(op, args, kwargs or {})

    def __reduce_ex__(self, protocol: Any) -> Any:  # noqa: ANN401 - saved as a tensor of the CPU
        return self.on_cpu.__reduce_ex__(protocol)


class FakeGpu(TorchDispatchMode):
    """Context in which FAKE_GPU is a device like others."""

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        return _compute(op, args, kwargs or {})


def _compute(op: Any, args: tuple, kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    fakes = {id(x.on_cpu): x for x in tensors if isinstance(x, _FakeTensor)}
    wanted = torch.device(kwargs["device"]) if kwargs.get("device") is not None else None
    if not fakes and wanted != FAKE_GPU:
        return op(*args, **kwargs)
    if fakes and op not in MOVES:
        indices = tree_leaves(args[1]) if op in INDEXED else []
        for x in tensors:
            if not isinstance(x, _FakeTensor) and x.dim() > 0 and not any(x is index for index in indices):
                raise RuntimeError(f"{op}: expected all tensors to be on the same device")
    if wanted is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    result = op(*tree_map(_to_cpu, args), **tree_map(_to_cpu, kwargs))
    stays = wanted == FAKE_GPU if wanted is not None else op != aten.copy_.default or isinstance(args[0], _FakeTensor)
    if not stays:
        return result
    # A tensor that the operation changed in place stays the same object.
    return tree_map(
        lambda x: fakes[id(x)] if id(x) in fakes else _FakeTensor(x) if isinstance(x, Tensor) else x, result
    )


def _to_cpu(x: Any) -> Any:  # noqa: ANN401
    return x.on_cpu if isinstance(x, _FakeTensor) else x
