"""Write the bundle, the only result of training that firmware and host use."""

import datetime
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export import card
from export.converted import ConvertedCodec
from export.errors import ExportError
from export.finished_run import FinishedRun
from export.inspect_tflite import Op
from train.config import GeneralConfig
from wire.answer import ANSWER_BITS
from wire.bundle import FILES, SCHEMA, BundleError, compute_model_id, describe_file
from wire.bundle import load as load_bundle
from wire.files import naming, to_json
from wire.model import PIXEL_OFFSET
from wire.payload import pack, payload_bytes

GOLDEN_IMAGES = 32
GOLDEN_BER = 1e-3


@dataclass(frozen=True)
class Golden:
    """Images uint8 (n, H, W, C), labels (n,) and outputs int8 (n, L + classes) that every engine must reproduce."""

    images: np.ndarray
    labels: np.ndarray
    outputs: np.ndarray


@dataclass(frozen=True)
class Measured:
    """Facts about a converted encoder and figures of the whole codec, as the manifest has them."""

    ops: list[Op]
    arena_bytes: int
    threshold: int | None  # confidence level from which the board answers, by default; None without an answer head
    figures: dict[str, Any]


def check_out(folder: Path, force: bool) -> None:
    """Raise ExportError if `write` would replace a folder that is no bundle, tasks, or a bundle without `force`."""
    not_empty = folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
    if not_empty and not (folder / "bundle.json").is_file():
        raise ExportError(f"{folder} exists and is no bundle; give -o a new folder, or a bundle to replace")
    if not_empty and not force:
        raise ExportError(f"{folder} is a bundle already; replace it with --force, or give -o another folder")
    # A task holds what a user has labelled, and fits no other model.
    tasks = sorted(task.name for task in folder.glob("tasks/*/"))
    if tasks:
        raise ExportError(
            f"{folder} has been taught tasks ({', '.join(tasks)}): move them away, or give -o another folder"
        )


def write(folder: Path, run: FinishedRun, converted: ConvertedCodec, measured: Measured, golden: Golden) -> str:
    """Write the bundle `folder` completely or not at all; return the model_id."""
    folder = folder.resolve()  # "." has a name too
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shutil.copy(converted.files.encoder_tflite, part / "encoder.tflite")
    shutil.copy(converted.files.decoder_onnx, part / "decoder.onnx")
    with naming(folder / "golden.npz"):
        np.savez_compressed(part / "golden.npz", **_golden(converted, golden, run.codec.output))
    manifest = _manifest(folder.name, run, converted, measured)
    manifest["files"] = {name: describe_file(part / name) for name in FILES}
    for name, text in (("bundle.json", manifest_text(manifest)), ("MODEL_CARD.md", card.text(manifest))):
        with naming(folder / name):
            (part / name).write_text(text, encoding="utf-8")
    try:
        load_bundle(part)  # as both ends will
    except BundleError as error:
        shutil.rmtree(part)
        raise ExportError(f"the result is no valid bundle: {error}") from None
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(part, folder)
    return manifest["model_id"]


def _manifest(name: str, run: FinishedRun, converted: ConvertedCodec, measured: Measured) -> dict[str, Any]:
    codec, config = run.codec, run.config
    encoder = converted.files.encoder_tflite.read_bytes()
    scale, zero_point = converted.reference.output_quantization
    height, width, _ = codec.input_shape
    head = converted.answer
    answer = None if head is None else {"weights": head.weights.tolist(), "probability": head.probability.tolist()}
    # A board that classifies alone sends answer frames only, which have no payload.
    bits = (ANSWER_BITS if head else 0) + codec.n_symbols * converted.bits if codec.n_symbols else 0
    return {
        "schema": SCHEMA,
        "name": name,
        **_task(run),
        "dataset": run.data.name,
        "input_shape": list(codec.input_shape),
        "input_scale": 1 / 255,
        "input_zero_point": -PIXEL_OFFSET,
        "heads": [list(shape) for shape in codec.heads],
        "output_scale": scale,
        "output_zero_point": zero_point,
        "levels": codec.quantizer.n_levels,
        "bits_per_symbol": converted.bits,
        "symbol_table": converted.table.tolist(),
        "symbol_order": converted.order.tolist(),
        "chunks": [list(chunk) for chunk in run.chunks],
        "payload_bytes": payload_bytes(bits, 1),
        "answer": answer,
        **({} if measured.threshold is None else {"threshold": measured.threshold}),
        "arena_bytes": measured.arena_bytes,
        "ops": [op.name for op in measured.ops],
        "encoder_macs": codec.encoder.macs(height, width),
        **measured.figures,
        "model_id": compute_model_id(
            encoder, converted.table, converted.bits, converted.order, head.weights if head else None
        ),
        "recipe": config.as_dict(),
        "seed": config.seed,
        "date": datetime.date.today().isoformat(),
    }


def _task(run: FinishedRun) -> dict[str, Any]:
    """Return what the host's network gives: logits of classes, or an embedding."""
    if run.embeddings is None:
        return {"task": "classification", "classes": list(run.data.classes)}
    assert isinstance(run.config, GeneralConfig)
    embedding = {"size": run.embeddings.shape[1], "network": Path(run.config.embedding.network).name}
    return {"task": "embedding", "classes": [], "embedding": embedding}


def manifest_text(manifest: dict[str, Any]) -> str:
    """Return the text of bundle.json."""
    # One key per line, so that a diff of two bundles is readable; long lists stay on their line.
    lines = [f" {to_json(key)}: {to_json(value)}" for key, value in manifest.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _golden(converted: ConvertedCodec, golden: Golden, output: str) -> dict[str, np.ndarray]:
    latents, scores = golden.outputs[:, : converted.latent_size], golden.outputs[:, converted.latent_size :]
    symbols, words = converted.symbols(latents), converted.words(scores)
    ber = np.full(len(symbols), GOLDEN_BER, np.float32)
    answers = (
        {}
        if converted.answer is None
        else {
            "scores": scores,
            "answers": np.stack(converted.answer.answers(scores), 1).astype(np.uint16),
        }
    )
    payloads = [pack(row, converted.bits) for row in symbols]
    if words is not None and converted.latent_size:
        n_bytes = ANSWER_BITS // 8
        payloads = [int(word).to_bytes(n_bytes, "big") + part for word, part in zip(words, payloads, strict=True)]
    return {
        "images": golden.images,
        "labels": golden.labels,
        "latents": latents,
        **answers,
        "symbols": symbols,
        "payload": np.stack([np.frombuffer(payload, np.uint8) for payload in payloads]),
        "ber": ber,
        output: converted.logits(symbols, ber, words),
    }
