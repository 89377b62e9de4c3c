"""The bundle reader: what it gives, and one clear line for whatever is wrong with a bundle."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wire import bundle

ORDER = [5, 0, 7, 2, 3]
TABLE = [v // 64 for v in range(256)]
ENCODER = b"not a real encoder, but its bytes count"


def model_id(encoder: bytes = ENCODER) -> str:
    """The model_id from its definition, without the code under test."""
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
    """A bundle that is right in all that the reader looks at."""
    path = tmp_path / "tiny"
    path.mkdir()
    (path / "bundle.json").write_text(json.dumps(manifest()), encoding="utf-8")
    (path / "encoder.tflite").write_bytes(ENCODER)
    (path / "decoder.onnx").write_bytes(b"onnx")
    np.savez(path / "golden.npz", images=np.zeros((1, 4, 6, 3), np.uint8))
    return path


def one_line(folder: Path, message: str) -> None:
    with pytest.raises(bundle.BundleError) as fault:
        bundle.load(folder)
    text = str(fault.value)
    assert message in text and "\n" not in text and text.startswith(f"bundle {folder}: ")
    assert len(text) < len(str(folder)) + 160


def test_a_bundle_gives_what_its_manifest_says(folder: Path) -> None:
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


def test_chunks_have_bits_and_bytes(folder: Path) -> None:
    loaded = bundle.load(folder)
    assert [loaded.chunk_symbols(i) for i in range(3)] == loaded.chunks
    assert [loaded.chunk_bits(i) for i in range(3)] == [10, 4, 6]
    assert [loaded.chunk_bytes(i) for i in range(3)] == [2, 1, 1]
    for chunk in (-1, 3, 15):
        with pytest.raises(IndexError, match=f"chunks 0..2, not {chunk}"):
            loaded.chunk_symbols(chunk)


def test_symbols_are_levels_in_the_order_of_sending(folder: Path) -> None:
    loaded = bundle.load(folder)
    one = np.array([-128, 0, 63, 64, 0, 127, 0, -65], dtype=np.int8).reshape(2, 2, 2)
    assert loaded.symbols(one).tolist() == [3, 0, 0, 2, 3]
    batch = loaded.symbols(np.stack([one, one[::-1]]))
    assert batch.shape == (2, 5) and batch.dtype == np.int64
    assert np.array_equal(batch[1], loaded.symbols(one[::-1]))


def test_model_id_is_that_of_the_definition() -> None:
    assert bundle.compute_model_id(ENCODER, np.array(TABLE), 2, np.array(ORDER)) == model_id()


FAULTS = [
    ({"schema": 2}, "schema is 2, and this program reads schema 1"),
    ({"schema": None}, "schema is None"),
    ({"name": ""}, "name is not a text"),
    ({"classes": []}, "classes is not a list of texts"),
    ({"classes": ["ant", 3]}, "classes is not a list of texts"),
    ({"input_shape": [4, 6]}, "input_shape has 2 numbers, not 3"),
    ({"input_shape": [4, 0, 3]}, "input_shape has 0, which is not within 1..65535"),
    ({"input_shape": [4, 6, 256]}, "256 channels"),
    ({"input_shape": [4, 6.5, 3]}, "input_shape is not whole numbers"),
    ({"input_shape": [True, 6, 3]}, "input_shape is not whole numbers"),
    ({"input_shape": None}, "input_shape is not whole numbers"),
    ({"latent_shape": [300, 300, 3]}, "latent_shape has 270000 values"),
    ({"latent_shape": [65535, 65535, 65535]}, "latent_shape has 281462092005375 values"),
    ({"bits_per_symbol": 9}, "bits_per_symbol has 9, which is not within 1..8"),
    ({"bits_per_symbol": "2"}, "bits_per_symbol is not whole numbers"),
    ({"symbol_table": TABLE[:255]}, "symbol_table has 255 numbers, not 256"),
    ({"symbol_table": [*TABLE[:255], 4]}, "symbol_table has 4, which is not within 0..3"),
    ({"symbol_order": []}, "symbol_order has 0 positions"),
    ({"symbol_order": [5, 0, 5]}, "symbol_order repeats a position"),
    ({"symbol_order": [5, 8]}, "symbol_order has 8, which is not within 0..7"),
    ({"chunks": []}, "there are 0 chunks, not 1..16"),
    ({"chunks": [[0, 5]] * 17}, "there are 17 chunks, not 1..16"),
    ({"chunks": [0, 5]}, "chunks is not a list of pairs"),
    ({"chunks": {"0": 5}}, "chunks is not a list of pairs"),
    ({"chunks": [[0, 4]]}, "chunk 0 is not the whole payload of 5 symbols"),
    ({"chunks": [[0, 5], [3, 3]]}, "chunk 1 (3, 3) does not lie within the 5 symbols"),
    ({"chunks": [[0, 5], [3, 0]]}, "chunk 1 (3, 0) does not lie within"),
    ({"chunks": [[0, 5], [-1, 2]]}, "chunk 1 (-1, 2) does not lie within"),
    ({"chunks": [[0, 5], [3, "a\nb"]]}, "chunk 1 (3, 'a\\nb') does not lie within"),
    ({"payload_bytes": 10**60}, "payload_bytes is 1000000000000000000000000000000000000..., but"),
    ({"payload_bytes": 3}, "payload_bytes is 3, but 5 symbols of 2 bits take 2"),
    ({"model_id": "no\nnumber"}, "model_id is 'no\\nnumber', but its files make "),
    ({"model_id": "00000000"}, "model_id is '00000000', but its files make "),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[message[:40] for _, message in FAULTS])
def test_a_wrong_manifest_is_one_clear_line(folder: Path, change: dict, message: str) -> None:
    (folder / "bundle.json").write_text(json.dumps(manifest() | change), encoding="utf-8")
    one_line(folder, message)


@pytest.mark.parametrize("key", sorted(manifest()))
def test_a_missing_key_is_a_clear_line(folder: Path, key: str) -> None:
    fields = manifest()
    del fields[key]
    (folder / "bundle.json").write_text(json.dumps(fields), encoding="utf-8")
    one_line(folder, key)


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (write("bundle.json", b"{"), "bundle.json is not JSON"),
        (write("bundle.json", b"\xff\xfe"), "bundle.json is not JSON"),
        (write("bundle.json", b"[]"), "bundle.json is not a JSON object"),
        (write("bundle.json", b"[" * 100000), "bundle.json is not JSON"),
        (write("encoder.tflite", b"another"), f"model_id is '{model_id()}', but its files make {model_id(b'another')}"),
        (lambda folder: (folder / "bundle.json").unlink(), "bundle.json cannot be read (No such file or directory)"),
        (lambda folder: (folder / "encoder.tflite").unlink(), "encoder.tflite is missing"),
        (lambda folder: (folder / "decoder.onnx").unlink(), "decoder.onnx is missing"),
        (lambda folder: (folder / "golden.npz").unlink(), "golden.npz is missing"),
    ],
)
def test_a_damaged_folder_is_one_clear_line(folder: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(folder)
    one_line(folder, message)


def test_no_folder_is_a_clear_line(tmp_path: Path) -> None:
    one_line(tmp_path / "nowhere", "no such folder")
