"""The export from end to end: convert, prove, measure, write."""

import datetime
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from rich.progress import Progress

from channel_sim.channels.bsc import BitFlips
from export import bundle, confidence, convert, proofs
from export.finished_run import load as load_run
from export.inspect_tflite import arena_bytes, operators
from export.reference import ReferenceEncoder
from train import evaluate
from train.codecs.deployable import DeployableCodec
from train.codecs.fakequant import set_mode
from train.trainers.trainer import split
from wire.model import latent_symbols
from wire.payload import bits_to_levels, levels_to_bits

PROOF_IMAGES = 100
MAX_INT8_COST = 0.03  # share of images; above this the int8 encoder is broken, not just coarser
UNWANTED = ("PAD", "PADV2", "TRANSPOSE", "QUANTIZE", "DEQUANTIZE")


def export(run: Path, out: Path, test_images: int, scratch: Path) -> None:
    """Make the bundle `out` of the run in `run`. Raises ExportError when a step or a proof fails."""
    bundle.check_out(out)
    finished = load_run(run)
    config, codec, data, saved = finished.config, finished.codec, finished.data, finished.saved
    x_test, y_test = data.x_test[:test_images], data.y_test[:test_images]
    print(f"run {run}: epoch {saved['epoch']}, held-out accuracy {100 * saved['held_out']['0']:.2f} %")

    _, held_out = split(data, config.data.holdout)
    temperature, before, after = confidence.calibrate(codec, data.x_train[held_out], data.y_train[held_out])
    print(
        f"confidence: logits divided by {temperature:.2f}, fitted on {len(held_out):,} held-out training images; "
        f"negative log-likelihood {before:.3f} -> {after:.3f}"
    )

    print("convert: PyTorch -> ONNX -> onnx2tf -> TFLite")
    encoder, decoder = scratch / "encoder.onnx", scratch / "decoder.onnx"
    floating, integer = scratch / "float.tflite", scratch / "encoder.tflite"
    convert.encoder_onnx(codec, encoder)
    convert.decoder_onnx(codec, decoder)
    convert.saved_model(encoder, scratch / "saved_model")
    convert.tflite(scratch / "saved_model", finished.calibration.permute(0, 2, 3, 1).numpy(), floating, integer)

    images = x_test[:PROOF_IMAGES]
    print(f"proofs, on {len(images)} test images:")
    p = proofs.Proofs()
    ops = operators(integer)
    latents = proofs.float_chain(p, codec, encoder, floating, images)
    proofs.scales(p, codec, ops)
    reference = ReferenceEncoder(integer)
    int8 = proofs.int8_against_float(p, codec, reference, latents, images)
    proofs.tflm(p, integer, images, int8)
    proofs.round_trip(p, integer, scratch / "round_trip.onnx", images, int8)
    table = bundle.symbol_table(codec, *reference.output_quantization)
    symbols = latent_symbols(int8, table, codec.order.numpy())
    proofs.decoder(p, codec, decoder, symbols)

    figures = _accuracy(p, codec, reference, decoder, table, x_test, y_test, finished.chunks)
    arena = arena_bytes(integer)
    extra = sorted({op.name for op in ops} & set(UNWANTED))
    height, width, _ = codec.input_shape
    print(f"  ops: {', '.join(op.name for op in ops)}")
    print(f"  PAD, TRANSPOSE and QUANTIZE ops: {', '.join(extra) if extra else 'none'}")
    print(f"  arena in TFLM's interpreter: {arena:,} bytes; MACs: {codec.encoder.macs(height, width):,}")

    out.parent.mkdir(parents=True, exist_ok=True)
    n = bundle.GOLDEN_IMAGES
    model_id = bundle.write(
        out,
        config,
        codec,
        {"encoder.tflite": integer, "decoder.onnx": decoder},
        table,
        (images[:n], y_test[:n], int8[:n]),
        data.classes,
        finished.chunks,
        ops,
        arena,
        reference.output_quantization,
        {**figures, "proofs": p.figures, "held_out": saved["held_out"], "temperature": temperature},
    )
    size = sum(f.stat().st_size for f in out.iterdir())
    print(f"bundle {out}: model {model_id}, {size / 1e6:.2f} MB, {datetime.date.today().isoformat()}")


def _accuracy(
    p: proofs.Proofs,
    codec: DeployableCodec,
    reference: ReferenceEncoder,
    decoder: Path,
    table: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    chunks: tuple[tuple[int, int], ...],
) -> dict[str, object]:
    """Accuracy on test images before int8 (float encoder in PyTorch) and after (reference kernels, decoder.onnx)."""
    set_mode(codec.encoder, "off")
    floating = evaluate.accuracy(codec, evaluate.encode(codec, images), labels, 0.0)
    set_mode(codec.encoder, "quantize")
    with Progress(transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task(f"{len(images):,} images through the reference kernels", total=len(images))
        latents = reference.latents(images, lambda: bar.advance(task))
    symbols = latent_symbols(latents, table, codec.order.numpy())
    by_ber = {f"{ber:g}": _decoded(decoder, codec, symbols, labels, ber) for ber in evaluate.BER_GRID}
    n = len(images)
    print(f"  accuracy on {n:,} test images, float encoder: {100 * floating:.2f} %")
    # Of very few test images, a single one weighs more than that and proves nothing.
    limit = max(MAX_INT8_COST, 1 / n)
    p.require("int8_cost", f"accuracy lost by int8, share of {n:,} test images", floating - by_ber["0"], limit)
    shown = ", ".join(f"{k}: {100 * v:.2f} %" for k, v in by_ber.items())
    print(f"  accuracy by BER, int8, true BER told, one draw of flips (seed 0): {shown}")
    halved = {}
    if (0, codec.n_symbols // 2) in chunks:  # what was never trained with half a payload sends none
        symbols[:, codec.n_symbols // 2 :] = -1
        halved["accuracy_half_payload"] = _decoded(decoder, codec, symbols, labels, 0.0)
        print(f"  accuracy of the first half of the payload, clean: {100 * halved['accuracy_half_payload']:.2f} %")
    return {
        "accuracy": by_ber,
        "accuracy_float_clean": floating,
        **halved,
        "accuracy_ber_told": "true",
        "test_images": n,
    }


def _decoded(decoder: Path, codec: DeployableCodec, symbols: np.ndarray, labels: np.ndarray, ber: float) -> float:
    session = onnxruntime.InferenceSession(str(decoder), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng([0, 2])
    right = 0
    for i in range(0, len(symbols), 500):
        part = symbols[i : i + 500]
        if ber > 0:
            bits = levels_to_bits(part, codec.quantizer.bits)
            mask, _ = BitFlips(ber).flips(*bits.shape, rng)
            part = bits_to_levels(bits ^ mask.astype(np.uint8), codec.quantizer.bits).astype(np.int64)
        logits = session.run(None, {"symbols": part, "ber": np.full(len(part), ber, np.float32)})[0]
        right += int((logits.argmax(1) == labels[i : i + 500]).sum())
    return right / len(symbols)
