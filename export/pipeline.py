"""The whole export: convert, prove, measure, write."""

import contextlib
import datetime
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress
from torch.nn import functional

from export import bundle, confidence, proofs
from export.convert import convert
from export.converted import ConvertedCodec
from export.finished_run import FinishedRun, load_run
from export.inspect_tflite import arena_bytes, operators
from train import evaluate
from train.codecs.cost import estimate
from train.codecs.encoder import SCORE_SCALE, Encoder
from train.codecs.fakequant import set_mode
from train.data.sampling import split_holdout, stratified

PROOF_IMAGES = 100
MAX_INT8_COST = 0.03  # share of images; above this the int8 encoder is broken, not just coarser
UNWANTED = ("PAD", "PADV2", "TRANSPOSE", "QUANTIZE", "DEQUANTIZE")


def export(folder: Path, out: Path, test_images: int, scratch: Path, force: bool = False) -> None:
    """Write the bundle `out` of the run in `folder`, with accuracies on that many test images.

    `scratch` is an empty folder for the files of the conversion. With `force`, a bundle in `out` is replaced. Raises
    ExportError if a step or a proof fails, and TrainError if the run is not finished.
    """
    bundle.check_out(out, force)
    run = load_run(folder)
    classifies = run.embeddings is None
    print(f"run {folder}: epoch {run.saved['epoch']}, held-out {_shown(run.saved['held_out'], classifies)}")
    _, held_out = split_holdout(run.data, run.config.data.holdout)
    held = Images(run.data.x_train[held_out], run.data.y_train[held_out])
    temperature = _calibrate(run, held) if run.codec.n_symbols and classifies else 1.0

    print("convert: PyTorch -> ONNX -> onnx2tf -> TFLite")
    converted = ConvertedCodec(run.codec, convert(run.codec, run.calibration, scratch))
    # In random order: the first images, which the proofs and the golden file take, are of all classes too.
    chosen = stratified(run.data.y_test, test_images)
    test = Images(run.data.x_test[chosen], run.data.y_test[chosen])
    checks = proofs.Proofs()
    print(f"proofs, on {min(PROOF_IMAGES, len(test.x))} test images:")
    files = converted.files
    proof_images = test.x[:PROOF_IMAGES]
    floating = proofs.float_chain(checks, run.codec, files, proof_images)
    proofs.scales(checks, run.codec, operators(files.encoder_tflite))
    outputs = proofs.int8_against_float(checks, run.codec, converted.reference, floating, proof_images)
    proofs.tflm(checks, files.encoder_tflite, proof_images, outputs)
    round_trip = files.encoder_tflite.with_name("round_trip.onnx")
    proofs.round_trip(checks, files.encoder_tflite, round_trip, proof_images, outputs)
    proofs.decoder(checks, run.codec, converted, converted.symbols(outputs[:, : converted.latent_size]))

    threshold, board = _calibrate_board(converted, held) if run.codec.has_answer else (None, {})
    figures = (
        _measure_accuracy(checks, run, converted, test)
        if run.embeddings is None
        else _measure_cosine(checks, run, converted, test.x, run.embeddings[chosen])
    )
    ops, arena = operators(files.encoder_tflite), arena_bytes(files.encoder_tflite)
    extra = sorted({op.name for op in ops} & set(UNWANTED))
    height, width, _ = run.codec.input_shape
    print(f"  ops: {', '.join(op.name for op in ops)}")
    print(f"  PAD, TRANSPOSE and QUANTIZE ops: {', '.join(extra) if extra else 'none'}")
    print(f"  arena in TFLM's interpreter: {arena:,} bytes; MACs: {run.codec.encoder.macs(height, width):,}")
    if isinstance(run.codec.encoder, Encoder):
        print(f"  {estimate(run.codec.encoder, run.codec.input_shape, run.codec.n_symbols)}")

    out.parent.mkdir(parents=True, exist_ok=True)
    figures |= {"proofs": checks.figures, "held_out": run.saved["held_out"], "temperature": temperature, **board}
    n = bundle.GOLDEN_IMAGES
    if classifies:
        golden = bundle.Golden(test.x[:n], test.y[:n], outputs[:n])
    else:  # the pictures that a general codec learns from may have terms that forbid passing them on
        images = clouds(n, run.codec.input_shape)
        golden = bundle.Golden(images, np.zeros(n, test.y.dtype), converted.reference.outputs(images))
    measured = bundle.Measured(ops, arena, threshold, figures)
    model_id = bundle.write(out, run, converted, measured, golden)
    size = sum(f.stat().st_size for f in out.iterdir())
    print(f"bundle {out}: model {model_id}, {size / 1e6:.2f} MB, {datetime.date.today().isoformat()}")


