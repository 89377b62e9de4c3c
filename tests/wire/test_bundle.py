"""The bundle reader and its one-line errors."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wire import bundle

ORDER = [5, 0, 7, 2, 3]
TABLE = [v // 64 for v in range(256)]
WEIGHTS = [32768 >> d // 16 for d in range(256)]
PROBABILITY = [level / 15 for level in range(16)]
ENCODER, OTHER = b"not a real encoder, only bytes to hash", b"Not a real encoder, only bytes to hash"
FILES = {"encoder.tflite": ENCODER, "decoder.onnx": b"onnx", "golden.npz": b"npz"}
# Changes of the manifest for a model with an answer head, and for one that has nothing else.
ANSWERS: dict = {"answer": {"weights": WEIGHTS, "probability": PROBABILITY}, "threshold": 9, "payload_bytes": 4}
ONLY_ANSWERS = ANSWERS | {"heads": [], "symbol_order": [], "chunks": [], "payload_bytes": 0}
# And for a general bundle.
GENERAL: dict = {"task": "embedding", "classes": [], "embedding": {"size": 1280, "network": "efficientnet-lite0"}}


def model_id(encoder: bytes = ENCODER, order: list[int] = ORDER, weights: list[int] | None = None) -> str:
    """Return the model_id by its definition, without the code under test."""
    numbers = b"".join(n.to_bytes(2, "little") for n in [*order, *(weights or [])])
    return hashlib.sha256(encoder + bytes(TABLE) + bytes([2]) + numbers).hexdigest()[:8]


def manifest(**changes: object) -> dict:
    """Return a correct manifest with some keys changed; its model_id fits unless it is changed, too."""
    fields: dict = {
        "schema": 2,
        "name": "tiny",
        "classes": ["ant", "bee"],
        "input_shape": [4, 6, 3],
        "heads": [[1, 2, 2], [2, 2, 1]],
        "bits_per_symbol": 2,
        "symbol_table": TABLE,
        "symbol_order": ORDER,
        "chunks": [[0, 5], [0, 2], [2, 3]],
        "payload_bytes": 2,
        "answer": None,
        "files": {
            name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in FILES.items()
        },
    } | changes
    weights = fields["answer"]["weights"] if fields["answer"] else None
    return {"model_id": model_id(ENCODER, fields["symbol_order"], weights)} | fields


def write_manifest(folder: Path, fields: dict) -> None:
    (folder / "bundle.json").write_text(json.dumps(fields), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle without an answer head that is correct in everything that the reader checks."""
    path = tmp_path / "tiny"
    path.mkdir()
    write_manifest(path, manifest())
    for name, content in FILES.items():
        (path / name).write_bytes(content)
    return path


def fails_with(folder: Path, message: str) -> None:
    """Assert that loading fails with one line that contains `message`."""
    with pytest.raises(bundle.BundleError) as fault:
        bundle.load(folder)
    text = str(fault.value)
    assert message in text and "\n" not in text and text.startswith(f"bundle {folder}: ")
    assert len(text) < len(str(folder)) + 160


def test_load_returns_manifest_values(folder: Path) -> None:
    loaded = bundle.load(str(folder))
    assert (loaded.name, loaded.classes, loaded.bits_per_symbol) == ("tiny", ["ant", "bee"], 2)
    assert (loaded.input_shape, loaded.heads, loaded.latent_size) == ((4, 6, 3), ((1, 2, 2), (2, 2, 1)), 8)
    assert loaded.symbol_table.dtype == np.uint8 and loaded.symbol_table.tolist() == TABLE
    assert loaded.symbol_order.dtype == np.uint16 and loaded.symbol_order.tolist() == ORDER
    assert loaded.chunks == [(0, 5), (0, 2), (2, 3)]
    assert loaded.model_id == model_id() and loaded.number == int(model_id(), 16)
    assert loaded.manifest["name"] == "tiny"
    assert loaded.embedding is None and not loaded.has_preview
    assert (loaded.answer, loaded.class_count, loaded.threshold, loaded.answer_bits) == (None, 0, 0, 0)
    for path in (loaded.encoder_path, loaded.decoder_path, loaded.golden_path):
        assert path.is_file() and path.parent == folder


