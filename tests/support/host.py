"""Helpers for the host's tests: small bundles with a simple decoder, and frames of their models."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from host.receive.events import AnswerFrame, Event, FeatureFrame
from host.receive.stream import StreamReceiver
from wire.answer import CONFIDENCES, FULL_WEIGHT, Answer
from wire.bundle import FILES, PREVIEW_FILE, SCHEMA, Bundle, compute_model_id, describe_file, load
from wire.control import Info, Mode
from wire.model import Model
from wire.replies.status import NOT_LIMITED, ResetCause, Status, status_frame


def make_bundle(
    folder: Path,
    seed: int = 0,
    n_symbols: int = 128,
    bits: int = 3,
    classes: int = 10,
    answer: bool = False,
    embedding: int = 0,
    preview: bool = False,
) -> Bundle:
    """Write a bundle, on request with an answer head; with `n_symbols` 0, its board only answers.

    Its logits are the received symbols times weights(seed), minus the bit error rate, plus the answer word times
    ANSWER_WEIGHT times the class index. With `embedding`, it is a general bundle of that size, and these sums, plus 1
    and divided by their length, are the embedding. With `preview`, it has a preview network whose pixels all are
    10 times the first symbol plus 1, so 0 if it is missing.
    """
    folder.mkdir()
    half = n_symbols // 2
    rng = np.random.default_rng(seed)
    encoder = rng.bytes(64)
    table, order = np.arange(256) >> (8 - bits), np.arange(n_symbols)
    head_weights = np.round(FULL_WEIGHT * np.exp(-np.arange(256) / 10)).astype(int) if answer else None
    (folder / "encoder.tflite").write_bytes(encoder)
    (folder / "golden.npz").write_bytes(b"")
    matrix = weights(seed, n_symbols, embedding or classes)
    onnx.save(_decoder(matrix, answer, bool(embedding)), str(folder / "decoder.onnx"))
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "name": folder.name,
        "task": "embedding" if embedding else "classification",
        "classes": [] if embedding else [f"class{i}" for i in range(classes)],
        "input_shape": [8, 6, 3],
        "heads": [[1, 1, half], [1, 1, n_symbols - half]] if n_symbols else [],
        "bits_per_symbol": bits,
        "symbol_table": table.tolist(),
        "symbol_order": order.tolist(),
        "chunks": [[0, n_symbols], [0, half], [half, n_symbols - half]] if n_symbols else [],
        "payload_bytes": (16 * (answer and n_symbols > 0) + n_symbols * bits + 7) // 8,
        "answer": {"weights": head_weights.tolist(), "probability": PROBABILITY} if head_weights is not None else None,
        "files": {name: describe_file(folder / name) for name in FILES},
        "model_id": compute_model_id(encoder, table, bits, order, head_weights),
    }
    if answer:
        manifest["threshold"] = 8
    if embedding:
        manifest["embedding"] = {"size": embedding, "network": "random"}
    if preview:
        onnx.save(preview_network(n_symbols), str(folder / PREVIEW_FILE))
        manifest["preview"] = {}
        manifest["files"][PREVIEW_FILE] = describe_file(folder / PREVIEW_FILE)
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return load(folder)


PROBABILITY = [round((level + 1) / CONFIDENCES, 4) for level in range(CONFIDENCES)]
ANSWER_WEIGHT = np.float32(1e-3)


def weights(seed: int, n_symbols: int = 128, classes: int = 10) -> np.ndarray:
    """Return the weights (S, classes) of the test decoder."""
    return np.random.default_rng(1000 + seed).normal(size=(n_symbols, classes)).astype(np.float32)


def embedding_decoder(matrix: np.ndarray) -> onnx.ModelProto:
    """Return the decoder of a general bundle with weights (S, D), as in `make_bundle`."""
    return _decoder(matrix, answer=False, embedding=True)


def _decoder(matrix: np.ndarray, answer: bool, embedding: bool = False) -> onnx.ModelProto:
    n_symbols, classes = matrix.shape
    output = "embedding" if embedding else "logits"
    nodes = [
        helper.make_node("Cast", ["symbols"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Relu", ["float"], ["received"]),  # -1, not received, counts as 0
        helper.make_node("MatMul", ["received", "weights"], ["product"]),
        helper.make_node("Unsqueeze", ["ber", "axis"], ["column"]),
        helper.make_node("Sub", ["product", "column"], ["by symbols" if answer or embedding else "logits"]),
    ]
    inputs = [
        helper.make_tensor_value_info("symbols", TensorProto.INT64, ["N", n_symbols]),
        helper.make_tensor_value_info("ber", TensorProto.FLOAT, ["N"]),
    ]
    constants = [numpy_helper.from_array(matrix, "weights"), numpy_helper.from_array(np.array([1]), "axis")]
    if answer:
        nodes += [
            helper.make_node("Cast", ["answer"], ["word"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["word", "axis"], ["words"]),
            helper.make_node("Mul", ["words", "ramp"], ["by answer"]),
            helper.make_node("Add", ["by symbols", "by answer"], ["logits"]),
        ]
        inputs.append(helper.make_tensor_value_info("answer", TensorProto.INT64, ["N"]))
        constants.append(numpy_helper.from_array(np.arange(classes, dtype=np.float32) * ANSWER_WEIGHT, "ramp"))
    if embedding:
        nodes += [
            helper.make_node("Add", ["by symbols", "one"], ["sum"]),
            helper.make_node("ReduceL2", ["sum"], ["length"], axes=[1], keepdims=1),
            helper.make_node("Div", ["sum", "length"], ["embedding"]),
        ]
        constants.append(numpy_helper.from_array(np.array(1, np.float32), "one"))
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", classes])]
    graph = helper.make_graph(nodes, "decoder", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def preview_network(n_symbols: int, height: int = 8, kind: int = TensorProto.UINT8) -> onnx.ModelProto:
    """Return the preview network of `make_bundle`, whose images have a height of 8 and a width of 6."""
    nodes = [
        helper.make_node("Slice", ["symbols", "zero", "one", "one"], ["first"]),  # column 0
        helper.make_node("Add", ["first", "one"], ["level"]),
        helper.make_node("Mul", ["level", "ten"], ["number"]),
        helper.make_node("Cast", ["number"], ["pixel"], to=kind),
        helper.make_node("Unsqueeze", ["pixel", "axes"], ["pixels"]),
        helper.make_node("Expand", ["pixels", "shape"], ["image"]),
    ]
    inputs = [
        helper.make_tensor_value_info("symbols", TensorProto.INT64, ["N", n_symbols]),
        helper.make_tensor_value_info("ber", TensorProto.FLOAT, ["N"]),
    ]
    constants = {"zero": [0], "one": [1], "ten": [10], "axes": [2, 3], "shape": [1, height, 6, 3]}
    tensors = [numpy_helper.from_array(np.array(values), name) for name, values in constants.items()]
    outputs = [helper.make_tensor_value_info("image", kind, ["N", height, 6, 3])]
    graph = helper.make_graph(nodes, "preview", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def make_frame(
    model: Model,
    sequence: int,
    symbols: np.ndarray | None = None,
    device: int = 7,
    chunk: int = 0,
    answer: Answer | None = None,
) -> bytes:
    """Return a feature frame as a board sends it, by default with the symbols of `symbols_of` and `answer_of`."""
    if symbols is None:
        symbols = symbols_of(model, sequence, device, chunk)
    if model.answer and answer is None:
        answer = answer_of(model, sequence, device)
    return model.frame(symbols, device, sequence % 32, chunk, answer=answer)


def make_answer(model: Model, sequence: int, answer: Answer | None = None, device: int = 7, sync: bool = True) -> bytes:
    """Return an answer frame as a board sends it, by default with the answer of `answer_of`."""
    return model.answer_frame(answer or answer_of(model, sequence, device), device, sequence % 32, sync=sync)


def make_status(counter: int, uptime_s: int = 60, device: int = 7, sync: bool = True) -> bytes:
    """Return a status frame as a board sends it."""
    status = Status(counter, uptime_s, 0, ResetCause.UNKNOWN, 0, 0, NOT_LIMITED, 60)
    return status_frame(status, device, 0, sync=sync)


def symbols_of(model: Model, sequence: int, device: int = 7, chunk: int = 0) -> np.ndarray:
    """Return random symbols (count,) that depend on sequence, device and chunk."""
    rng = np.random.default_rng([sequence, device, chunk])
    return rng.integers(0, 1 << model.bits_per_symbol, model.chunk_symbols(chunk)[1])


def answer_of(model: Model, sequence: int, device: int = 7) -> Answer:
    """Return a random answer that depends on sequence and device."""
    rng = np.random.default_rng([sequence, device, 99])
    return Answer(int(rng.integers(model.class_count)), int(rng.integers(CONFIDENCES)))


def answers(events: Iterable[Event | None]) -> list[AnswerFrame]:
    """Return the answer frames among events."""
    return [event for event in events if isinstance(event, AnswerFrame)]


def make_info(**changes: Any) -> Info:  # noqa: ANN401 - the fields of Info
    """Return the INFO of a native board, with changed fields."""
    info = Info(
        wire_version=1,
        firmware_version=(0, 1, 0),
        model_number=7,
        engine="aot",
        target="native",
        input_shape=(8, 6, 3),
        symbols=128,
        bits_per_symbol=3,
        chunks=3,
        arena_bytes=1,
        encoder_ram_bytes=2,
        stack_bytes=3,
        clock_hz=1,
        max_data=999,
        classes=10,
        mode=Mode.ADAPTIVE,
        threshold=8,
    )
    return replace(info, **changes)


def images(events: Iterable[Event | None]) -> list[FeatureFrame | AnswerFrame]:
    """Return the frames of images among events."""
    return [event for event in events if isinstance(event, FeatureFrame | AnswerFrame)]


def features(events: Iterable[Event | None]) -> list[FeatureFrame]:
    """Return the feature frames among events."""
    return [event for event in events if isinstance(event, FeatureFrame)]


def receive(receiver: StreamReceiver, stream: bytes) -> list[Event]:
    """Return all events in a stream that ends here."""
    return receiver.feed(stream) + receiver.flush()


def damaged(packet: bytes, ber: float, rng: np.random.Generator) -> bytes:
    """Return a packet with flipped bits."""
    mask = np.packbits(rng.random(8 * len(packet)) < ber)
    return (np.frombuffer(packet, np.uint8) ^ mask).tobytes()
