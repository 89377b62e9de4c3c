"""For the host's tests: small bundles whose decoder can be checked by hand, and frames made from them."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from host.receive.events import Event, FeatureFrame
from host.receive.stream import StreamReceiver
from wire.bundle import Bundle, compute_model_id, load


def make_bundle(folder: Path, seed: int = 0, symbols: int = 128, bits: int = 3, classes: int = 10) -> Bundle:
    """A bundle whose logits are weights(seed) applied to the received levels, minus the bit error rate."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    encoder = rng.bytes(64)
    table, order = np.arange(256) >> (8 - bits), np.arange(symbols)
    manifest = {
        "schema": 1,
        "name": folder.name,
        "classes": [f"class{i}" for i in range(classes)],
        "input_shape": [8, 6, 3],
        "latent_shape": [1, 1, symbols],
        "bits_per_symbol": bits,
        "symbol_table": table.tolist(),
        "symbol_order": order.tolist(),
        "chunks": [[0, symbols], [0, symbols // 2], [symbols // 2, symbols - symbols // 2]],
        "payload_bytes": (symbols * bits + 7) // 8,
        "model_id": compute_model_id(encoder, table, bits, order),
    }
    (folder / "bundle.json").write_text(json.dumps(manifest))
    (folder / "encoder.tflite").write_bytes(encoder)
    (folder / "golden.npz").write_bytes(b"")
    onnx.save(_decoder(weights(seed, symbols, classes)), str(folder / "decoder.onnx"))
    return load(folder)


def weights(seed: int, symbols: int = 128, classes: int = 10) -> np.ndarray:
    """The test decoder's weights (S, classes)."""
    return np.random.default_rng(1000 + seed).normal(size=(symbols, classes)).astype(np.float32)


def _decoder(matrix: np.ndarray) -> onnx.ModelProto:
    symbols, classes = matrix.shape
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
            helper.make_tensor_value_info("symbols", TensorProto.INT64, ["N", symbols]),
            helper.make_tensor_value_info("ber", TensorProto.FLOAT, ["N"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(matrix, "weights"), numpy_helper.from_array(np.array([1]), "axis")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def make_frame(
    bundle: Bundle, sequence: int, levels: np.ndarray | None = None, device: int = 7, chunk: int = 0
) -> bytes:
    """A feature frame as a board sends it; without levels, random ones that depend on sequence and device."""
    if levels is None:
        levels = levels_of(bundle, sequence, device, chunk)
    return bundle.frame(levels, device, sequence % 32, chunk)


def levels_of(bundle: Bundle, sequence: int, device: int = 7, chunk: int = 0) -> np.ndarray:
    """The levels (count,) that make_frame invents."""
    rng = np.random.default_rng([sequence, device, chunk])
    return rng.integers(0, 1 << bundle.bits_per_symbol, bundle.chunk_symbols(chunk)[1])


def features(events: Iterable[Event]) -> list[FeatureFrame]:
    """Only the feature frames."""
    return [event for event in events if isinstance(event, FeatureFrame)]


def receive(receiver: StreamReceiver, stream: bytes) -> list[Event]:
    """All that a whole stream holds."""
    return receiver.feed(stream) + receiver.flush()