def test_load_returns_answer_head(folder: Path) -> None:
    write_manifest(folder, manifest(**ANSWERS))
    loaded = bundle.load(folder)
    assert loaded.answer is not None
    assert loaded.answer.weights.dtype == np.uint16 and loaded.answer.weights.tolist() == WEIGHTS
    assert loaded.answer.probability.tolist() == PROBABILITY
    assert (loaded.class_count, loaded.threshold, loaded.answer_bits) == (2, 9, 16)
    assert loaded.model_id == model_id(weights=WEIGHTS) != model_id()


def test_load_returns_model_that_only_answers(folder: Path) -> None:
    write_manifest(folder, manifest(**ONLY_ANSWERS))
    loaded = bundle.load(folder)
    assert (loaded.heads, loaded.latent_size, loaded.n_symbols, loaded.chunks) == ((), 0, 0, [])


def test_load_returns_general_bundle(folder: Path) -> None:
    write_manifest(folder, manifest(**GENERAL))
    loaded = bundle.load(folder)
    assert loaded.embedding == bundle.Embedding(1280, "efficientnet-lite0")
    assert (loaded.classes, loaded.class_count, loaded.answer) == ([], 0, None)
    assert loaded.model_id == model_id(), "the board runs the same as with classes"


def test_describe_file(folder: Path) -> None:
    assert {name: bundle.describe_file(folder / name) for name in bundle.FILES} == manifest()["files"]


def test_compute_model_id_follows_definition() -> None:
    table, order = np.array(TABLE), np.array(ORDER)
    assert bundle.compute_model_id(ENCODER, table, 2, order) == model_id()
    assert bundle.compute_model_id(ENCODER, table, 2, order, np.array(WEIGHTS)) == model_id(weights=WEIGHTS)


