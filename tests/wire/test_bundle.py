"""The bundle reader, its one-line errors, and the model that a bundle holds."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wire import bundle
from wire.errors import InklingError
from wire.frame import SYNC, FrameType, Header, feature_frame
from wire.model import ChunkError
from wire.payload import pack

ORDER = [5, 0, 7, 2, 3]
TABLE = [v // 64 for v in range(256)]
ENCODER, OTHER = b"not a real encoder, only bytes to hash", b"another"


def model_id(encoder: bytes = ENCODER) -> str:
    """Return the model_id by its definition, without the code under test."""
    parts = encoder + bytes(TABLE) + bytes([2]) + b"".join(n.to_bytes(2, "little") for n in ORDER)
    return hashlib.sha256(parts).hexdigest()[:8]


def manifest() -> dict:
    return {
        "schema": 1,
        "name": "tiny",
        "classes": ["ant", "bee"],
        "input_shape": [4, 6, 3],
        "latent_shape": [2, 2, 2],
        "bits_per_symbol": 2,
        "symbol_table": TABLE,
        "symbol_order": ORDER,
        "chunks": [[0, 5], [0, 2], [2, 3]],
        "payload_bytes": 2,
        "model_id": model_id(),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle that is correct in everything that the reader checks."""
    path = tmp_path / "tiny"
    path.mkdir()
    (path / "bundle.json").write_text(json.dumps(manifest()), encoding="utf-8")
    (path / "encoder.tflite").write_bytes(ENCODER)
    (path / "decoder.onnx").write_bytes(b"onnx")
    np.savez(path / "golden.npz", images=np.zeros((1, 4, 6, 3), np.uint8))
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
    assert (loaded.input_shape, loaded.latent_shape) == ((4, 6, 3), (2, 2, 2))
    assert loaded.symbol_table.dtype == np.uint8 and loaded.symbol_table.tolist() == TABLE
    assert loaded.symbol_order.dtype == np.uint16 and loaded.symbol_order.tolist() == ORDER
    assert loaded.chunks == [(0, 5), (0, 2), (2, 3)]
    assert loaded.model_id == model_id() and loaded.number == int(model_id(), 16)
    assert loaded.manifest["name"] == "tiny"
    for path in (loaded.encoder_path, loaded.decoder_path, loaded.golden_path):
        assert path.is_file() and path.parent == folder


def test_chunk_sizes(folder: Path) -> None:
    loaded = bundle.load(folder)
    assert [loaded.chunk_symbols(i) for i in range(3)] == loaded.chunks
    assert [loaded.chunk_bits(i) for i in range(3)] == [10, 4, 6]
    assert [loaded.chunk_bytes(i) for i in range(3)] == [2, 1, 1]
    assert [loaded.chunk_slice(i) for i in range(3)] == [slice(0, 5), slice(0, 2), slice(2, 5)]
    assert [loaded.chunk_layout(i).n_bits for i in range(3)] == [10, 4, 6]


@pytest.mark.parametrize("chunk", [-1, 3, 15])
def test_chunk_error_names_bundle_and_chunks(folder: Path, chunk: int) -> None:
    loaded = bundle.load(folder)
    for call in (loaded.chunk_symbols, loaded.chunk_slice, loaded.chunk_bits, loaded.chunk_bytes, loaded.chunk_layout):
        with pytest.raises(ChunkError) as fault:
            call(chunk)
        assert str(fault.value) == f"bundle tiny has chunks 0..2, not {chunk}"
    assert isinstance(fault.value, InklingError) and isinstance(fault.value, IndexError)


def test_frame_has_header_and_payload_of_its_chunk(folder: Path) -> None:
    loaded = bundle.load(folder)
    sent = loaded.frame(np.array([3, 0, 2]), device=7, sequence=9, chunk=2)
    header = Header(FrameType.FEATURE, 7, 9, loaded.model_bits, 2)
    assert sent == feature_frame(header, pack(np.array([3, 0, 2]), 2), 6, loaded.number)
    assert loaded.frame(np.array([3, 0, 2]), 7, 9, 2, sync=False) == sent[len(SYNC) :]
    with pytest.raises(ChunkError):
        loaded.frame(np.array([3, 0, 2]), device=7, sequence=9, chunk=3)


