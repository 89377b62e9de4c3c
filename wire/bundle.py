"""Reader of bundles: folders that hold a model and describe its payload, for the firmware build and the host."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wire.answer import ANSWER_BITS, CONFIDENCES, FULL_WEIGHT, MAX_CLASSES, AnswerHead
from wire.checks import (
    ContentError,
    integers,
    is_int,
    is_number,
    read_file,
    read_object,
    require,
    require_printable,
    shown,
)
from wire.errors import InklingError
from wire.frame import MAX_CHUNKS
from wire.model import Model
from wire.payload import MAX_BITS_PER_SYMBOL

SCHEMA = 2
MAX_LATENT = 1 << 16  # values: a position in symbol_order has 16 bits
MAX_EMBEDDING = 1 << 16  # values
MAX_INPUT_BYTES = 1 << 24  # of an image: more than a board's memory
MAX_FILE_BYTES = 64 << 20
EMBEDDING_TASK = "embedding"  # `task` of a general bundle
FILES = ("encoder.tflite", "decoder.onnx", "golden.npz")
PREVIEW_FILE = "preview.onnx"  # of a general bundle with the key `preview`


class BundleError(InklingError):
    """A bundle cannot be used. The message is one line: the bundle and the reason."""


@dataclass(frozen=True)
class Embedding:
    """Output of a general bundle's decoder: its estimate of the embedding that a pretrained network gives the image."""

    size: int  # number of values of an embedding
    network: str  # name of the pretrained network


@dataclass(frozen=True, eq=False)
class Bundle(Model):
    """A checked bundle: a model and the files that hold it.

    A general bundle has an `embedding` and no classes: a host is taught them later, as tasks. It may have a preview
    network, which reconstructs images.
    """

    path: Path
    manifest: dict
    classes: list[str]
    embedding: Embedding | None = None
    has_preview: bool = False

    @property
    def encoder_path(self) -> Path:
        """The path of the board's network, encoder.tflite."""
        return self.path / "encoder.tflite"

    @property
    def decoder_path(self) -> Path:
        """The path of the host's network, decoder.onnx."""
        return self.path / "decoder.onnx"

    @property
    def preview_path(self) -> Path:
        """The path of the host's preview network, preview.onnx; only if `has_preview`."""
        return self.path / PREVIEW_FILE

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
    content = path.read_bytes()
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def load(path: str | Path) -> Bundle:
    """Read and check a bundle's folder. Raises BundleError for every fault."""
    path = Path(path)
    try:
        return _checked(path, _manifest(path))
    except (ContentError, BundleError) as error:
        raise BundleError(f"bundle {path}: {error}") from None
    except OSError as error:  # a path that is too long or not permitted, which is_dir() and is_file() pass on
        raise BundleError(f"bundle {path}: it cannot be read ({error.strerror})") from None


def _manifest(path: Path) -> dict:
    if not path.is_dir():
        raise ContentError("no such folder")
    return read_object(path / "bundle.json")


