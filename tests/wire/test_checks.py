"""Hostile files of bundles: without an end, with numbers of another type, nested without end."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.host import make_bundle
from wire.bundle import MAX_FILE_BYTES, BundleError, load
from wire.checks import MAX_JSON_BYTES, ContentError, is_number, read_file, shown

SPARSE_BYTES = 1 << 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "b").path


def sparse(file: Path) -> None:
    """Make a file of holes."""
    with open(file, "wb") as opened:
        opened.truncate(SPARSE_BYTES)


def fifo(file: Path) -> None:
    """Replace a file by a pipe, which nobody writes to."""
    file.unlink()
    os.mkfifo(file)


def device(file: Path) -> None:
    """Replace a file by a device without an end."""
    file.unlink()
    file.symlink_to("/dev/zero")


def change(folder: Path, **values: object) -> None:
    manifest = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(manifest | values))


def fails_with(folder: Path, message: str) -> None:
    with pytest.raises(BundleError) as error:
        load(folder)
    assert message in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (sparse, f"bundle.json has more than {MAX_JSON_BYTES} bytes"),
        (fifo, "bundle.json is not a regular file"),
        (device, "bundle.json is not a regular file"),
    ],
)
def test_load_reads_no_manifest_without_end(folder: Path, make: Callable[[Path], None], message: str) -> None:
    make(folder / "bundle.json")
    fails_with(folder, message)


@pytest.mark.parametrize("name", ["encoder.tflite", "decoder.onnx", "golden.npz"])
def test_load_reads_no_file_without_end(folder: Path, name: str) -> None:
    files = json.loads((folder / "bundle.json").read_text())["files"]
    change(folder, files=files | {name: {"size": SPARSE_BYTES, "sha256": "0" * 64}})
    sparse(folder / name)
    fails_with(folder, f"{name} has more than {MAX_FILE_BYTES} bytes")
    device(folder / name)
    fails_with(folder, f"{name} is missing")


def test_read_file_of_the_largest_size(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(10))
    assert read_file(tmp_path / "a", 10) == bytes(10)
    with pytest.raises(ContentError, match=r"^a has more than 9 bytes$"):
        read_file(tmp_path / "a", 9)
    with pytest.raises(ContentError, match=r"^b cannot be read \(No such file or directory\)$"):
        read_file(tmp_path / "b", 9)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema", True, "schema is True; this program reads schema 2"),
        ("schema", 2.0, "schema is 2.0; this program reads schema 2"),
        ("schema", 10**400, "schema is 10000000000000"),
        ("payload_bytes", 48.0, "payload_bytes is 48.0, not 48"),
        ("input_shape", [65535, 65535, 255], "input_shape has 1095183237375 values, more than 16777216"),
        ("input_shape", [10**400, 6, 3], "input_shape contains 10000000000000"),
    ],
)
def test_load_refuses_numbers_of_another_type_or_size(folder: Path, key: str, value: object, message: str) -> None:
    change(folder, **{key: value})
    fails_with(folder, message)


def test_load_refuses_one_that_is_true(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b", n_symbols=2, bits=1).path
    change(folder, payload_bytes=True)
    fails_with(folder, "payload_bytes is True, not 1 (2 symbols of 1 bits)")


def test_load_refuses_a_number_of_thousands_of_digits(folder: Path) -> None:
    text = (folder / "bundle.json").read_text().replace('"schema": 2', f'"schema": {"2" * 5000}')
    (folder / "bundle.json").write_text(text)
    fails_with(folder, "bundle.json is not JSON (Exceeds the limit")


def test_shown_is_short_and_printable() -> None:
    nested: object = 0
    for _ in range(100_000):
        nested = [nested]
    values = (nested, {"a": nested}, "\x1b" * 10**6, [0] * 10**6, 10**1000, {str(i): i for i in range(1000)}, "\ud800")
    for value in values:
        assert len(shown(value)) <= 40 and shown(value).isprintable()
    assert shown([1, "a", None, 2.5]) == "[1, 'a', None, 2.5]"


def test_is_number() -> None:
    assert is_number(1, 1)
    assert not any(is_number(value, 1) for value in (True, 1.0, "1", None, 2))
