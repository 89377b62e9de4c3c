"""The whole export: convert, prove, measure, write."""

import datetime
import sys
from pathlib import Path

import numpy as np
from rich.progress import Progress

from export import bundle, confidence, proofs
from export.convert import convert
from export.converted import ConvertedCodec
from export.finished_run import FinishedRun, load_run
from export.inspect_tflite import arena_bytes, operators
from train import evaluate
from train.codecs.fakequant import set_mode
from train.data.sampling import stratified
from train.trainers.trainer import split_holdout

PROOF_IMAGES = 100
MAX_INT8_COST = 0.03  # share of images; above this the int8 encoder is broken, not just coarser
UNWANTED = ("PAD", "PADV2", "TRANSPOSE", "QUANTIZE", "DEQUANTIZE")


def export(folder: Path, out: Path, test_images: int, scratch: Path) -> None:
    """Write the bundle `out` of the run in `folder`, with accuracies on that many test images.

    `scratch` is an empty folder for the files of the conversion. Raises ExportError if a step or a proof fails, and
    TrainError if the run is not finished.
    """
    bundle.check_out(out)
    run = load_run(folder)
    held_out = f"{100 * run.saved['held_out']['0']:.2f} %"
    print(f"run {folder}: epoch {run.saved['epoch']}, held-out accuracy {held_out}")
    temperature = _calibrate(run)

    print("convert: PyTorch -> ONNX -> onnx2tf -> TFLite")
    converted = ConvertedCodec(run.codec, convert(run.codec, run.calibration, scratch))

    checks = proofs.Proofs()
    # In random order: the first images, which the proofs and the golden file take, are of all classes too.
    chosen = stratified(run.data.y_test, test_images)
    images, labels = run.data.x_test[chosen], run.data.y_test[chosen]
    latents = _prove(checks, run, converted, images[:PROOF_IMAGES])
    figures = _measure_accuracy(checks, run, converted, images, labels)
    encoder = converted.files.encoder_tflite
    ops, arena = operators(encoder), arena_bytes(encoder)
    extra = sorted({op.name for op in ops} & set(UNWANTED))
    height, width, _ = run.codec.input_shape
    print(f"  ops: {', '.join(op.name for op in ops)}")
    print(f"  PAD, TRANSPOSE and QUANTIZE ops: {', '.join(extra) if extra else 'none'}")
    print(f"  arena in TFLM's interpreter: {arena:,} bytes; MACs: {run.codec.encoder.macs(height, width):,}")

    out.parent.mkdir(parents=True, exist_ok=True)
    figures |= {"proofs": checks.figures, "held_out": run.saved["held_out"], "temperature": temperature}
    n = bundle.GOLDEN_IMAGES
    golden = bundle.Golden(images[:n], labels[:n], latents[:n])
    model_id = bundle.write(out, run, converted, bundle.Measured(ops, arena, figures), golden)
    size = sum(f.stat().st_size for f in out.iterdir())
    print(f"bundle {out}: model {model_id}, {size / 1e6:.2f} MB, {datetime.date.today().isoformat()}")


def _calibrate(run: FinishedRun) -> float:
    """Calibrate the codec's confidences on the held-out training images; return the temperature."""
    _, held_out = split_holdout(run.data, run.config.data.holdout)
    fitted = confidence.calibrate(run.codec, run.data.x_train[held_out], run.data.y_train[held_out])
    print(
        f"confidence: logits divided by {fitted.value:.2f}, fitted on {len(held_out):,} held-out training images; "
        f"negative log-likelihood {fitted.loss_before:.3f} -> {fitted.loss_after:.3f}"
    )
    return fitted.value


def _prove(checks: proofs.Proofs, run: FinishedRun, converted: ConvertedCodec, images: np.ndarray) -> np.ndarray:
    """Compare each step of the conversion with the one before it; return the int8 latents (N, h, w, c)."""
    print(f"proofs, on {len(images)} test images:")
    files = converted.files
    latents = proofs.float_chain(checks, run.codec, files, images)
    proofs.scales(checks, run.codec, operators(files.encoder_tflite))
    int8 = proofs.int8_against_float(checks, run.codec, converted.reference, latents, images)
    proofs.tflm(checks, files.encoder_tflite, images, int8)
    proofs.round_trip(checks, files.encoder_tflite, files.encoder_tflite.with_name("round_trip.onnx"), images, int8)
    proofs.decoder(checks, run.codec, files.decoder_onnx, converted.symbols(int8))
    return int8


def _measure_accuracy(
    checks: proofs.Proofs, run: FinishedRun, converted: ConvertedCodec, images: np.ndarray, labels: np.ndarray
) -> dict[str, object]:
    """Measure the accuracy on test images before int8 (float encoder in PyTorch) and after (the converted codec)."""
    codec, n = run.codec, len(images)
    set_mode(codec.encoder, "off")
    floating = evaluate.accuracy(codec, evaluate.encode(codec, images), labels, 0.0)
    set_mode(codec.encoder, "quantize")
    with Progress(transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task(f"{n:,} images through the reference kernels", total=n)
        latents = converted.latents(images, lambda: bar.advance(task))
    symbols = converted.symbols(latents)
    by_ber = {f"{ber:g}": converted.accuracy(symbols, labels, ber) for ber in evaluate.BER_GRID}
    print(f"  accuracy on {n:,} test images, float encoder: {100 * floating:.2f} %")
    # With very few test images, a single one weighs more than the limit and proves nothing.
    limit = max(MAX_INT8_COST, 1 / n)
    checks.require("int8_cost", f"accuracy lost by int8, share of {n:,} test images", floating - by_ber["0"], limit)
    shown = ", ".join(f"{k}: {100 * v:.2f} %" for k, v in by_ber.items())
    print(f"  accuracy by BER, int8, the decoder given the true BER, one draw of flips (seed 0): {shown}")
    halved = {}
    half = codec.n_symbols // 2
    if (0, half) in run.chunks:  # a codec that was not trained with half a payload never sends one
        symbols[:, half:] = -1
        halved["accuracy_half_payload"] = converted.accuracy(symbols, labels, 0.0)
        print(f"  accuracy of the first half of the payload, clean: {100 * halved['accuracy_half_payload']:.2f} %")
    return {
        "accuracy": by_ber,
        "accuracy_float_clean": floating,
        **halved,
        "accuracy_ber_told": "true",
        "test_images": n,
    }
