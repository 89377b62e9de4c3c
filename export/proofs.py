"""Proofs: each conversion step is compared with the one before it; a failed proof stops the export."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from ai_edge_litert.interpreter import Interpreter

from export.convert import Conversion, quiet
from export.converted import ConvertedCodec
from export.errors import ExportError
from export.inspect_tflite import Op
from host.reference import ReferenceEncoder, int8_pixels
from train.codecs.deployable import DeployableCodec
from train.codecs.encoder import ConvUnit, Separable
from train.codecs.fakequant import int8_parameters, set_mode
from train.data.augment import as_input
from wire.answer import ANSWER_BITS

# An embedding has unit length: its values are small.
DECODER_LIMITS = {"logits": 1e-2, "embedding": 1e-4}


@dataclass
class Proofs:
    """Figures of the proofs for the manifest, printed as they come."""

    log: Callable[[str], None] = print
    figures: dict[str, float] = field(default_factory=dict)

    def note(self, key: str, text: str, value: float, shown: str) -> None:
        """Record a figure without a limit."""
        self.figures[key] = value
        self.log(f"  {text}: {shown}")

    def require(self, key: str, text: str, value: float, limit: float, unit: str = "") -> None:
        """Record a figure. Raises ExportError if it exceeds `limit` or is not a number."""
        self.figures[key] = value
        ok = value <= limit
        self.log(f"  {text}: {value:.3g}{unit} (at most {limit:g}{unit}) {'ok' if ok else 'FAILED'}")
        if not ok:
            raise ExportError(f"proof failed: {text}: {value:.3g}{unit}, at most {limit:g}{unit}")


def float_chain(proofs: Proofs, codec: DeployableCodec, conversion: Conversion, images: np.ndarray) -> np.ndarray:
    """Compare PyTorch, ONNX and float TFLite on images uint8 (N, H, W, C).

    Returns PyTorch's outputs float32 (N, L + classes), flattened one after another.
    """
    x = as_input(torch.from_numpy(images))
    set_mode(codec.encoder, "off")
    expected = _outputs(codec, x)
    set_mode(codec.encoder, "quantize")
    session = onnxruntime.InferenceSession(str(conversion.encoder_onnx), providers=["CPUExecutionProvider"])
    by_onnx = _flat(session.run(None, {"image": x.numpy()}))
    proofs.require("pytorch_onnx", "PyTorch against ONNX, max difference", float(abs(expected - by_onnx).max()), 1e-3)
    with quiet():  # the interpreter prints a line about its XNNPACK delegate
        interpreter = Interpreter(model_path=str(conversion.float_tflite))
        interpreter.allocate_tensors()
    source, sinks = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()
    worst = 0.0
    for image, outputs in zip(x.permute(0, 2, 3, 1).numpy(), by_onnx, strict=True):
        interpreter.set_tensor(source, image[None])
        interpreter.invoke()
        by_tflite = np.concatenate([interpreter.get_tensor(sink["index"]).ravel() for sink in sinks])
        worst = max(worst, float(abs(by_tflite - outputs).max()))
    proofs.require("onnx_tflite_float", "ONNX against float TFLite, max difference", worst, 1e-3)
    return expected


def _outputs(codec: DeployableCodec, x: torch.Tensor) -> np.ndarray:
    """Return the encoder's outputs float32 (N, L + classes) for images (N, C, H, W) in [0, 1]."""
    with torch.no_grad():
        return _flat([output.numpy() for output in codec.encoder.outputs(x)])


def _flat(outputs: list[np.ndarray]) -> np.ndarray:
    """Flatten outputs (N, c, h, w) in the order (h, w, c), one after another, to (N, L + classes)."""
    return np.concatenate([output.transpose(0, 2, 3, 1).reshape(len(output), -1) for output in outputs], 1)