FAULTS = [
    ({"schema": 1}, "schema is 1; this program reads schema 2"),
    ({"schema": None}, "schema is None"),
    ({"name": ""}, "name is not a non-empty string"),
    ({"name": "tiny\n"}, "name contains 'tiny\\n', which is not printable"),
    ({"name": "\ud800"}, "name contains '\\ud800', which is not printable"),
    ({"classes": ["ant", "\x1b[2J"]}, "classes contains '\\x1b[2J', which is not printable"),
    ({"classes": []}, "classes is not a non-empty list of strings"),
    ({"classes": ["ant", 3]}, "classes is not a non-empty list of strings"),
    ({"input_shape": [4, 6]}, "input_shape has 2 numbers, not 3"),
    ({"input_shape": [4, 0, 3]}, "input_shape contains 0, which is not within 1..65535"),
    ({"input_shape": [4, 6, 256]}, "256 channels"),
    ({"input_shape": [4, 6.5, 3]}, "input_shape is not a list of integers"),
    ({"input_shape": [True, 6, 3]}, "input_shape is not a list of integers"),
    ({"input_shape": None}, "input_shape is not a list of integers"),
    ({"heads": None}, "heads is not a list of shapes [h, w, c]"),
    ({"heads": [2, 2, 2]}, "heads is not a list of shapes [h, w, c]"),
    ({"heads": [[2, 2, 2], [2, 2]]}, "heads is not a list of shapes [h, w, c]"),
    ({"heads": []}, "heads is empty and answer is null"),
    ({"heads": [[2, 2, 2], [2, 0, 2]]}, "heads contains [2, 0, 2], whose sizes are not all within 1..65535"),
    ({"heads": [[2, 2, 65536]]}, "heads contains [2, 2, 65536], whose sizes"),
    ({"heads": [[2, 2, True]]}, "heads contains [2, 2, True], whose sizes"),
    ({"heads": [[300, 300, 3], [1, 1, 1]]}, "heads have 270001 values in total, more than 65536"),
    ({"heads": [[65535, 65535, 65535]]}, "heads have 281462092005375 values in total"),
    ({"bits_per_symbol": 9}, "bits_per_symbol is 9, not 1..8"),
    ({"bits_per_symbol": "2"}, "bits_per_symbol is '2', not 1..8"),
    ({"symbol_table": TABLE[:255]}, "symbol_table has 255 numbers, not 256"),
    ({"symbol_table": [*TABLE[:255], 4]}, "symbol_table contains 4, which is not within 0..3"),
    ({"symbol_order": []}, "symbol_order has 0 positions, not 1..65535"),
    ({"heads": [[256, 256, 1]], "symbol_order": [*range(65536)]}, "symbol_order has 65536 positions, not 1..65535"),
    ({"symbol_order": [5, 0, 5]}, "symbol_order repeats a position"),
    ({"symbol_order": [5, 8]}, "symbol_order contains 8, which is not within 0..7"),
    ({"chunks": []}, "there are 0 chunks, not 1..16"),
    ({"chunks": [[0, 5]] * 17}, "there are 17 chunks, not 1..16"),
    ({"chunks": [0, 5]}, "chunks is not a list of pairs"),
    ({"chunks": {"0": 5}}, "chunks is not a list of pairs"),
    ({"chunks": [[0, 4]]}, "chunk 0 is not the whole payload of 5 symbols"),
    ({"chunks": [[0, 5], [3, 3]]}, "chunk 1 (3, 3) is not within the 5 symbols"),
    ({"chunks": [[0, 5], [3, 0]]}, "chunk 1 (3, 0) is not within"),
    ({"chunks": [[0, 5], [-1, 2]]}, "chunk 1 (-1, 2) is not within"),
    ({"chunks": [[0, 5], [3, "a\nb"]]}, "chunk 1 (3, 'a\\nb') is not within"),
    ({"payload_bytes": 10**60}, "payload_bytes is 1000000000000000000000000000000000000..., not 2"),
    ({"payload_bytes": 3}, "payload_bytes is 3, not 2 (5 symbols of 2 bits)"),
    ({"model_id": "no\nnumber"}, "model_id is 'no\\nnumber', but its contents give "),
    ({"model_id": "00000000"}, "model_id is '00000000', but its contents give "),
    ({"threshold": 3}, "threshold is given, but answer is null"),
    ({"answer": 1}, "answer is neither null nor an object with weights and probability"),
    (ANSWERS | {"payload_bytes": 2}, "payload_bytes is 2, not 4 (answer of 16 bits, 5 symbols of 2 bits)"),
    (ANSWERS | {"classes": ["ant"] * 4097}, "classes has 4097 names, more than 4096"),
    (ANSWERS | {"threshold": 16}, "threshold is 16, not 0..15"),
    (ANSWERS | {"threshold": -1}, "threshold is -1, not 0..15"),
    (ANSWERS | {"threshold": 3.0}, "threshold is 3.0, not 0..15"),
    (ANSWERS | {"threshold": None}, "threshold is None, not 0..15"),
    (ONLY_ANSWERS | {"symbol_order": [0]}, "symbol_order has 1 positions, not 0..0"),
    (ONLY_ANSWERS | {"chunks": [[0, 0]]}, "there are 1 chunks of no symbols"),
    (ONLY_ANSWERS | {"payload_bytes": 2}, "payload_bytes is 2, not 0 (0 symbols of 2 bits)"),
]
GENERAL_FAULTS: list[tuple[dict, str]] = [
    ({"task": "classification"}, "embedding is given, but task is not 'embedding'"),
    ({"task": ["embedding"]}, "embedding is given, but task is not 'embedding'"),
    ({"embedding": None}, "task is 'embedding', but embedding is not an object with size and network"),
    ({"embedding": {"network": "n"}}, "embedding.size is None, not 1..65536"),
    ({"embedding": {"size": 0, "network": "n"}}, "embedding.size is 0, not 1..65536"),
    ({"embedding": {"size": 8}}, "embedding.network is not a non-empty string"),
    ({"embedding": {"size": 8, "network": "\x1b[2J"}}, "embedding.network contains '\\x1b[2J', which is not printable"),
    ({"classes": ["ant"]}, "classes is ['ant'], not the empty list of a general bundle"),
    ({"classes": None}, "classes is None, not the empty list of a general bundle"),
    (ANSWERS, "answer is not null, but a general bundle has no classes to answer with"),
]
ANSWER_FAULTS: list[tuple[dict, str]] = [
    ({"weights": WEIGHTS[:255]}, "answer.weights has 255 numbers, not 256"),
    ({"weights": [*WEIGHTS[:255], -1]}, "answer.weights contains -1, which is not within 0..32768"),
    ({"weights": [32769, *WEIGHTS[1:]]}, "answer.weights contains 32769"),
    ({"weights": [32767, *WEIGHTS[1:]]}, "answer.weights begins with 32767, not 32768"),
    ({"weights": [*WEIGHTS[:100], 32768, *WEIGHTS[101:]]}, "answer.weights rises at index 100"),
    ({"weights": [0.5, *WEIGHTS[1:]]}, "answer.weights is not a list of integers"),
    ({"probability": None}, "answer.probability is not a list of numbers"),
    ({"probability": ["1"] * 16}, "answer.probability is not a list of numbers"),
    ({"probability": PROBABILITY[:15]}, "answer.probability has 15 numbers, not 16"),
    ({"probability": [1.5, *PROBABILITY[1:]]}, "answer.probability contains 1.5, which is not within 0..1"),
    ({"probability": [float("nan"), *PROBABILITY[1:]]}, "answer.probability contains nan, which is not within 0..1"),
]
PREVIEW_FAULTS: list[tuple[dict, str]] = [
    (GENERAL | {"preview": "small"}, "preview is 'small', not an object"),
    ({"preview": {}}, "preview is given, but task is not 'embedding'"),
    (GENERAL | {"preview": {}, "files": manifest()["files"]}, "files has no size and SHA-256 of preview.onnx"),
    (GENERAL, "files lists 'preview.onnx', which is not a file of a bundle"),
]
NO_FILE: dict = {"size": 0, "sha256": ""}
FILE_FAULTS: list[tuple[dict | None, str]] = [
    (None, "files is not an object"),
    ({}, "files has no size and SHA-256 of encoder.tflite"),
    (manifest()["files"] | {"golden.npz": 3}, "files has no size and SHA-256 of golden.npz"),
    (manifest()["files"] | {"golden.npz": {"size": "3"}}, "files has no size and SHA-256 of golden.npz"),
    (manifest()["files"] | {"../notes\n": NO_FILE}, "files lists '../notes\\n', which is not a file of a bundle"),
    (manifest()["files"] | {"decoder.onnx": NO_FILE}, "decoder.onnx has 4 bytes, not 0 as in files"),
    (
        manifest()["files"] | {"decoder.onnx": {"size": 4, "sha256": "0" * 64}},
        f"decoder.onnx has SHA-256 {hashlib.sha256(b'onnx').hexdigest()[:16]}..., not '000",
    ),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[message[:40] for _, message in FAULTS])
