"""Conversion: PyTorch -> ONNX -> onnx2tf -> float and int8 TensorFlow Lite."""

import contextlib
import logging
import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import onnx
import torch
from torch import Tensor, nn

from export.errors import ExportError
from train.codecs.deployable import DeployableCodec
from train.codecs.fakequant import int8_parameters, set_mode

OPSET = 18
HALF_FROM = 256  # values; in smaller weights, a Cast node costs more than it saves


@dataclass(frozen=True)
class Conversion:
    """The files of one conversion."""

    encoder_onnx: Path
    decoder_onnx: Path
    float_tflite: Path
    encoder_tflite: Path  # int8


def convert(codec: DeployableCodec, calibration: Tensor, folder: Path) -> Conversion:
    """Convert a codec into files in `folder`.

    calibration: images (N, C, H, W) in [0, 1] over which the converter measures int8 ranges.
    Raises ExportError if onnx2tf fails.
    """
    files = Conversion(
        folder / "encoder.onnx", folder / "decoder.onnx", folder / "float.tflite", folder / "encoder.tflite"
    )
    encoder_onnx(codec, files.encoder_onnx)
    decoder_onnx(codec, files.decoder_onnx)
    saved_model(files.encoder_onnx, folder / "saved_model")
    images = calibration.permute(0, 2, 3, 1).numpy()
    tflite(folder / "saved_model", images, files.float_tflite, files.encoder_tflite)
    return files


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress the output of the converters, from Python and from C++; exceptions still pass."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    recursion_limit = sys.getrecursionlimit()
    with warnings.catch_warnings(), open(os.devnull, "w") as sink:
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for stream, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, stream)
                os.close(copy)
            logging.disable(logging.NOTSET)
            # onnx2tf raises it without bound, and Python would then crash instead of raising RecursionError.
            sys.setrecursionlimit(recursion_limit)


def output_names(codec: DeployableCodec) -> list[str]:
    """Return the names of the encoder's outputs: the latent heads, then the class scores if any."""
    return [f"latent_{number}" for number in range(len(codec.heads))] + ["scores"] * codec.has_answer


class _BoardEnd(nn.Module):
    """The encoder with all its outputs, as encoder.tflite holds it."""

    def __init__(self, codec: DeployableCodec) -> None:
        super().__init__()
        self.encoder = codec.encoder

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.encoder.outputs(image))


def encoder_onnx(codec: DeployableCodec, file: Path) -> None:
    """Write the float encoder: `image` (N, C, H, W) float32 in [0, 1] -> its outputs.

    These are the latent heads (N, c, h, w), then the class scores (N, classes, 1, 1) if any.
    """
    h, w, c = codec.input_shape
    encoder = _BoardEnd(codec).eval()
    set_mode(encoder, "off")
    # With a dynamic batch, onnx2tf does not download its own calibration images.
    _export(encoder, {"image": torch.zeros(2, c, h, w)}, output_names(codec), file)
    set_mode(encoder, "quantize")


class _HostEnd(nn.Module):
    """The codec without its encoder, as decoder.onnx holds it."""

    def __init__(self, codec: DeployableCodec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, symbols: Tensor, ber: Tensor, answer: Tensor | None = None) -> Tensor:
        return self.codec.decode(symbols, ber, answer)


def decoder_onnx(codec: DeployableCodec, file: Path) -> None:
    """Write the decoder: `symbols` (N, S) int64, `ber` (N,) float32, `answer` (N,) int64 -> `logits` (N, classes).

    A codec without an answer head has no input `answer`. A general codec has the output `embedding` (N, D) instead, of
    unit length.
    """
    inputs = {"symbols": torch.zeros(2, codec.n_symbols, dtype=torch.int64), "ber": torch.full((2,), 0.01)}
    if codec.has_answer:
        inputs["answer"] = torch.zeros(2, dtype=torch.int64)
    host_onnx(_HostEnd(codec), inputs, codec.output, file)


def host_onnx(model: nn.Module, inputs: dict[str, Tensor], output: str, file: Path) -> None:
    """Write a network of the host with example inputs by name; the first dimension of all inputs is a dynamic batch."""
    _export(model.eval(), inputs, [output], file)
    written = onnx.load(str(file))
    _remove_traces(written)
    _store_as_half(written)
    onnx.checker.check_model(written)
    onnx.save(written, str(file))


def _remove_traces(model: onnx.ModelProto) -> None:
    """Remove PyTorch's stack traces: they hold paths of this machine, and a bundle's bytes would depend on them."""
    graph = model.graph
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def _store_as_half(model: onnx.ModelProto) -> None:
    """Store large weights whose values are all float16 ones as float16; a Cast node widens them at run time."""
    for weight in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < HALF_FROM or (values.astype(np.float16) != values).any():
            continue
        half = f"{weight.name}.half"
        cast = onnx.helper.make_node("Cast", [half], [weight.name], to=onnx.TensorProto.FLOAT)
        model.graph.node.insert(0, cast)
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), half))