def scales(proofs: Proofs, codec: DeployableCodec, ops: list[Op]) -> None:
    """Compare the activation scales of the .tflite file with those of quantization-aware training."""
    ranges = []
    for layer in codec.encoder.layers:
        if isinstance(layer, ConvUnit):
            ranges.append(layer.range)
        elif isinstance(layer, Separable):
            ranges += [layer.depthwise.range, layer.pointwise.range]
            ranges += [layer.range] if layer.residual else []
    # Ops that only move data (PAD, TRANSPOSE) have no counterpart in training.
    computing = [op for op in ops if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD")]
    if len(ranges) != len(computing):
        raise ExportError(f"the model has {len(computing)} computing ops, training has {len(ranges)} activations")
    # The converter moves the branches to the end, in any order; all outputs share one range.
    output_range = ranges[-1]
    ranges.sort(key=lambda trained: trained is output_range)
    computing.sort(key=lambda op: op.is_output)
    worst, zero = 0.0, 0
    for trained, op in zip(ranges, computing, strict=True):
        scale, zero_point = int8_parameters(float(trained.low), float(trained.high))
        worst = max(worst, abs(op.scale / scale - 1))
        zero = max(zero, abs(op.zero_point - zero_point))
    proofs.require("scale_difference", "int8 scales against training's, largest relative difference", worst, 0.01)
    proofs.require("zero_point_difference", "int8 zero points against training's, largest difference", zero, 1)


def int8_against_float(
    proofs: Proofs, codec: DeployableCodec, reference: ReferenceEncoder, floating: np.ndarray, images: np.ndarray
) -> np.ndarray:
    """Compare int8 outputs with float outputs `floating` (N, L + classes) and with fake quantization.

    images uint8 (N, H, W, C). Returns the int8 outputs (N, L + classes).
    """
    scale, zero_point = reference.output_quantization
    integer = reference.outputs(images)
    real = (integer.astype(np.float32) - zero_point) * scale
    error = abs(real - floating)
    mean, worst = float(error.mean()), float(error.max())
    proofs.note("int8_float_mean", "int8 against float outputs, mean difference", mean, f"{mean:.4f}")
    proofs.note("int8_float_max", "int8 against float outputs, max difference", worst, f"{worst:.4f}")
    steps = abs(real - _outputs(codec, as_input(torch.from_numpy(images)))) / scale
    text = "int8 against training's fake quantization, mean difference in int8 steps"
    proofs.require("int8_fake_quant_mean", text, float(steps.mean()), 2.0)
    return integer


def tflm(proofs: Proofs, tflite_file: Path, images: np.ndarray, outputs: np.ndarray) -> None:
    """Compare TFLM's interpreter with the reference kernels' outputs int8 (N, L + classes), byte by byte."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(str(tflite_file))
    count = len(ReferenceEncoder(tflite_file).shapes)
    differ = 0
    for image, expected in zip(images, outputs, strict=True):
        interpreter.set_input(int8_pixels(image)[None], 0)
        interpreter.invoke()
        found = np.concatenate([interpreter.get_output(number).ravel() for number in range(count)])
        differ += int((found != expected).sum())
    text = f"TFLM against reference kernels, {len(images)} images, bytes that differ"
    proofs.require("tflm_bytes_differing", text, differ, 0)


def round_trip(proofs: Proofs, tflite_file: Path, onnx_file: Path, images: np.ndarray, outputs: np.ndarray) -> None:
    """Convert the int8 .tflite by tf2onnx to ONNX, for inspection in ONNX tools, and record the difference."""
    with quiet():
        import tf2onnx

        tf2onnx.convert.from_tflite(str(tflite_file), opset=13, output_path=str(onnx_file))
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    outputs_back = np.concatenate(
        [
            np.concatenate([output.ravel() for output in session.run(None, {name: pixels[None]})])[None]
            for pixels in int8_pixels(images)
        ]
    )
    steps = abs(outputs_back.astype(int) - outputs)
    share = float((steps > 0).mean())
    shown = f"{100 * share:.1f} %, by at most {steps.max()}"
    proofs.note("tf2onnx_share_differing", "tf2onnx round trip, share of output bytes that differ", share, shown)


def decoder(proofs: Proofs, codec: DeployableCodec, converted: ConvertedCodec, symbols: np.ndarray) -> None:
    """Compare the outputs of decoder.onnx with PyTorch's on symbols (N, S) with flips, gaps and several BERs."""
    rng = np.random.default_rng(0)
    received = symbols.copy()
    damaged = rng.random(received.shape) < 0.1
    received[damaged] = rng.integers(0, codec.quantizer.n_levels, int(damaged.sum()))
    received[::2, codec.n_symbols // 2 :] = -1
    ber = rng.choice(np.array([0.0, 1e-3, 0.05, 0.1, 0.5], np.float32), len(received))
    words = rng.integers(-1, 1 << ANSWER_BITS, len(received)) if codec.has_answer else None
    by_onnx = converted.logits(received, ber, words)
    with torch.no_grad():
        answer = None if words is None else torch.from_numpy(words)
        expected = codec.decode(torch.from_numpy(received), torch.from_numpy(ber), answer).numpy()
    text = f"decoder, PyTorch against ONNX, max difference of {codec.output}"
    proofs.require("decoder_onnx", text, float(abs(by_onnx - expected).max()), DECODER_LIMITS[codec.output])
