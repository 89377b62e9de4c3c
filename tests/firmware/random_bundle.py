"""Bundles of small encoders with random weights, with any set of outputs, complete enough to build and to receive."""

import atexit
import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import onnx
from onnx import TensorProto, helper

from host.reference import ReferenceEncoder
from tests.firmware.encoders import OUTPUT, SIDE, Heads, random_encoder
from wire import bundle
from wire.answer import ANSWER_BITS, FULL_WEIGHT, AnswerHead
from wire.model import latent_symbols

BITS = 3
IMAGES = 12
HEADS = Heads()  # two latent heads and an answer head of 10 classes
LOGITS_PER_STEP = 0.3  # of an int8 score, which gives answers of all confidence levels


@cache
def folder(heads: Heads = HEADS) -> Path:
    """Return a bundle's folder, written once per test run."""
    path = Path(mkdtemp(prefix="inkling-bundle-"))
    atexit.register(shutil.rmtree, path)
    return write(path, heads)


def images(count: int = IMAGES, seed: int = 0) -> np.ndarray:
    """Return images of coloured blocks, uint8 (count, SIDE, SIDE, 3)."""
    blocks = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), np.uint8)
    return blocks.repeat(SIDE // 4, axis=1).repeat(SIDE // 4, axis=2)


def write(path: Path, heads: Heads = HEADS, *, seed: int = 0, threshold: int = 8, arena_bytes: int = 20_000) -> Path:
    """Write a bundle of schema 2 to a folder and return it."""
    rng = np.random.default_rng(seed)
    path.mkdir(parents=True, exist_ok=True)
    encoder = random_encoder(heads, seed)
    (path / "encoder.tflite").write_bytes(encoder)
    size = sum(h * w * c for h, w, c in heads.shapes)
    table = np.clip((np.arange(256) - 128 - OUTPUT[1]) // 12 + 4, 0, (1 << BITS) - 1)
    order = rng.permutation(size)[: size - size // 8]
    chunks = [[0, len(order)], [0, len(order) // 2], [len(order) // 2, len(order) - len(order) // 2]] if size else []
    weights = np.rint(FULL_WEIGHT * np.exp(-LOGITS_PER_STEP * np.arange(256))).astype(int)
    answer = AnswerHead(weights, np.linspace(0.2, 1, 16)) if heads.classes else None
    classes = heads.classes or 10
    _write_golden(path, size, table, order, answer)
    (path / "decoder.onnx").write_bytes(_decoder(len(order), classes, answer is not None))
    manifest = {
        "schema": 2,
        "name": "random",
        "task": "classification",
        "dataset": "blocks",
        "classes": [f"class {n}" for n in range(classes)],
        "input_shape": [SIDE, SIDE, 3],
        "heads": [list(shape) for shape in heads.shapes],
        "output_scale": OUTPUT[0],
        "output_zero_point": OUTPUT[1],
        "bits_per_symbol": BITS,
        "symbol_table": table.tolist(),
        "symbol_order": order.tolist(),
        "chunks": chunks,
        "payload_bytes": (len(order) * BITS + (ANSWER_BITS if answer else 0) + 7) // 8 if size else 0,
        "answer": {"weights": weights.tolist(), "probability": answer.probability.tolist()} if answer else None,
        **({"threshold": threshold} if answer else {}),
        "arena_bytes": arena_bytes,
        "ops": ["CONV_2D", "DEPTHWISE_CONV_2D", "ADD"],
        "model_id": bundle.compute_model_id(encoder, table, BITS, order, answer.weights if answer else None),
        "files": {name: bundle.describe_file(path / name) for name in bundle.FILES},
    }
    (path / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    return path


def _write_golden(path: Path, size: int, table: np.ndarray, order: np.ndarray, answer: AnswerHead | None) -> None:
    outputs = ReferenceEncoder(path / "encoder.tflite").outputs(images())
    arrays = {
        "images": images(),
        "latents": outputs[:, :size],
        "symbols": latent_symbols(outputs[:, :size], table, order),
    }
    if answer:
        arrays["scores"] = outputs[:, size:]
        arrays["answers"] = np.stack(answer.answers(outputs[:, size:]), axis=1).astype(np.uint16)
    np.savez(path / "golden.npz", **arrays)


def _decoder(n_symbols: int, classes: int, with_answer: bool) -> bytes:
    """Return a decoder.onnx whose logits are random sums of the symbols; it needs the other inputs to be there."""
    rng = np.random.default_rng(1)
    weights = helper.make_tensor(
        "weights",
        TensorProto.FLOAT,
        (n_symbols, classes),
        rng.normal(size=(n_symbols, classes)).astype(np.float32).ravel(),
    )
    inputs = [helper.make_tensor_value_info("symbols", TensorProto.INT64, ("N", n_symbols))]
    inputs.append(helper.make_tensor_value_info("ber", TensorProto.FLOAT, ("N",)))
    if with_answer:
        inputs.append(helper.make_tensor_value_info("answer", TensorProto.INT64, ("N",)))
    nodes = [
        helper.make_node("Cast", ["symbols"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["levels", "weights"], ["logits"]),
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("N", classes))]
    graph = helper.make_graph(nodes, "decoder", inputs, outputs, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()
