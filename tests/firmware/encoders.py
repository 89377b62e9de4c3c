"""Small int8 encoders with random weights: a trunk, latent heads at two depths, and an answer head.

They are written operator by operator, without a training or a converter, so that tests can have any set of outputs.
"""

from typing import NamedTuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SIDE = 16  # of images; three channels
WIDTH, DEEP = 8, 12  # channels of the trunk at 8 x 8 and at 4 x 4
PIXEL = (1 / 255, -128)  # scale and zero point
RELU6 = (6 / 255, -128)
SUM = (0.05, -3)  # of the term that a residual block adds
OUTPUT = (0.04, 5)


class Heads(NamedTuple):
    """Outputs of an encoder, in this order; 0 leaves one out."""

    shallow: int = 3  # channels of the latent head at 8 x 8
    deep: int = 4  # channels of the latent head at 4 x 4
    pooled: int = 0  # values of the latent head after the pooling
    classes: int = 10

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Shapes of the latent heads."""
        sides = ((8, self.shallow), (4, self.deep), (1, self.pooled))
        return [(side, side, channels) for side, channels in sides if channels]


class _Graph:
    """A .tflite graph under construction. Tensors are named by their index."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._model, self._graph = schema.ModelT(), schema.SubGraphT()
        self._model.buffers = [schema.BufferT()]  # the first is empty by convention
        self._codes: dict[str, int] = {}  # operator -> its code's index
        self._model.operatorCodes = []
        self._graph.tensors, self._graph.operators = [], []

    def tensor(self, shape: tuple[int, ...], scale: object, zero_point: int, data: np.ndarray | None = None) -> int:
        """Add a tensor; `scale` has one value, or one per output channel of a constant."""
        tensor, quantization = schema.TensorT(), schema.QuantizationParametersT()
        quantization.scale = np.atleast_1d(np.asarray(scale, np.float32))
        quantization.zeroPoint = np.full(quantization.scale.shape, zero_point, np.int64)
        quantization.quantizedDimension = len(shape) - 1 if len(shape) == 4 and shape[0] == 1 else 0
        tensor.shape, tensor.quantization = np.array(shape, np.int32), quantization
        tensor.name = f"tensor_{len(self._graph.tensors)}"
        tensor.type = schema.TensorType.INT8 if data is None or data.dtype == np.int8 else schema.TensorType.INT32
        tensor.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def convolution(
        self, x: int, channels: int, kernel: int, stride: int = 1, *,
        depthwise: bool = False, valid: bool = False, to: tuple[float, int] = RELU6,
    ) -> int:  # fmt: skip
        """Add a convolution with random weights, with ReLU6 if its output has that scale, and return its output."""
        _, height, width, depth = self._graph.tensors[x].shape
        fan_in = kernel * kernel * (1 if depthwise else depth)
        shape = (1, kernel, kernel, depth) if depthwise else (channels, kernel, kernel, depth)
        weights = self._rng.integers(-127, 128, shape).astype(np.int8)
        scales = (self._rng.uniform(0.5, 1.5, channels) * 2.5 / (127 * np.sqrt(fan_in))).astype(np.float32)
        bias = self._rng.integers(-40, 40, channels).astype(np.int32)
        bias_scales = np.float32(self._graph.tensors[x].quantization.scale[0]) * scales
        constants = [
            self.tensor(shape, scales, 0, weights),
            self.tensor((channels,), bias_scales, 0, bias),
        ]
        size = 1 if valid else height // stride
        output = self.tensor((1, size, size if valid else width // stride, channels), *to)
        options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
        if depthwise:
            options.depthMultiplier = 1
        options.padding = schema.Padding.VALID if valid else schema.Padding.SAME
        options.strideH = options.strideW = stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = _activation(to)
        kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        self._operator(kind, 3, [x, *constants], output, options)
        return output

    def add(self, x: int, y: int) -> int:
        output = self.tensor(tuple(self._graph.tensors[x].shape), *RELU6)
        options = schema.AddOptionsT()
        options.fusedActivationFunction = _activation(RELU6)
        self._operator("ADD", 2, [x, y], output, options)
        return output

    def _operator(self, kind: str, version: int, inputs: list[int], output: int, options: object) -> None:
        if kind not in self._codes:
            code = schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
            code.version = version
            self._codes[kind] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes[kind]
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._graph.operators.append(operator)

    def finish(self, x: int, outputs: list[int]) -> bytes:
        """Return the file."""
        self._graph.inputs, self._graph.outputs = np.array([x], np.int32), np.array(outputs, np.int32)
        self._model.version, self._model.subgraphs = 3, [self._graph]
        builder = flatbuffers.Builder(1 << 14)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _activation(quantization: tuple[float, int]) -> int:
    kinds = schema.ActivationFunctionType
    return kinds.RELU6 if quantization == RELU6 else kinds.NONE


def random_encoder(
    heads: Heads, seed: int = 0, output: tuple[float, int] = OUTPUT, score_output: tuple[float, int] | None = None
) -> bytes:
    """Return an encoder.tflite of images SIDE x SIDE x 3. The shallow head's operator is the last one in the file.

    `output` is scale and zero point of the latents, and of the scores without `score_output`.
    """
    graph = _Graph(seed)
    pixels = graph.tensor((1, SIDE, SIDE, 3), *PIXEL)
    x = graph.convolution(pixels, WIDTH, 4, 2)
    y = graph.convolution(x, WIDTH, 3, depthwise=True)
    x = shallow = graph.add(x, graph.convolution(y, WIDTH, 1, to=SUM))
    outputs: dict[str, int] = {}
    if heads.deep or heads.pooled or heads.classes:
        x = graph.convolution(x, WIDTH, 4, 2, depthwise=True)
        x = graph.convolution(x, DEEP, 1)
    if heads.deep:
        outputs["deep"] = graph.convolution(x, heads.deep, 1, to=output)
    if heads.pooled or heads.classes:
        x = graph.convolution(x, DEEP, 4, depthwise=True, valid=True)
    if heads.pooled:
        outputs["pooled"] = graph.convolution(x, heads.pooled, 1, to=output)
    if heads.classes:
        outputs["classes"] = graph.convolution(x, heads.classes, 1, to=score_output or output)
    if heads.shallow:
        outputs["shallow"] = graph.convolution(shallow, heads.shallow, 1, to=output)
    return graph.finish(pixels, [outputs[name] for name in Heads._fields if name in outputs])
