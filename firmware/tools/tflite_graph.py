"""BakeNN's graph of an encoder.tflite with one or several outputs.

BakeNN imports networks with one output. For a network with several, its importer collects the tensors and operators,
and this module adds what makes the graph complete: the outputs, flattened and concatenated in the order of the file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bakenn.ir import QuantizedGraph, TensorType

NAME = "inkling"
OUTPUT = "inkling outputs"  # no tensor of a .tflite file has this name
BAKENN = "1.0.0"  # the release whose importer is used beyond its public interface


def encoder_graph(model: bytes, output_count: int) -> "QuantizedGraph":
    """Return the verified graph of a .tflite file, whose only output is (1, n): all outputs one after the other.

    A file with one output keeps that output's shape. All outputs need the same scale and zero point. Raises ValueError
    or BakeNN's own errors.
    """
    import bakenn

    if output_count == 1:
        return bakenn.import_tflite(model, name=NAME)
    if metadata.version("bakenn") != BAKENN:
        raise ValueError(f"an encoder with several outputs needs BakeNN {BAKENN}, not {metadata.version('bakenn')}")
    return _concatenated(model)


def _concatenated(model: bytes) -> "QuantizedGraph":
    import tflite
    from bakenn import ir
    from bakenn.frontends.tflite.importer import _Importer

    parsed = tflite.Model.GetRootAs(model, 0)
    importer = _Importer(tflite, parsed, parsed.Subgraphs(0), NAME)
    with _unverified_imports():
        graph = importer.build()
    values: dict[str, ir.TensorType] = dict(graph.values)
    ops: list[Any] = list(graph.ops)
    names = [importer.tensors[index].name for index in importer.output_indices]
    flat = [_flatten(name, values, ops) for name in names]
    first = values[flat[0]]
    total = sum(values[name].numel for name in flat)
    values[OUTPUT] = ir.TensorType((1, total), first.dtype, first.layout, first.qparams)
    ops.append(ir.ConcatenateOp("concatenate", tuple(flat), OUTPUT, axis=1))
    complete = ir.QuantizedGraph(NAME, values, graph.constants, tuple(ops), graph.inputs, (OUTPUT,))
    ir.verify_graph(complete)
    return complete


def _flatten(name: str, values: "dict[str, TensorType]", ops: list[Any]) -> str:
    """Add a view of a tensor as (1, n) and return its name."""
    from bakenn import ir

    tensor = values[name]
    if tensor.layout is ir.Layout.NC:
        return name
    flat = f"{name} flat"
    values[flat] = ir.TensorType((1, tensor.numel), tensor.dtype, ir.Layout.NC, tensor.qparams)
    ops.append(ir.FlattenOp(f"flatten {name}", name, flat))
    return flat


@contextmanager
def _unverified_imports() -> Iterator[None]:
    """Let BakeNN's importer return a graph of which one output is set and the others' operators lead nowhere."""
    from bakenn.frontends.tflite import importer

    verify = importer.verify_graph
    importer.verify_graph = lambda graph: None
    try:
        yield
    finally:
        importer.verify_graph = verify