def _checked(path: Path, manifest: dict) -> Bundle:
    schema, name = manifest.get("schema"), manifest.get("name")
    require(is_number(schema, SCHEMA), f"schema is {shown(schema)}; this program reads schema {SCHEMA}")
    if not isinstance(name, str) or not name:
        raise ContentError("name is not a non-empty string")
    require_printable("name", [name])
    embedding = _embedding(manifest)
    classes = _classes(manifest, embedding)
    bits = manifest.get("bits_per_symbol")
    if not is_int(bits) or not 1 <= bits <= MAX_BITS_PER_SYMBOL:
        raise ContentError(f"bits_per_symbol is {shown(bits)}, not 1..{MAX_BITS_PER_SYMBOL}")
    height, width, channels = integers(manifest, "input_shape", 1, 0xFFFF, count=3)
    require(channels <= 255, f"input_shape has {channels} channels, more than 255")
    n_pixels = height * width * channels
    require(n_pixels <= MAX_INPUT_BYTES, f"input_shape has {n_pixels} values, more than {MAX_INPUT_BYTES}")
    answer = _answer_head(manifest)
    require(
        answer is None or embedding is None, "answer is not null, but a general bundle has no classes to answer with"
    )
    require(answer is None or len(classes) <= MAX_CLASSES, f"classes has {len(classes)} names, more than {MAX_CLASSES}")
    heads = _heads(manifest, answer)
    size = sum(math.prod(head) for head in heads)
    table = integers(manifest, "symbol_table", 0, (1 << bits) - 1, count=256)
    order = integers(manifest, "symbol_order", 0, max(0, size - 1))
    least, most = (1, 0xFFFF) if heads else (0, 0)
    require(least <= len(order) <= most, f"symbol_order has {len(order)} positions, not {least}..{most}")
    require(len(set(order)) == len(order), "symbol_order repeats a position")
    chunks = _chunks(manifest, len(order))
    _check_payload_bytes(manifest, len(order), bits, answer)
    threshold = _threshold(manifest, answer)
    has_preview = _has_preview(manifest, embedding)
    encoder = _files(path, manifest, (*FILES, PREVIEW_FILE) if has_preview else FILES)["encoder.tflite"]
    weights = answer.weights if answer else None
    model_id = compute_model_id(encoder, np.array(table), bits, np.array(order), weights)
    given = manifest.get("model_id")
    require(given == model_id, f"model_id is {shown(given)}, but its contents give {model_id}")
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
        embedding=embedding,
        has_preview=has_preview,
    )


def _embedding(manifest: dict) -> Embedding | None:
    embedding, is_general = manifest.get("embedding"), manifest.get("task") == EMBEDDING_TASK
    if not is_general:
        require(embedding is None, f"embedding is given, but task is not '{EMBEDDING_TASK}'")
        return None
    if not isinstance(embedding, dict):
        raise ContentError(f"task is '{EMBEDDING_TASK}', but embedding is not an object with size and network")
    size, network = embedding.get("size"), embedding.get("network")
    if not is_int(size) or not 1 <= size <= MAX_EMBEDDING:
        raise ContentError(f"embedding.size is {shown(size)}, not 1..{MAX_EMBEDDING}")
    if not isinstance(network, str) or not network:
        raise ContentError("embedding.network is not a non-empty string")
    require_printable("embedding.network", [network])
    return Embedding(size, network)


def _has_preview(manifest: dict, embedding: Embedding | None) -> bool:
    preview = manifest.get("preview")
    if preview is None:
        return False
    require(isinstance(preview, dict), f"preview is {shown(preview)}, not an object")
    require(embedding is not None, f"preview is given, but task is not '{EMBEDDING_TASK}'")
    return True


def _classes(manifest: dict, embedding: Embedding | None) -> list[str]:
    classes = manifest.get("classes")
    if embedding:
        require(classes == [], f"classes is {shown(classes)}, not the empty list of a general bundle")
        return []
    if not isinstance(classes, list) or not classes or not all(isinstance(c, str) for c in classes):
        raise ContentError("classes is not a non-empty list of strings")
    require_printable("classes", classes)
    return classes


def _heads(manifest: dict, answer: AnswerHead | None) -> tuple[tuple[int, int, int], ...]:
    heads = manifest.get("heads")
    if not isinstance(heads, list) or not all(isinstance(head, list) and len(head) == 3 for head in heads):
        raise ContentError("heads is not a list of shapes [h, w, c]")
    require(bool(heads) or answer is not None, "heads is empty and answer is null: the encoder has no output")
    wrong = next((head for head in heads if not all(is_int(n) and 1 <= n <= 0xFFFF for n in head)), None)
    require(wrong is None, f"heads contains {shown(wrong)}, whose sizes are not all within 1..65535")
    size = sum(math.prod(head) for head in heads)
    require(size <= MAX_LATENT, f"heads have {size} values in total, more than {MAX_LATENT}")
    return tuple((head[0], head[1], head[2]) for head in heads)


def _answer_head(manifest: dict) -> AnswerHead | None:
    if "answer" not in manifest:
        raise ContentError("answer is missing: null for a codec without answer head")
    answer = manifest["answer"]
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise ContentError("answer is neither null nor an object with weights and probability")
    weights = integers(answer, "weights", 0, FULL_WEIGHT, count=256, within="answer.")
    require(weights[0] == FULL_WEIGHT, f"answer.weights begins with {weights[0]}, not {FULL_WEIGHT}")
    rising = next((d for d in range(1, len(weights)) if weights[d] > weights[d - 1]), None)
    require(rising is None, f"answer.weights rises at index {rising}")
    return AnswerHead(np.array(weights, dtype=np.uint16), _probability(answer))


