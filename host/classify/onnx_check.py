"""Check of an ONNX file before onnxruntime reads it: no external data, and only operators that compute.

onnxruntime opens any file that a model names as external data, and a model may name operators that loop or load code.
The check reads the protobuf encoding itself (https://protobuf.dev/programming-guides/encoding), so it needs no package.
It visits every message that can hold a tensor or a node, and refuses what it does not know.
"""

import itertools
from collections.abc import Iterator
from typing import Final

from wire.checks import shown

# Wire types of protobuf. Groups (3 and 4) do not occur in ONNX files.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_TAG_BYTES, _MAX_VARINT_BYTES = 5, 10
MAX_DEPTH = 32  # of messages within messages
MAX_FIELDS = 100_000  # in all messages, which takes 0.1 s to check; the shipped bundles have up to 2,352
ORT_IDENTIFIER = b"ORTM"  # at bytes 4 to 7 of onnxruntime's own format, which this check cannot read

# Field numbers of onnx.proto that hold further messages, by message; and the fields that hold only data.
_MESSAGES: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor",
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {},
}  # fmt: skip
_DATA: Final[dict[str, frozenset[int]]] = {
    "model": frozenset({1, 2, 3, 4, 5, 6, 8, 14}),
    "graph": frozenset({2, 10, 11, 12, 13, 14, 16}),
    "function": frozenset({1, 4, 5, 6, 8, 9, 10, 12, 13, 14}),
    "node": frozenset({1, 2, 3, 4, 6, 7, 8, 9}),
    "attribute": frozenset({1, 2, 3, 4, 7, 8, 9, 13, 14, 15, 20, 21}),
    "sparse tensor": frozenset({3}),
    "tensor": frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16}),
}
_NODE_OPERATOR, _NODE_DOMAIN = 4, 7
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14

_DOMAINS = ("", "ai.onnx")  # two names of the standard domain
# Operators that compute with tensors. Control flow, sequences, strings and random numbers are left out.
OPERATORS = frozenset(
    """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast
    Ceil Celu Clip Concat Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos CumSum DepthToSpace
    DequantizeLinear Div DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand Flatten Floor Gather GatherElements
    GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish
    Identity InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul MatMulInteger Max
    MaxPool Mean Min Mish Mod Mul Neg Not OneHot Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear Range
    Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
    Relu Reshape Resize Round ScatterElements ScatterND Selu Shape Sigmoid Sign Sin Size Slice Softmax Softplus Softsign
    SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Tile TopK Transpose Trilu Unsqueeze Where Xor
    """.split()  # noqa: SIM905
)


class OnnxError(ValueError):
    """An ONNX file is refused. The message is one line."""


def check(model: bytes) -> None:
    """Raise OnnxError if the model is malformed, reads external data, or exceeds what bundles need.

    That are operators outside OPERATORS, and more than MAX_FIELDS fields.
    """
    if model[4:8] == ORT_IDENTIFIER:
        raise OnnxError("it is in onnxruntime's own format, not in ONNX")
    if not model:
        raise OnnxError("it is empty")
    _check("model", memoryview(model), 0, itertools.count(1))


def _check(kind: str, message: memoryview, depth: int, fields: Iterator[int]) -> None:
    """Check a message of the given kind and all messages in it. `fields` counts those of all messages."""
    if depth > MAX_DEPTH:
        raise OnnxError(f"its messages are nested more than {MAX_DEPTH} deep")
    for number, value in _fields(message):
        if next(fields) > MAX_FIELDS:
            raise OnnxError(f"it has more than {MAX_FIELDS} fields")
        inner = _MESSAGES[kind].get(number)
        if inner:
            if isinstance(value, int):
                raise OnnxError(f"field {number} of a {kind} is not a message")
            _check(inner, value, depth + 1, fields)
        elif number not in _DATA[kind]:
            raise OnnxError(f"a {kind} has an unknown field, {number}")
        elif kind == "node" and number in (_NODE_OPERATOR, _NODE_DOMAIN):
            _check_name(number, value)
        elif kind == "tensor":
            _check_location(number, value)


def _check_name(number: int, value: int | memoryview) -> None:
    name = "?" if isinstance(value, int) else bytes(value).decode("ascii", "replace")
    if number == _NODE_DOMAIN and name not in _DOMAINS:
        raise OnnxError(f"it has an operator of the domain {shown(name)}")
    if number == _NODE_OPERATOR and name not in OPERATORS:
        raise OnnxError(f"it has the operator {shown(name)}, which is not allowed")


def _check_location(number: int, value: int | memoryview) -> None:
    # 0 is the default location. Whatever else a parser makes of the number, it does not mean "in this file".
    if number == _TENSOR_EXTERNAL_DATA or (number == _TENSOR_DATA_LOCATION and value != 0):
        raise OnnxError("a tensor is in an external file")


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Iterate over the fields of a message: number, and value as an integer or as bytes. Raises OnnxError."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position, _MAX_TAG_BYTES)
        number, wire_type = tag >> 3, tag & 7
        if not number or tag >> 32:
            raise OnnxError("it is not a protobuf message (field number)")
        if wire_type == _VARINT:
            value, position = _varint(message, position, _MAX_VARINT_BYTES)
            yield number, value
            continue
        if wire_type == _BYTES:
            size, position = _varint(message, position, _MAX_TAG_BYTES)
        elif wire_type in (_FIXED64, _FIXED32):
            size = 8 if wire_type == _FIXED64 else 4
        else:
            raise OnnxError(f"it is not a protobuf message (wire type {wire_type})")
        if size > len(message) - position:
            raise OnnxError("it is truncated")
        content = message[position : position + size]
        yield number, content if wire_type == _BYTES else int.from_bytes(content, "little")
        position += size


def _varint(message: memoryview, position: int, most: int) -> tuple[int, int]:
    """Return a variable-length integer of at most so many bytes, and the position after it."""
    value = 0
    for index in range(most):
        if position + index >= len(message):
            raise OnnxError("it is truncated")
        byte = message[position + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, position + index + 1
    raise OnnxError("it is not a protobuf message (integer too long)")
