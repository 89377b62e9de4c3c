"""Reader of bundles: folders that hold a model and describe its payload, for the firmware build and the host."""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np

from wire.answer import ANSWER_BITS, CONFIDENCES, FULL_WEIGHT, MAX_CLASSES, AnswerHead
from wire.errors import InklingError
from wire.frame import MAX_CHUNKS
from wire.model import Model
from wire.payload import MAX_BITS_PER_SYMBOL

SCHEMA = 2
MAX_LATENT = 1 << 16  # values: a position in symbol_order has 16 bits
FILES = ("encoder.tflite", "decoder.onnx", "golden.npz")


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


def compute_model_id(
    tflite_bytes: bytes, table: np.ndarray, bits: int, order: np.ndarray, weights: np.ndarray | None = None
) -> str:
    """Return the first 4 bytes, in hex, of a SHA-256.

    It is that of tflite | table uint8[256] | bits uint8 | order uint16 LE | weights uint16 LE[256], the last only of a
    model with an answer head.
    """
    digest = hashlib.sha256(tflite_bytes)
    digest.update(np.asarray(table).astype(np.uint8).tobytes())
    digest.update(bytes((bits,)))
    digest.update(np.asarray(order).astype("<u2").tobytes())
    if weights is not None:
        digest.update(np.asarray(weights).astype("<u2").tobytes())
    return digest.hexdigest()[:8]


def describe_file(path: Path) -> dict[str, int | str]:
    """Return size and SHA-256 of a file, as the manifest's `files` lists them."""
    content = _read(path)
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def load(path: str | Path) -> Bundle:
    """Read and check a bundle's folder. Raises BundleError for every fault."""
    path = Path(path)
    try:
        return _checked(path, _manifest(path))
    except BundleError as error:
        raise BundleError(f"bundle {path}: {error}") from None
    except OSError as error:  # a path that is too long or not permitted, which is_dir() and is_file() pass on
        raise BundleError(f"bundle {path}: it cannot be read ({error.strerror})") from None


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
    return manifest


def _checked(path: Path, manifest: dict) -> Bundle:
    schema, name, classes = manifest.get("schema"), manifest.get("name"), manifest.get("classes")
    _require(schema == SCHEMA, f"schema is {_shown(schema)}; this program reads schema {SCHEMA}")
    if not isinstance(name, str) or not name:
        raise BundleError("name is not a non-empty string")
    if not isinstance(classes, list) or not classes or not all(isinstance(c, str) for c in classes):
        raise BundleError("classes is not a non-empty list of strings")
    for key, texts in (("name", [name]), ("classes", classes)):
        # Commands print them: no line breaks, no terminal codes, no characters that cannot be encoded.
        wrong = next((text for text in texts if not text.isprintable()), None)
        _require(wrong is None, f"{key} contains {_shown(wrong)}, which is not printable")
    bits = manifest.get("bits_per_symbol")
    if not _is_int(bits) or not 1 <= bits <= MAX_BITS_PER_SYMBOL:
        raise BundleError(f"bits_per_symbol is {_shown(bits)}, not 1..{MAX_BITS_PER_SYMBOL}")
    height, width, channels = _integers(manifest, "input_shape", 1, 0xFFFF, count=3)
    _require(channels <= 255, f"input_shape has {channels} channels, more than 255")
    answer = _answer_head(manifest)
    _require(
        answer is None or len(classes) <= MAX_CLASSES, f"classes has {len(classes)} names, more than {MAX_CLASSES}"
    )
    heads = _heads(manifest, answer)
    size = sum(math.prod(head) for head in heads)
    table = _integers(manifest, "symbol_table", 0, (1 << bits) - 1, count=256)
    order = _integers(manifest, "symbol_order", 0, max(0, size - 1))
    least, most = (1, 0xFFFF) if heads else (0, 0)
    _require(least <= len(order) <= most, f"symbol_order has {len(order)} positions, not {least}..{most}")
    _require(len(set(order)) == len(order), "symbol_order repeats a position")
    chunks = _chunks(manifest, len(order))
    _check_payload_bytes(manifest, len(order), bits, answer)
    threshold = _threshold(manifest, answer)
    encoder = _files(path, manifest)["encoder.tflite"]
    weights = answer.weights if answer else None
    model_id = compute_model_id(encoder, np.array(table), bits, np.array(order), weights)
    given = manifest.get("model_id")
    _require(given == model_id, f"model_id is {_shown(given)}, but its contents give {model_id}")
    return Bundle(
        path=path,
        manifest=manifest,
        name=name,
        classes=classes,
        input_shape=(height, width, channels),
        heads=heads,
        bits_per_symbol=bits,
        symbol_table=np.array(table, dtype=np.uint8),
        symbol_order=np.array(order, dtype=np.uint16),
        chunks=chunks,
        answer=answer,
        class_count=len(classes) if answer else 0,
        threshold=threshold,
        model_id=model_id,
    )


