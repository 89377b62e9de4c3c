"""Shapes and quantization of a bundle's encoder.tflite, checked against bundle.json."""

import struct
from dataclasses import dataclass

from firmware.tools.model_common import ModelError
from wire.bundle import Bundle
from wire.model import PIXEL_OFFSET

# Raised by parsers of .tflite files on a damaged file, besides ValueError.
DAMAGED = (AttributeError, IndexError, KeyError, TypeError, struct.error)
INPUT_ZERO_POINT = -PIXEL_OFFSET  # the only conversion of a pixel


@dataclass(frozen=True)
class Tensor:
    """An input or output of encoder.tflite."""

    shape: list[int]  # with the batch dimension
    is_int8: bool
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Network:
    """The parts of encoder.tflite that the firmware depends on."""

    input: Tensor
    outputs: list[Tensor]  # the latent heads, then the class scores
    ops: list[str]  # names of the operator codes, as in tflite.BuiltinOperator


def read_network(bundle: Bundle) -> Network:
    """Read encoder.tflite and compare it with bundle.json. Raises ModelError if they disagree."""
    import tflite  # installed: the stamp contains its version

    names = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
    try:
        parsed = tflite.Model.GetRootAs(bundle.encoder_path.read_bytes(), 0)
        graph = parsed.Subgraphs(0)

        def tensor(index: int) -> Tensor:
            found = graph.Tensors(index)
            quantization = found.Quantization()
            return Tensor(
                [int(size) for size in found.ShapeAsNumpy()],
                found.Type() == tflite.TensorType.INT8,
                float(quantization.Scale(0)),
                int(quantization.ZeroPoint(0)),
            )

        codes = [parsed.OperatorCodes(i) for i in range(parsed.OperatorCodesLength())]
        network = Network(
            tensor(graph.Inputs(0)),
            [tensor(graph.Outputs(i)) for i in range(graph.OutputsLength())],
            # Codes below 127 may be in the older field only.
            [names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())] for code in codes],
        )
    except (*DAMAGED, ValueError) as error:
        raise ModelError(f"bundle {bundle.path}: encoder.tflite is not a .tflite file ({error})") from None
    _check(bundle, network)
    return network


def output_shapes(bundle: Bundle) -> list[tuple[int, int, int]]:
    """Return h, w, c of the encoder's outputs: the latent heads, then the class scores if there is an answer head."""
    return [*bundle.heads, *([(1, 1, bundle.class_count)] if bundle.answer else [])]


def _as_map(shape: list[int]) -> list[int]:
    """Return a shape as (1, h, w, c): that of a fully connected layer is a map of one position."""
    return [shape[0], 1, 1, shape[1]] if len(shape) == 2 else shape


def _check(bundle: Bundle, network: Network) -> None:
    if not all(tensor.is_int8 for tensor in (network.input, *network.outputs)):
        raise ModelError(f"bundle {bundle.path}: the encoder's input and outputs are not all int8")
    for side, shapes, expected in (
        ("input", [network.input.shape], [[1, *bundle.input_shape]]),
        ("outputs", [_as_map(output.shape) for output in network.outputs], [[1, *s] for s in output_shapes(bundle)]),
    ):
        if shapes != expected:
            shown, wanted = (", ".join(map(str, shapes_)) for shapes_ in (shapes, expected))
            raise ModelError(f"bundle {bundle.path}: the encoder's {side}: {shown}, not {wanted} as in bundle.json")
    if network.input.zero_point != INPUT_ZERO_POINT:
        raise ModelError(
            f"bundle {bundle.path}: the encoder's input zero point is {network.input.zero_point}, "
            f"not {INPUT_ZERO_POINT}"
        )
    if len({(output.scale, output.zero_point) for output in network.outputs}) != 1:
        raise ModelError(f"bundle {bundle.path}: the encoder's outputs differ in scale or zero point")
