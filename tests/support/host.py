"""Helpers for the host's tests: small bundles with a simple decoder, and frames of their models."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from host.receive.events import Event, FeatureFrame
from host.receive.stream import StreamReceiver
from wire.bundle import Bundle, compute_model_id, load
from wire.model import Model


def make_bundle(folder: Path, seed: int = 0, n_symbols: int = 128, bits: int = 3, classes: int = 10) -> Bundle:
    """Write a bundle. Its logits are the received symbols times weights(seed), minus the bit error rate."""
    folder.mkdir()
    half = n_symbols // 2
    rng = np.random.default_rng(seed)
    encoder = rng.bytes(64)
    table, order = np.arange(256) >> (8 - bits), np.arange(n_symbols)
    manifest = {
        "schema": 1,
        "name": folder.name,
        "classes": [f"class{i}" for i in range(classes)],
        "input_shape": [8, 6, 3],
        "latent_shape": [1, 1, n_symbols],
        "bits_per_symbol": bits,
        "symbol_table": table.tolist(),
        "symbol_order": order.tolist(),
        "chunks": [[0, n_symbols], [0, half], [half, n_symbols - half]],
        "payload_bytes": (n_symbols * bits + 7) // 8,
        "model_id": compute_model_id(encoder, table, bits, order),
    }
    (folder / "bundle.json").write_text(json.dumps(manifest))
    (folder / "encoder.tflite").write_bytes(encoder)
    (folder / "golden.npz").write_bytes(b"")
    onnx.save(_decoder(weights(seed, n_symbols, classes)), str(folder / "decoder.onnx"))
    return load(folder)


def weights(seed: int, n_symbols: int = 128, classes: int = 10) -> np.ndarray:
    """Return the weights (S, classes) of the test decoder."""
    return np.random.default_rng(1000 + seed).normal(size=(n_symbols, classes)).astype(np.float32)


def _decoder(matrix: np.ndarray) -> onnx.ModelProto:
    n_symbols, classes = matrix.shape
    nodes = [
        helper.make_node("Cast", ["symbols"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Relu", ["float"], ["received"]),  # -1, not received, counts as 0
        helper.make_node("MatMul", ["received", "weights"], ["product"]),
        helper.make_node("Unsqueeze", ["ber", "axis"], ["column"]),
        helper.make_node("Sub", ["product", "column"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "decoder",
        [
            helper.make_tensor_value_info("symbols", TensorProto.INT64, ["N", n_symbols]),
            helper.make_tensor_value_info("ber", TensorProto.FLOAT, ["N"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(matrix, "weights"), numpy_helper.from_array(np.array([1]), "axis")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def make_frame(
    model: Model, sequence: int, symbols: np.ndarray | None = None, device: int = 7, chunk: int = 0
) -> bytes:
    """Return a feature frame as a board sends it, by default with the symbols of `symbols_of`."""
    if symbols is None:
        symbols = symbols_of(model, sequence, device, chunk)
    return model.frame(symbols, device, sequence % 32, chunk)


def symbols_of(model: Model, sequence: int, device: int = 7, chunk: int = 0) -> np.ndarray:
    """Return random symbols (count,) that depend on sequence, device and chunk."""
    rng = np.random.default_rng([sequence, device, chunk])
    return rng.integers(0, 1 << model.bits_per_symbol, model.chunk_symbols(chunk)[1])


def features(events: Iterable[Event]) -> list[FeatureFrame]:
    """Return the feature frames among events."""
    return [event for event in events if isinstance(event, FeatureFrame)]


def receive(receiver: StreamReceiver, stream: bytes) -> list[Event]:
    """Return all events in a stream that ends here."""
    return receiver.feed(stream) + receiver.flush()