def _heads(manifest: dict, answer: AnswerHead | None) -> tuple[tuple[int, int, int], ...]:
    heads = manifest.get("heads")
    if not isinstance(heads, list) or not all(isinstance(head, list) and len(head) == 3 for head in heads):
        raise BundleError("heads is not a list of shapes [h, w, c]")
    _require(bool(heads) or answer is not None, "heads is empty and answer is null: the encoder has no output")
    wrong = next((head for head in heads if not all(_is_int(n) and 1 <= n <= 0xFFFF for n in head)), None)
    _require(wrong is None, f"heads contains {_shown(wrong)}, whose sizes are not all within 1..65535")
    size = sum(math.prod(head) for head in heads)
    _require(size <= MAX_LATENT, f"heads have {size} values in total, more than {MAX_LATENT}")
    return tuple((head[0], head[1], head[2]) for head in heads)


def _answer_head(manifest: dict) -> AnswerHead | None:
    if "answer" not in manifest:
        raise BundleError("answer is missing: null for a codec without answer head")
    answer = manifest["answer"]
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise BundleError("answer is neither null nor an object with weights and probability")
    weights = _integers(answer, "weights", 0, FULL_WEIGHT, count=256, within="answer.")
    _require(weights[0] == FULL_WEIGHT, f"answer.weights begins with {weights[0]}, not {FULL_WEIGHT}")
    rising = next((d for d in range(1, len(weights)) if weights[d] > weights[d - 1]), None)
    _require(rising is None, f"answer.weights rises at index {rising}")
    return AnswerHead(np.array(weights, dtype=np.uint16), _probability(answer))


def _probability(answer: dict) -> np.ndarray:
    values = answer.get("probability")
    if not isinstance(values, list) or not all(_is_int(v) or isinstance(v, float) for v in values):
        raise BundleError("answer.probability is not a list of numbers")
    _require(len(values) == CONFIDENCES, f"answer.probability has {len(values)} numbers, not {CONFIDENCES}")
    wrong = next((value for value in values if not 0 <= value <= 1), None)
    _require(wrong is None, f"answer.probability contains {_shown(wrong)}, which is not within 0..1")
    return np.array(values, dtype=np.float64)


def _threshold(manifest: dict, answer: AnswerHead | None) -> int:
    if answer is None:
        _require("threshold" not in manifest, "threshold is given, but answer is null")
        return 0
    threshold = manifest.get("threshold")
    if not _is_int(threshold) or not 0 <= threshold < CONFIDENCES:
        raise BundleError(f"threshold is {_shown(threshold)}, not 0..{CONFIDENCES - 1}")
    return threshold


def _chunks(manifest: dict, n_symbols: int) -> list[tuple[int, int]]:
    chunks = manifest.get("chunks")
    if not isinstance(chunks, list) or not all(isinstance(c, list) and len(c) == 2 for c in chunks):
        raise BundleError("chunks is not a list of pairs")
    if n_symbols == 0:
        _require(not chunks, f"there are {len(chunks)} chunks of no symbols")
        return []
    _require(1 <= len(chunks) <= MAX_CHUNKS, f"there are {len(chunks)} chunks, not 1..{MAX_CHUNKS}")
    for index, (first, count) in enumerate(chunks):
        fits = _is_int(first) and _is_int(count) and first >= 0 and count >= 1 and first + count <= n_symbols
        _require(fits, f"chunk {index} ({_shown(first)}, {_shown(count)}) is not within the {n_symbols} symbols")
    _require(chunks[0] == [0, n_symbols], f"chunk 0 is not the whole payload of {n_symbols} symbols")
    return [(first, count) for first, count in chunks]


def _check_payload_bytes(manifest: dict, n_symbols: int, bits: int, answer: AnswerHead | None) -> None:
    given, n_bits = manifest.get("payload_bytes"), n_symbols * bits
    content = f"{n_symbols} symbols of {bits} bits"
    if answer and n_symbols:
        n_bits += ANSWER_BITS
        content = f"answer of {ANSWER_BITS} bits, {content}"
    needed = (n_bits + 7) // 8
    _require(given == needed, f"payload_bytes is {_shown(given)}, not {needed} ({content})")


def _files(path: Path, manifest: dict) -> dict[str, bytes]:
    """Return the contents of all files, whose size and SHA-256 are as the manifest says."""
    listed = manifest.get("files")
    if not isinstance(listed, dict):
        raise BundleError("files is not an object with the size and the SHA-256 of each file")
    unknown = next((name for name in listed if name not in FILES), None)
    _require(unknown is None, f"files lists {_shown(unknown)}, which is not a file of a bundle")
    return {name: _checked_file(path / name, listed.get(name)) for name in FILES}


def _checked_file(path: Path, listed: object) -> bytes:
    name = path.name
    if not isinstance(listed, dict) or not _is_int(listed.get("size")) or not isinstance(listed.get("sha256"), str):
        raise BundleError(f"files has no size and SHA-256 of {name}")
    _require(path.is_file(), f"{name} is missing")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BundleError(f"{name} cannot be read ({error.strerror})") from None
    _require(size == listed["size"], f"{name} has {size} bytes, not {_shown(listed['size'])} as in files")
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    _require(digest == listed["sha256"], f"{name} has SHA-256 {digest[:16]}..., not {_shown(listed['sha256'])}")
    return content


def _integers(manifest: dict, key: str, low: int, high: int, count: int | None = None, within: str = "") -> list[int]:
    values = manifest.get(key)
    key = within + key
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
