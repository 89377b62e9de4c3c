"""Conversion: PyTorch -> ONNX -> onnx2tf -> float and int8 TensorFlow Lite."""

import contextlib
import logging
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from export.errors import ExportError
from train.codecs.deployable import DeployableCodec
from train.codecs.fakequant import set_mode

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


def encoder_onnx(codec: DeployableCodec, file: Path) -> None:
    """Write the float encoder: `image` (N, C, H, W) float32 in [0, 1] -> `latent` (N, c, h, w)."""
    h, w, c = codec.input_shape
    encoder = codec.encoder.eval()
    set_mode(encoder, "off")
    # With a dynamic batch, onnx2tf does not download its own calibration images.
    _export(encoder, {"image": torch.zeros(2, c, h, w)}, "latent", file)
    set_mode(encoder, "quantize")


class _HostEnd(nn.Module):
    """The codec without its encoder, as decoder.onnx holds it."""

    def __init__(self, codec: DeployableCodec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, symbols: Tensor, ber: Tensor) -> Tensor:
        return self.codec.decode(symbols, ber)


def decoder_onnx(codec: DeployableCodec, file: Path) -> None:
    """Write the decoder: `symbols` (N, S) int64, `ber` (N,) float32 -> `logits` (N, classes)."""
    inputs = {"symbols": torch.zeros(2, codec.n_symbols, dtype=torch.int64), "ber": torch.full((2,), 0.01)}
    _export(_HostEnd(codec).eval(), inputs, "logits", file)
    model = onnx.load(str(file))
    _remove_traces(model)
    _store_as_half(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))


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


def _export(model: nn.Module, inputs: dict[str, Tensor], output: str, file: Path) -> None:
    """Export a model with example inputs; the first dimension of all inputs is a dynamic batch."""
    batch = torch.export.Dim("n")
    with quiet():
        torch.onnx.export(
            model,
            tuple(inputs.values()),
            str(file),
            input_names=list(inputs),
            output_names=[output],
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
        # A fixed batch of one: the board's memory plan has no room for "any".
        fixed = tf.function(
            lambda x: next(iter(signature(**{name: x}).values())),
            input_signature=[tf.TensorSpec([1, *images.shape[1:]], tf.float32)],
        ).get_concrete_function()

        def converter() -> "tf.lite.TFLiteConverter":
            return tf.lite.TFLiteConverter.from_concrete_functions([fixed], model)

        float_file.write_bytes(converter().convert())
        integer = converter()
        integer.optimizations = [tf.lite.Optimize.DEFAULT]
        integer.representative_dataset = lambda: ([image[None]] for image in images)
        integer.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        integer.inference_input_type = integer.inference_output_type = tf.int8
        int8_file.write_bytes(integer.convert())