def test_load_reports_wrong_manifest(folder: Path, change: dict, message: str) -> None:
    write_manifest(folder, manifest() | change)
    fails_with(folder, message)


@pytest.mark.parametrize(("change", "message"), GENERAL_FAULTS, ids=[message[:40] for _, message in GENERAL_FAULTS])
def test_load_reports_wrong_general_bundle(folder: Path, change: dict, message: str) -> None:
    write_manifest(folder, manifest() | GENERAL | change)
    fails_with(folder, message)


def with_preview(folder: Path) -> dict:
    (folder / "preview.onnx").write_bytes(b"preview")
    return {name: bundle.describe_file(folder / name) for name in (*bundle.FILES, "preview.onnx")}


def test_load_returns_the_same_model_with_a_preview(folder: Path) -> None:
    write_manifest(folder, manifest(**GENERAL, preview={}, files=with_preview(folder)))
    loaded = bundle.load(folder)
    assert (loaded.has_preview, loaded.preview_path) == (True, folder / "preview.onnx")
    assert loaded.model_id == model_id()
    (folder / "preview.onnx").write_bytes(b"damaged")
    fails_with(folder, "preview.onnx has SHA-256 ")


@pytest.mark.parametrize(("change", "message"), PREVIEW_FAULTS, ids=[message for _, message in PREVIEW_FAULTS])
def test_load_reports_wrong_preview(folder: Path, change: dict, message: str) -> None:
    write_manifest(folder, manifest(files=with_preview(folder)) | change)
    fails_with(folder, message)


