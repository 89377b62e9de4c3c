"""A classifier in an int8 .tflite file as a bundle whose board answers alone, so that it is built and measured as one.

The network is changed where it costs nothing but lets the ahead-of-time engine take it: no batch of unknown size, the
shape of a RESHAPE as an option, and no softmax at the end, which changes no decision.
"""

import json
import struct
from importlib.util import find_spec
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export import inspect_tflite
from host.errors import HostError
from host.reference import ReferenceEncoder
from wire.answer import CONFIDENCES, FULL_WEIGHT, AnswerHead
from wire.bundle import FILES, SCHEMA, compute_model_id, describe_file

FILE_IDENTIFIER = b"TFL3"
GOLDEN_IMAGES = 8
# The confidence of an untrained head means nothing; its levels are not used.
PROBABILITY = [0.0] * CONFIDENCES


def bundle_of(file: Path, folder: Path, classes: list[str] | None = None) -> Path:
    """Write the bundle of a classifier to a folder and return it. `classes` are numbered by default.

    Raises HostError if the file holds no network that takes int8 images and gives one row of int8 scores.
    """
    folder.mkdir(parents=True, exist_ok=True)
    encoder = folder / "encoder.tflite"
    encoder.write_bytes(simplified(file))
    reference, shape = ReferenceEncoder(encoder), _input_shape(encoder)
    count = sum(int(np.prod(each)) for each in reference.shapes)
    names = classes or [f"class {index}" for index in range(count)]
    if len(shape) != 3 or len(names) != count:
        raise HostError(f"{file} maps images of {shape} to {count} scores, for {len(names)} classes")
    scale, _ = reference.output_quantization
    weights = np.round(FULL_WEIGHT * np.exp(-np.arange(256) * scale)).astype(np.uint16)
    images = np.random.default_rng(0).integers(0, 256, (GOLDEN_IMAGES, *shape), np.uint8)
    scores = reference.outputs(images)
    answers = np.stack(AnswerHead(weights, np.array(PROBABILITY)).answers(scores), 1).astype(np.uint16)
    symbols = np.zeros((GOLDEN_IMAGES, 0), np.int64)
    np.savez_compressed(folder / "golden.npz", images=images, scores=scores, answers=answers, symbols=symbols)
    (folder / "decoder.onnx").write_bytes(b"")  # nothing is decoded
    table, order = np.zeros(256, np.uint8), np.zeros(0, np.uint16)
    manifest = {
        "schema": SCHEMA,
        "name": file.stem,
        "classes": names,
        "input_shape": list(shape),
        "heads": [],
        "bits_per_symbol": 1,
        "symbol_table": table.tolist(),
        "symbol_order": [],
        "chunks": [],
        "payload_bytes": 0,
        "answer": {"weights": weights.tolist(), "probability": PROBABILITY},
        "threshold": 0,
        # For the engine tflm; the arena is known only where TFLM's own interpreter is installed.
        "ops": [op.name for op in inspect_tflite.operators(encoder)],
        "arena_bytes": inspect_tflite.arena_bytes(encoder) if find_spec("tflite_micro") else None,
        "files": {name: describe_file(folder / name) for name in FILES},
        "model_id": compute_model_id(encoder.read_bytes(), table, 1, order, weights),
    }
    (folder / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _input_shape(file: Path) -> tuple[int, ...]:
    """Return the shape (H, W, C) of a network's input."""
    graph = schema.ModelT.InitFromPackedBuf(file.read_bytes(), 0).subgraphs[0]
    return tuple(int(size) for size in graph.tensors[graph.inputs[0]].shape[1:])


def simplified(file: Path) -> bytes:
    """Return the network of a .tflite file as the ahead-of-time engine takes it. Raises HostError if it is none."""
    try:
        model = schema.ModelT.InitFromPackedBuf(file.read_bytes(), 0)
        (graph,) = model.subgraphs
        codes = [model.operatorCodes[op.opcodeIndex].builtinCode for op in graph.operators]
    except (OSError, struct.error, ValueError, TypeError, IndexError) as error:
        raise HostError(f"{file} is not a .tflite file with one graph: {error}") from None
    for tensor in graph.tensors:
        tensor.shapeSignature = None
    for code, op in zip(codes, graph.operators, strict=True):
        if code == schema.BuiltinOperator.RESHAPE and op.builtinOptions is None:
            options = schema.ReshapeOptionsT()
            options.newShape = [int(size) for size in graph.tensors[op.outputs[0]].shape]
            op.builtinOptions, op.builtinOptionsType = options, schema.BuiltinOptions.ReshapeOptions
    if codes[-1] == schema.BuiltinOperator.SOFTMAX:
        last = graph.operators.pop()
        graph.outputs = [int(last.inputs[0])]
    used = sorted({op.opcodeIndex for op in graph.operators})
    model.operatorCodes = [model.operatorCodes[index] for index in used]
    for op in graph.operators:
        op.opcodeIndex = used.index(op.opcodeIndex)
    model.signatureDefs = None  # they name the old outputs
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())