def test_symbols_are_in_sending_order(folder: Path) -> None:
    loaded = bundle.load(folder)
    one = np.array([-128, 0, 63, 64, 0, 127, 0, -65], dtype=np.int8).reshape(2, 2, 2)
    assert loaded.symbols(one).tolist() == [3, 0, 0, 2, 3]
    batch = loaded.symbols(np.stack([one, one[::-1]]))
    assert batch.shape == (2, 5) and batch.dtype == np.int64
    assert np.array_equal(batch[1], loaded.symbols(one[::-1]))


def test_compute_model_id_follows_definition() -> None:
    assert bundle.compute_model_id(ENCODER, np.array(TABLE), 2, np.array(ORDER)) == model_id()


FAULTS = [
    ({"schema": 2}, "schema is 2; this program reads schema 1"),
    ({"schema": None}, "schema is None"),
    ({"name": ""}, "name is not a non-empty string"),
    ({"classes": []}, "classes is not a non-empty list of strings"),
    ({"classes": ["ant", 3]}, "classes is not a non-empty list of strings"),
    ({"input_shape": [4, 6]}, "input_shape has 2 numbers, not 3"),
    ({"input_shape": [4, 0, 3]}, "input_shape contains 0, which is not within 1..65535"),
    ({"input_shape": [4, 6, 256]}, "256 channels"),
    ({"input_shape": [4, 6.5, 3]}, "input_shape is not a list of integers"),
    ({"input_shape": [True, 6, 3]}, "input_shape is not a list of integers"),
    ({"input_shape": None}, "input_shape is not a list of integers"),
    ({"latent_shape": [300, 300, 3]}, "latent_shape has 270000 values"),
    ({"latent_shape": [65535, 65535, 65535]}, "latent_shape has 281462092005375 values"),
    ({"bits_per_symbol": 9}, "bits_per_symbol is 9, not 1..8"),
    ({"bits_per_symbol": "2"}, "bits_per_symbol is '2', not 1..8"),
    ({"symbol_table": TABLE[:255]}, "symbol_table has 255 numbers, not 256"),
    ({"symbol_table": [*TABLE[:255], 4]}, "symbol_table contains 4, which is not within 0..3"),
    ({"symbol_order": []}, "symbol_order has 0 positions"),
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
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[message[:40] for _, message in FAULTS])
def test_load_reports_wrong_manifest(folder: Path, change: dict, message: str) -> None:
    (folder / "bundle.json").write_text(json.dumps(manifest() | change), encoding="utf-8")
    fails_with(folder, message)


@pytest.mark.parametrize("key", sorted(manifest()))
def test_load_reports_missing_key(folder: Path, key: str) -> None:
    fields = manifest()
    del fields[key]
    (folder / "bundle.json").write_text(json.dumps(fields), encoding="utf-8")
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
        (write("encoder.tflite", OTHER), f"model_id is '{model_id()}', but its contents give {model_id(OTHER)}"),
        (lambda folder: (folder / "bundle.json").unlink(), "bundle.json cannot be read (No such file or directory)"),
        (lambda folder: (folder / "encoder.tflite").unlink(), "encoder.tflite is missing"),
        (lambda folder: (folder / "decoder.onnx").unlink(), "decoder.onnx is missing"),
        (lambda folder: (folder / "golden.npz").unlink(), "golden.npz is missing"),
    ],
)
def test_load_reports_damaged_folder(folder: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(folder)
    fails_with(folder, message)


def test_load_reports_missing_folder(tmp_path: Path) -> None:
    fails_with(tmp_path / "nowhere", "no such folder")