@pytest.mark.parametrize(("change", "message"), ANSWER_FAULTS, ids=[message for _, message in ANSWER_FAULTS])
def test_load_reports_wrong_answer_head(folder: Path, change: dict, message: str) -> None:
    write_manifest(folder, manifest(**ANSWERS) | {"answer": ANSWERS["answer"] | change})
    fails_with(folder, message)


@pytest.mark.parametrize(("files", "message"), FILE_FAULTS, ids=[message[:40] for _, message in FILE_FAULTS])
def test_load_reports_wrong_files(folder: Path, files: dict | None, message: str) -> None:
    write_manifest(folder, manifest(files=files))
    fails_with(folder, message)


@pytest.mark.parametrize("key", sorted(manifest(**ANSWERS)))
def test_load_reports_missing_key(folder: Path, key: str) -> None:
    fields = manifest(**ANSWERS)
    del fields[key]
    write_manifest(folder, fields)
    fails_with(folder, key)


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (write("bundle.json", b"{"), "bundle.json is not JSON"),
        (write("bundle.json", b"\xff\xfe"), "bundle.json is not JSON"),
        (write("bundle.json", b"[]"), "bundle.json is not a JSON object"),
        (write("bundle.json", b"[" * 100000), "bundle.json is not JSON"),
        (write("encoder.tflite", OTHER), "encoder.tflite has SHA-256 "),
        (write("decoder.onnx", b"onnx "), "decoder.onnx has 5 bytes, not 4 as in files"),
        (write("golden.npz", b"npy"), "golden.npz has SHA-256 "),
        (lambda folder: (folder / "bundle.json").unlink(), "bundle.json cannot be read (No such file or directory)"),
        (lambda folder: (folder / "encoder.tflite").unlink(), "encoder.tflite is missing"),
        (lambda folder: (folder / "decoder.onnx").unlink(), "decoder.onnx is missing"),
        (lambda folder: (folder / "golden.npz").unlink(), "golden.npz is missing"),
    ],
)
def test_load_reports_damaged_folder(folder: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(folder)
    fails_with(folder, message)


def test_load_reports_encoder_of_another_model(folder: Path) -> None:
    (folder / "encoder.tflite").write_bytes(OTHER)
    write_manifest(folder, manifest(files={name: bundle.describe_file(folder / name) for name in bundle.FILES}))
    fails_with(folder, f"model_id is '{model_id()}', but its contents give {model_id(OTHER)}")


def test_load_reports_missing_folder(tmp_path: Path) -> None:
    fails_with(tmp_path / "nowhere", "no such folder")


def test_load_reports_path_that_cannot_be_looked_up(tmp_path: Path) -> None:
    fails_with(tmp_path / ("long" * 100), "it cannot be read (File name too long)")