def _export(model: nn.Module, inputs: dict[str, Tensor], outputs: list[str], file: Path) -> None:
    """Export a model with example inputs; the first dimension of all inputs is a dynamic batch."""
    batch = torch.export.Dim("n")
    with quiet():
        torch.onnx.export(
            model,
            tuple(inputs.values()),
            str(file),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
        )
    onnx.checker.check_model(str(file))


def saved_model(onnx_file: Path, folder: Path) -> None:
    """Convert the encoder's ONNX file by onnx2tf to a TensorFlow SavedModel in NHWC. Raises ExportError."""
    with quiet():
        import onnx2tf
        from onnx2tf.ops import Add

        # onnx2tf 1.29.24 compares an Add's NHWC shape with ONNX's NCHW one, takes the difference for a broken
        # broadcast and "rescues" it by transposing both inputs; the layers after it then run in the wrong layout.
        # Without transposes to try, its rescue gives up and leaves the correct Add unchanged.
        rescue = Add.transpose_with_flexing_deterrence
        Add.transpose_with_flexing_deterrence = lambda *, input_tensor, **_: input_tensor
        copy = folder.with_suffix(".onnx")
        shutil.copy(onnx_file, copy)  # onnx2tf overwrites its input file
        try:
            onnx2tf.convert(
                input_onnx_file_path=str(copy),
                output_folder_path=str(folder),
                output_signaturedefs=True,
                non_verbose=True,
            )
        except (Exception, SystemExit) as error:
            raise ExportError(f"onnx2tf: {str(error).splitlines()[0] if str(error) else type(error)}") from error
        finally:
            Add.transpose_with_flexing_deterrence = rescue


def tflite(folder: Path, images: np.ndarray, float_file: Path, int8_file: Path) -> None:
    """Convert a SavedModel to a float and a full-integer .tflite file.

    images: calibration images float32 (N, H, W, C) in [0, 1].
    """
    with quiet():
        import tensorflow as tf

        model = tf.saved_model.load(str(folder))
        signature = model.signatures["serving_default"]
        (name,) = signature.structured_input_signature[1]
        # onnx2tf numbers the outputs: output_0, output_1, ...
        outputs = sorted(signature.structured_outputs, key=lambda key: (len(key), key))
        # A fixed batch of one: the board's memory plan has no room for "any".
        fixed = tf.function(
            lambda x: _values(signature(**{name: x}), outputs),
            input_signature=[tf.TensorSpec([1, *images.shape[1:]], tf.float32)],
        ).get_concrete_function()

        def converter() -> "tf.lite.TFLiteConverter":
            return tf.lite.TFLiteConverter.from_concrete_functions([fixed], model)

        float_file.write_bytes(rewrite(converter().convert(), in_order))
        integer = converter()
        integer.optimizations = [tf.lite.Optimize.DEFAULT]
        integer.representative_dataset = lambda: ([image[None]] for image in images)
        integer.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        integer.inference_input_type = integer.inference_output_type = tf.int8
        int8_file.write_bytes(rewrite(integer.convert(), in_order, share_scale))


def _values(results: dict[str, Any], names: list[str]) -> list[Any]:
    return [results[name] for name in names]


def in_order(model: Any) -> None:  # noqa: ANN401 - a generated class
    """Sort the outputs of a parsed .tflite file by the numbers that end their names: the converter shuffles them."""
    graph = model.subgraphs[0]
    number = {index: re.findall(rb"\d*$", graph.tensors[index].name)[0] for index in graph.outputs}
    graph.outputs = sorted(graph.outputs, key=lambda index: int(number[index] or 0))
    model.signatureDefs = None  # they list the outputs in the old order


def share_scale(model: Any) -> None:  # noqa: ANN401 - a generated class
    """Give all outputs of a parsed int8 .tflite file one scale and zero point: the range that holds all of theirs.

    Each output comes from a convolution, which scales its sums to whatever its output asks for. Raises ExportError if
    one does not.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    graph = model.subgraphs[0]
    makers = {index: op for op in graph.operators for index in op.outputs}
    for index in graph.outputs:
        code = model.operatorCodes[makers[index].opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) != schema.BuiltinOperator.CONV_2D:
            raise ExportError("an output of the converted encoder does not come from a convolution")
    quantizations = [graph.tensors[index].quantization for index in graph.outputs]
    low = min(float(q.scale[0]) * (-128 - int(q.zeroPoint[0])) for q in quantizations)
    high = max(float(q.scale[0]) * (127 - int(q.zeroPoint[0])) for q in quantizations)
    scale, zero_point = int8_parameters(low, high)
    for q in quantizations:
        q.scale, q.zeroPoint = np.array([scale], np.float32), np.array([zero_point], np.int64)


def rewrite(file: bytes, *edits: Callable[[Any], None]) -> bytes:
    """Return a .tflite file after edits of its parsed content."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(file, 0)
    for edit in edits:
        edit(model)
    builder = flatbuffers.Builder(len(file))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