def clouds(count: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Return images uint8 (count, *shape) of coloured clouds, of all sizes and contrasts, as photographs have them."""
    rng, (height, width, channels) = np.random.default_rng(0), shape
    images = rng.uniform(64, 192, (count, 1, 1, channels)) + np.zeros((count, *shape))
    cells = 2
    while cells <= min(height, width):
        noise = torch.from_numpy(rng.normal(size=(count, channels, cells, cells)))
        layer = functional.interpolate(noise, (height, width), mode="bicubic", align_corners=False)
        images += rng.uniform(20, 200, (count, 1, 1, 1)) / cells * layer.permute(0, 2, 3, 1).numpy()
        cells *= 2
    return images.clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Images:
    """Images uint8 (N, H, W, C) and their labels (N,)."""

    x: np.ndarray
    y: np.ndarray


def _shown(figures: dict[str, float], classifies: bool) -> str:
    return f"accuracies {_percent(figures)}" if classifies else f"cosines {_cosines(figures)}"


def _cosines(figures: dict[str, float]) -> str:
    return ", ".join(f"{name}: {value:.3f}" for name, value in figures.items())


def _percent(shares: dict[str, float]) -> str:
    return ", ".join(f"{name}: {100 * share:.2f} %" for name, share in shares.items())


def _calibrate(run: FinishedRun, held: Images) -> float:
    """Calibrate the host's confidences on the held-out training images; return the temperature."""
    fitted = confidence.calibrate(run.codec, held.x, held.y)
    print(
        f"host's confidence: logits divided by {fitted.value:.2f}, fitted on {len(held.x):,} held-out training images; "
        f"negative log-likelihood {fitted.loss_before:.3f} -> {fitted.loss_after:.3f}"
    )
    return fitted.value


def _calibrate_board(converted: ConvertedCodec, held: Images) -> tuple[int, dict[str, float]]:
    """Calibrate the answer head on the held-out training images; return the default threshold and the figures."""
    with _progress(len(held.x), "held-out images through the reference kernels") as advance:
        latents, scores = converted.encode(held.x, advance)
    scale, _ = converted.reference.output_quantization
    fitted = confidence.calibrate_board(scores, held.y, scale * SCORE_SCALE)
    converted.answer = fitted.head
    index, levels = fitted.head.answers(scores)
    host = converted.correct(converted.symbols(latents), converted.words(scores), held.y, 0.0)
    threshold = confidence.choose_threshold(levels, index == held.y, host)
    print(
        f"board's confidence: scores divided by {fitted.temperature:.2f}; expected calibration error "
        f"{100 * fitted.error_before:.2f} % -> {100 * fitted.error:.2f} %; threshold {threshold}, at which the board "
        f"answers {100 * (levels >= threshold).mean():.1f} % of the held-out images"
    )
    return threshold, {"board_temperature": fitted.temperature, "board_calibration_error": fitted.error}


def _measure_accuracy(
    checks: proofs.Proofs, run: FinishedRun, converted: ConvertedCodec, test: Images
) -> dict[str, object]:
    """Measure the accuracy on test images before int8 (float encoder in PyTorch) and after (the converted codec)."""
    codec, n = run.codec, len(test.x)
    set_mode(codec.encoder, "off")
    sent = evaluate.encode(codec, test.x)
    set_mode(codec.encoder, "quantize")
    # The same decoder for both, so that only the encoders differ: PyTorch's may compute in bfloat16.
    words = None if sent.answers is None else sent.answers.numpy()
    floating = float(converted.correct(sent.symbols.numpy(), words, test.y, 0.0).mean())
    with _progress(n, "test images through the reference kernels") as advance:
        latents, scores = converted.encode(test.x, advance)
    symbols, words = converted.symbols(latents), converted.words(scores)
    by_ber = {f"{ber:g}": float(converted.correct(symbols, words, test.y, ber).mean()) for ber in evaluate.BER_GRID}
    print(f"  accuracy on {n:,} test images, float encoder: {100 * floating:.2f} %")
    # With very few test images, a single one weighs more than the limit and proves nothing.
    limit = max(MAX_INT8_COST, 1 / n)
    checks.require("int8_cost", f"accuracy lost by int8, share of {n:,} test images", floating - by_ber["0"], limit)
    print(f"  accuracy by BER, int8, the decoder given the true BER, one draw of flips (seed 0): {_percent(by_ber)}")
    prefixes = {
        str(count): float(converted.correct(symbols, words, test.y, 0.0, count).mean())
        for first, count in run.chunks
        if first == 0
    }
    if len(prefixes) > 1:
        print(f"  accuracy by number of symbols received, clean: {_percent(prefixes)}")
    figures: dict[str, object] = {
        "accuracy": by_ber,
        "accuracy_by_symbols": prefixes,
        "accuracy_float_clean": floating,
        "accuracy_ber_given": "true",
        "test_images": n,
    }
    if converted.answer is not None:
        index, _ = converted.answer.answers(scores)
        figures["accuracy_board"] = float((index == test.y).mean())
        print(f"  accuracy of the board's answer: {100 * (index == test.y).mean():.2f} %")
    return figures


def _measure_cosine(
    checks: proofs.Proofs, run: FinishedRun, converted: ConvertedCodec, images: np.ndarray, targets: np.ndarray
) -> dict[str, object]:
    """Measure the mean cosine of predicted and true embeddings (N, D) before int8 and after, by BER and by prefix."""
    n = len(images)
    set_mode(run.codec.encoder, "off")
    sent = evaluate.encode(run.codec, images)
    set_mode(run.codec.encoder, "quantize")
    with _progress(n, "test images through the reference kernels") as advance:
        latents, _ = converted.encode(images, advance)
    symbols = converted.symbols(latents)

    def cosine(symbols: np.ndarray, ber: float, n_received: int | None = None) -> float:
        return float((converted.decoded(symbols, None, ber, n_received) * targets).sum(1).mean())

    floating = cosine(sent.symbols.numpy(), 0.0)
    by_ber = {f"{ber:g}": cosine(symbols, ber) for ber in evaluate.BER_GRID}
    checks.require("int8_cost", f"cosine lost by int8, {n:,} test images", floating - by_ber["0"], MAX_INT8_COST)
    prefixes = {str(count): cosine(symbols, 0.0, count) for first, count in run.chunks if first == 0}
    print(f"  cosine by BER, the decoder given the true BER, one draw of flips (seed 0): {_cosines(by_ber)}")
    print(f"  cosine by number of symbols received, clean: {_cosines(prefixes)}")
    return {
        "cosine": by_ber,
        "cosine_by_symbols": prefixes,
        "cosine_float_clean": floating,
        "accuracy_ber_given": "true",
        "test_images": n,
    }


@contextlib.contextmanager
def _progress(total: int, text: str) -> Iterator[Callable[[], None]]:
    with Progress(transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task(f"{total:,} {text}", total=total)
        yield lambda: bar.advance(task)