def _probability(answer: dict) -> np.ndarray:
    values = answer.get("probability")
    if not isinstance(values, list) or not all(is_int(v) or isinstance(v, float) for v in values):
        raise ContentError("answer.probability is not a list of numbers")
    require(len(values) == CONFIDENCES, f"answer.probability has {len(values)} numbers, not {CONFIDENCES}")
    wrong = next((value for value in values if not 0 <= value <= 1), None)
    require(wrong is None, f"answer.probability contains {shown(wrong)}, which is not within 0..1")
    return np.array(values, dtype=np.float64)


def _threshold(manifest: dict, answer: AnswerHead | None) -> int:
    if answer is None:
        require("threshold" not in manifest, "threshold is given, but answer is null")
        return 0
    threshold = manifest.get("threshold")
    if not is_int(threshold) or not 0 <= threshold < CONFIDENCES:
        raise ContentError(f"threshold is {shown(threshold)}, not 0..{CONFIDENCES - 1}")
    return threshold


def _chunks(manifest: dict, n_symbols: int) -> list[tuple[int, int]]:
    chunks = manifest.get("chunks")
    if not isinstance(chunks, list) or not all(isinstance(c, list) and len(c) == 2 for c in chunks):
        raise ContentError("chunks is not a list of pairs")
    if n_symbols == 0:
        require(not chunks, f"there are {len(chunks)} chunks of no symbols")
        return []
    require(1 <= len(chunks) <= MAX_CHUNKS, f"there are {len(chunks)} chunks, not 1..{MAX_CHUNKS}")
    for index, (first, count) in enumerate(chunks):
        fits = is_int(first) and is_int(count) and first >= 0 and count >= 1 and first + count <= n_symbols
        require(fits, f"chunk {index} ({shown(first)}, {shown(count)}) is not within the {n_symbols} symbols")
    require(chunks[0] == [0, n_symbols], f"chunk 0 is not the whole payload of {n_symbols} symbols")
    return [(first, count) for first, count in chunks]


def _check_payload_bytes(manifest: dict, n_symbols: int, bits: int, answer: AnswerHead | None) -> None:
    given, n_bits = manifest.get("payload_bytes"), n_symbols * bits
    content = f"{n_symbols} symbols of {bits} bits"
    if answer and n_symbols:
        n_bits += ANSWER_BITS
        content = f"answer of {ANSWER_BITS} bits, {content}"
    needed = (n_bits + 7) // 8
    require(is_number(given, needed), f"payload_bytes is {shown(given)}, not {needed} ({content})")


def _files(path: Path, manifest: dict, names: tuple[str, ...]) -> dict[str, bytes]:
    """Return the contents of the files with these names, whose size and SHA-256 are as the manifest says."""
    listed = manifest.get("files")
    if not isinstance(listed, dict):
        raise ContentError("files is not an object with the size and the SHA-256 of each file")
    unknown = next((name for name in listed if name not in names), None)
    require(unknown is None, f"files lists {shown(unknown)}, which is not a file of a bundle")
    return {name: _checked_file(path / name, listed.get(name)) for name in names}


def _checked_file(path: Path, listed: object) -> bytes:
    name = path.name
    if not isinstance(listed, dict) or not is_int(listed.get("size")) or not isinstance(listed.get("sha256"), str):
        raise ContentError(f"files has no size and SHA-256 of {name}")
    require(path.is_file(), f"{name} is missing")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ContentError(f"{name} cannot be read ({error.strerror})") from None
    require(size == listed["size"], f"{name} has {size} bytes, not {shown(listed['size'])} as in files")
    content = read_file(path, MAX_FILE_BYTES)
    digest = hashlib.sha256(content).hexdigest()
    require(digest == listed["sha256"], f"{name} has SHA-256 {digest[:16]}..., not {shown(listed['sha256'])}")
    return content
