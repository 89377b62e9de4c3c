"""Write the bundle: the only thing that passes from training to both ends."""

import datetime
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from export.errors import ExportError
from export.inspect_tflite import Op
from train.codecs.deployable import DeployableCodec
from train.trainers.trainer import RunConfig
from wire.bundle import SCHEMA, BundleError, compute_model_id
from wire.bundle import load as load_bundle
from wire.model import latent_symbols
from wire.payload import pack, payload_bytes

GOLDEN_IMAGES = 32


def check_out(folder: Path) -> None:
    """Refuse a folder that `write` would replace although it is no bundle."""
    holds_something = folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
    if holds_something and not (folder / "bundle.json").is_file():
        raise ExportError(f"{folder} exists and is no bundle; give -o a new folder, or the bundle to replace")


def symbol_table(codec: DeployableCodec, scale: float, zero_point: int) -> np.ndarray:
    """Level of int8 latent value v, at index v + 128: the centre nearest to (v - zero_point) * scale, ties down."""
    centres = codec.latent_centres().detach().double().numpy()
    values = (np.arange(-128, 128) - zero_point) * float(scale)
    return np.searchsorted((centres[1:] + centres[:-1]) / 2, values, side="left").astype(np.uint8)


def write(
    folder: Path,
    config: RunConfig,
    codec: DeployableCodec,
    files: dict[str, Path],
    table: np.ndarray,
    golden: tuple[np.ndarray, np.ndarray, np.ndarray],
    classes: tuple[str, ...],
    chunks: tuple[tuple[int, int], ...],
    ops: list[Op],
    arena_bytes: int,
    output_quantization: tuple[float, int],
    figures: dict[str, Any],
) -> str:
    """Write `folder` whole or not at all; returns the model_id.

    files: encoder.tflite and decoder.onnx; golden: images uint8 (n, H, W, C), labels (n,), latents int8 (n, h, w, c).
    """
    folder = folder.resolve()  # "." has a name too
    order = codec.order.numpy().astype(np.uint16)
    bits = codec.quantizer.bits
    model_id = compute_model_id(files["encoder.tflite"].read_bytes(), table, bits, order)
    h, w, _ = codec.input_shape
    manifest = {
        "schema": SCHEMA,
        "name": folder.name,
        "task": "classification",
        "dataset": config.data.name,
        "classes": list(classes),
        "input_shape": list(codec.input_shape),
        "input_scale": 1 / 255,
        "input_zero_point": -128,
        "latent_shape": list(codec.latent_shape),
        "latent_scale": output_quantization[0],
        "latent_zero_point": output_quantization[1],
        "levels": 2**bits,
        "bits_per_symbol": bits,
        "symbol_table": table.tolist(),
        "symbol_order": order.tolist(),
        "chunks": [list(chunk) for chunk in chunks],
        "payload_bytes": payload_bytes(codec.n_symbols, bits),
        "arena_bytes": arena_bytes,
        "ops": [op.name for op in ops],
        "encoder_macs": codec.encoder.macs(h, w),
        **figures,
        "model_id": model_id,
        "recipe": config.as_dict(),
        "seed": config.seed,
        "date": datetime.date.today().isoformat(),
    }
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, file in files.items():
        shutil.copy(file, part / name)
    (part / "bundle.json").write_text(_json(manifest))
    np.savez_compressed(part / "golden.npz", **_golden(codec, part, table, order, bits, golden))
    try:
        load_bundle(part)  # what both ends will do with it
    except BundleError as error:
        shutil.rmtree(part)
        raise ExportError(f"the result is no bundle: {error}") from None
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(part, folder)
    return model_id


def _json(manifest: dict[str, Any]) -> str:
    # One key a line, so that a diff of two bundles can be read; long lists stay on their line.
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in manifest.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _golden(
    codec: DeployableCodec,
    folder: Path,
    table: np.ndarray,
    order: np.ndarray,
    bits: int,
    golden: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> dict[str, np.ndarray]:
    images, labels, latents = golden
    symbols = latent_symbols(latents, table, order)
    ber = np.full(len(symbols), 1e-3, np.float32)
    session = onnxruntime.InferenceSession(str(folder / "decoder.onnx"), providers=["CPUExecutionProvider"])
    return {
        "images": images,
        "labels": labels,
        "latents": latents,
        "symbols": symbols,
        "payload": np.stack([np.frombuffer(pack(s, bits), np.uint8) for s in symbols]),
        "ber": ber,
        "logits": session.run(None, {"symbols": symbols, "ber": ber})[0],
    }
