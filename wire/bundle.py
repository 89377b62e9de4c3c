"""Reader of bundles: folders that hold a model and describe its payload, for the firmware build and the host."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np

from wire.errors import InklingError
from wire.frame import MAX_CHUNKS
from wire.model import Model
from wire.payload import MAX_BITS_PER_SYMBOL, payload_bytes

SCHEMA = 1
_FILES = ("encoder.tflite", "decoder.onnx", "golden.npz")


class BundleError(InklingError):
    """A bundle cannot be used. The message is one line: the bundle and the reason."""


@dataclass(frozen=True, eq=False)
class Bundle(Model):
    """A checked bundle: a model and the files that hold it."""

    path: Path
    manifest: dict
    classes: list[str]

    @property
    def encoder_path(self) -> Path:
        """The path of the board's network, encoder.tflite."""
        return self.path / "encoder.tflite"

    @property
    def decoder_path(self) -> Path:
        """The path of the host's network, decoder.onnx."""
        return self.path / "decoder.onnx"

    @property
    def golden_path(self) -> Path:
        """The path of the golden images and results, golden.npz."""
        return self.path / "golden.npz"


def compute_model_id(tflite_bytes: bytes, table: np.ndarray, bits: int, order: np.ndarray) -> str:
    """Return the first 4 bytes, in hex, of SHA-256(tflite | table uint8[256] | bits uint8 | order uint16 LE)."""
    digest = hashlib.sha256(tflite_bytes)
    digest.update(np.asarray(table).astype(np.uint8).tobytes())
    digest.update(bytes((bits,)))
    digest.update(np.asarray(order).astype("<u2").tobytes())
    return digest.hexdigest()[:8]


def load(path: str | Path) -> Bundle:
    """Read and check a bundle's folder. Raises BundleError for every fault."""
    path = Path(path)
    try:
        return _checked(path, _manifest(path))
    except BundleError as error:
        raise BundleError(f"bundle {path}: {error}") from None


def _manifest(path: Path) -> dict:
    if not path.is_dir():
        raise BundleError("no such folder")
    try:
        manifest = json.loads((path / "bundle.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(f"bundle.json cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # JSON, UTF-8, and nesting without end
        raise BundleError(f"bundle.json is not JSON ({error})") from None
    if not isinstance(manifest, dict):
        raise BundleError("bundle.json is not a JSON object")
    for name in _FILES:
        if not (path / name).is_file():
            raise BundleError(f"{name} is missing")
    return manifest


def _checked(path: Path, manifest: dict) -> Bundle:
    schema, name, classes = manifest.get("schema"), manifest.get("name"), manifest.get("classes")
    _require(schema == SCHEMA, f"schema is {_shown(schema)}; this program reads schema {SCHEMA}")
    if not isinstance(name, str) or not name:
        raise BundleError("name is not a non-empty string")
    if not isinstance(classes, list) or not classes or not all(isinstance(c, str) for c in classes):
        raise BundleError("classes is not a non-empty list of strings")
    bits = manifest.get("bits_per_symbol")
    if not _is_int(bits) or not 1 <= bits <= MAX_BITS_PER_SYMBOL:
        raise BundleError(f"bits_per_symbol is {_shown(bits)}, not 1..{MAX_BITS_PER_SYMBOL}")
    height, width, channels = _integers(manifest, "input_shape", 1, 0xFFFF, count=3)
    _require(channels <= 255, f"input_shape has {channels} channels, more than 255")
    latent_shape = _integers(manifest, "latent_shape", 1, 0xFFFF, count=3)
    size = int(np.prod(latent_shape, dtype=np.int64))
    _require(size <= 1 << 16, f"latent_shape has {size} values, more than {1 << 16}")
    table = _integers(manifest, "symbol_table", 0, (1 << bits) - 1, count=256)
    order = _integers(manifest, "symbol_order", 0, size - 1)
    _require(1 <= len(order) <= 0xFFFF, f"symbol_order has {len(order)} positions, not 1..65535")
    _require(len(set(order)) == len(order), "symbol_order repeats a position")
    chunks = _chunks(manifest, len(order))
    given, needed = manifest.get("payload_bytes"), payload_bytes(len(order), bits)
    _require(given == needed, f"payload_bytes is {_shown(given)}, not {needed} ({len(order)} symbols of {bits} bits)")
    model_id = compute_model_id(_read(path / "encoder.tflite"), np.array(table), bits, np.array(order))
    given = manifest.get("model_id")
    _require(given == model_id, f"model_id is {_shown(given)}, but its contents give {model_id}")
    return Bundle(
        path=path,
        manifest=manifest,
        name=name,
        classes=classes,
        input_shape=(height, width, channels),
        latent_shape=(latent_shape[0], latent_shape[1], latent_shape[2]),
        bits_per_symbol=bits,
        symbol_table=np.array(table, dtype=np.uint8),
        symbol_order=np.array(order, dtype=np.uint16),
        chunks=chunks,
        model_id=model_id,
    )


def _chunks(manifest: dict, n_symbols: int) -> list[tuple[int, int]]:
    chunks = manifest.get("chunks")
    if not isinstance(chunks, list) or not all(isinstance(c, list) and len(c) == 2 for c in chunks):
        raise BundleError("chunks is not a list of pairs")
    _require(1 <= len(chunks) <= MAX_CHUNKS, f"there are {len(chunks)} chunks, not 1..{MAX_CHUNKS}")
    for index, (first, count) in enumerate(chunks):
        fits = _is_int(first) and _is_int(count) and first >= 0 and count >= 1 and first + count <= n_symbols
        _require(fits, f"chunk {index} ({_shown(first)}, {_shown(count)}) is not within the {n_symbols} symbols")
    _require(chunks[0] == [0, n_symbols], f"chunk 0 is not the whole payload of {n_symbols} symbols")
    return [(first, count) for first, count in chunks]


def _integers(manifest: dict, key: str, low: int, high: int, count: int | None = None) -> list[int]:
    values = manifest.get(key)
    if not isinstance(values, list) or not all(_is_int(value) for value in values):
        raise BundleError(f"{key} is not a list of integers")
    _require(count is None or len(values) == count, f"{key} has {len(values)} numbers, not {count}")
    wrong = next((value for value in values if not low <= value <= high), None)
    _require(wrong is None, f"{key} contains {_shown(wrong)}, which is not within {low}..{high}")
    return values


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path.name} cannot be read ({error.strerror})") from None


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    """Return the repr of a value from a file, cut so that the message stays one short line."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BundleError(message)
