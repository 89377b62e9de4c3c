"""The bundle reader: one folder that tells a board's build and a host what a model's payload means."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wire.errors import InklingError
from wire.model import Model
from wire.payload import MAX_BITS_PER_SYMBOL, payload_bytes

SCHEMA = 1
MAX_CHUNKS = 16
_FILES = ("encoder.tflite", "decoder.onnx", "golden.npz")


class BundleError(InklingError):
    """A bundle cannot be used; the message is one line that says which and why."""


@dataclass(frozen=True, eq=False)
class Bundle(Model):
    """A checked bundle: a model and the files that hold it."""

    path: Path
    manifest: dict
    classes: list[str]

    @property
    def encoder_path(self) -> Path:
        return self.path / "encoder.tflite"

    @property
    def decoder_path(self) -> Path:
        return self.path / "decoder.onnx"

    @property
    def golden_path(self) -> Path:
        return self.path / "golden.npz"


def compute_model_id(tflite_bytes: bytes, table: np.ndarray, bits: int, order: np.ndarray) -> str:
    """First 4 bytes, in hex, of SHA-256(tflite | table uint8[256] | bits uint8 | order uint16 LE)."""
    digest = hashlib.sha256(tflite_bytes)
    digest.update(np.asarray(table).astype(np.uint8).tobytes())
    digest.update(bytes((bits,)))
    digest.update(np.asarray(order).astype("<u2").tobytes())
    return digest.hexdigest()[:8]


def load(path: str | Path) -> Bundle:
    """Reads and checks a bundle's folder. BundleError for every fault."""
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
    schema = manifest.get("schema")
    _require(schema == SCHEMA, f"schema is {_shown(schema)}, and this program reads schema {SCHEMA}")
    name, model_id, classes = manifest.get("name"), manifest.get("model_id"), manifest.get("classes")
    _require(isinstance(name, str) and name != "", "name is not a text")
    _require(
        isinstance(classes, list) and classes != [] and all(isinstance(c, str) for c in classes),
        "classes is not a list of texts",
    )
    bits = _integers(manifest, "bits_per_symbol", 1, MAX_BITS_PER_SYMBOL, single=True)[0]
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
    said, takes = manifest.get("payload_bytes"), payload_bytes(len(order), bits)
    _require(said == takes, f"payload_bytes is {_shown(said)}, but {len(order)} symbols of {bits} bits take {takes}")
    found = compute_model_id(_read(path / "encoder.tflite"), np.array(table), bits, np.array(order))
    _require(model_id == found, f"model_id is {_shown(model_id)}, but its files make {found}")
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
        model_id=found,
    )


def _chunks(manifest: dict, symbols: int) -> list[tuple[int, int]]:
    chunks = manifest.get("chunks")
    _require(
        isinstance(chunks, list) and all(isinstance(c, list) and len(c) == 2 for c in chunks),
        "chunks is not a list of pairs",
    )
    _require(1 <= len(chunks) <= MAX_CHUNKS, f"there are {len(chunks)} chunks, not 1..{MAX_CHUNKS}")
    for index, (first, count) in enumerate(chunks):
        fits = _is_int(first) and _is_int(count) and first >= 0 and count >= 1 and first + count <= symbols
        _require(fits, f"chunk {index} ({_shown(first)}, {_shown(count)}) does not lie within the {symbols} symbols")
    _require(chunks[0] == [0, symbols], f"chunk 0 is not the whole payload of {symbols} symbols")
    return [(first, count) for first, count in chunks]


def _integers(
    manifest: dict, key: str, low: int, high: int, *, count: int | None = None, single: bool = False
) -> list[int]:
    values = [manifest.get(key)] if single else manifest.get(key)
    _require(isinstance(values, list) and all(_is_int(v) for v in values), f"{key} is not whole numbers")
    _require(count is None or len(values) == count, f"{key} has {len(values)} numbers, not {count}")
    wrong = next((v for v in values if not low <= v <= high), None)
    _require(wrong is None, f"{key} has {_shown(wrong)}, which is not within {low}..{high}")
    return values


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path.name} cannot be read ({error.strerror})") from None


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    """A value out of a file, fit for a message: one line, not a long one."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BundleError(message)
