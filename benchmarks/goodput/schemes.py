"""The schemes in the comparison, by the key of their figures."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.encoding import ANSWER, Encoded, classes_if_intact
from benchmarks.goodput.baselines import Crc, Files, ReedSolomon, Scheme
from benchmarks.goodput.compressed import FORMATS, classifiers
from benchmarks.goodput.inkling_scheme import Inkling
from benchmarks.goodput.links import Link
from benchmarks.sender import Sender
from host.classify.decoder import Decoder
from wire.bundle import Bundle
from wire.secure.keys import Keys

TRIES = 4  # the first, and up to three retransmissions
# Schemes that are also measured without LoRa's explicit header, which costs air time and loses packets.
IMPLICIT = (
    "inkling", "inkling_prefix", "inkling_answer", "crc_prefix", "crc_48_prefix", "again_prefix", "rs", "rs_short",
    "board", "board_48", "board_again",
)  # fmt: skip
ANSWER_BYTES = 1
BARE = "_bare"  # ends the key of files without the parts that are the same for every image
MIC_BYTES = 4  # of LoRaWAN's tag
KEYS = Keys.derive(bytes(range(16)))


def feature_schemes(bundle: Bundle, encoded: Encoded, labels: np.ndarray) -> dict[str, Scheme]:
    """Return Inkling and the baselines that carry the same features of images labelled (n,).

    The prefix is the bundle's shortest chunk that starts at the first symbol.
    """
    decoder = Decoder(bundle)
    prefix = min((i for i, (first, _) in enumerate(bundle.chunks) if first == 0), key=bundle.chunk_bytes)
    whole_bytes, prefix_bytes = bundle.chunk_bytes(0), bundle.chunk_bytes(prefix)
    whole, part = (classes_if_intact(bundle, decoder, encoded, chunk) == labels for chunk in (0, prefix))
    long, short = (bundle.chunk_layout(chunk) for chunk in (0, prefix))
    again = f"up to {TRIES - 1} retransmissions"

    def inkling(title: str, chunk: int, threshold: int | None = None, keys: Keys | None = None) -> Inkling:
        return Inkling(title, Sender(bundle, encoded, encoded.chunks(chunk, threshold), keys=keys), decoder, labels)

    with_header: dict[str, Scheme] = {
        "inkling": inkling(f"Inkling, {whole_bytes} bytes", 0),
        "inkling_prefix": inkling(f"Inkling, {prefix_bytes} bytes", prefix),
        "crc": Crc(f"CRC, {whole_bytes} bytes", whole_bytes, whole),
        "crc_prefix": Crc(f"CRC, {prefix_bytes} bytes", prefix_bytes, part),
        "crc_48": Crc(f"CRC, {whole_bytes} bytes, coding rate 4/8", whole_bytes, whole, coding_rate=8),
        "crc_48_prefix": Crc(f"CRC, {prefix_bytes} bytes, coding rate 4/8", prefix_bytes, part, coding_rate=8),
        "again": Crc(f"CRC, {whole_bytes} bytes, {again}", whole_bytes, whole, tries=TRIES),
        "again_prefix": Crc(f"CRC, {prefix_bytes} bytes, {again}", prefix_bytes, part, tries=TRIES),
        "rs": ReedSolomon(f"Reed-Solomon, {prefix_bytes} bytes, long frame", prefix_bytes, part, long),
        "rs_short": ReedSolomon(f"Reed-Solomon, {prefix_bytes} bytes, short frame", prefix_bytes, part, short),
        "secured": inkling(f"Inkling, secured, {whole_bytes} bytes", 0, keys=KEYS),
        **_with_mic("crc", f"CRC, {whole_bytes} bytes", whole_bytes, whole),
    }
    if encoded.classes is not None:
        board, level = encoded.classes == labels, bundle.threshold
        with_header |= {
            "inkling_answer": inkling("Inkling, answers only", ANSWER, 0),
            "inkling_adaptive": inkling(f"Inkling, adaptive, {whole_bytes} bytes below level {level}", 0, level),
            "inkling_adaptive_prefix": inkling(
                f"Inkling, adaptive, {prefix_bytes} bytes below level {level}", prefix, level
            ),
            "board": Crc("board alone, 1 byte behind a CRC", ANSWER_BYTES, board),
            "board_48": Crc("board alone, 1 byte behind a CRC, coding rate 4/8", ANSWER_BYTES, board, coding_rate=8),
            "board_again": Crc(f"board alone, 1 byte behind a CRC, {again}", ANSWER_BYTES, board, tries=TRIES),
            "secured_answer": inkling("Inkling, secured, answers only", ANSWER, 0, KEYS),
            **_with_mic("board", "board alone, 1 byte behind a CRC", ANSWER_BYTES, board),
        }
    without: dict[str, Scheme] = {}
    for key in IMPLICIT:
        if (scheme := with_header.get(key)) is not None:
            assert isinstance(scheme, Inkling | Crc | ReedSolomon)
            without[f"{key}_implicit"] = replace(scheme, title=f"{scheme.title}, implicit header", header=False)
    return {**with_header, **without}


def _with_mic(key: str, title: str, payload_bytes: int, correct: np.ndarray) -> dict[str, Scheme]:
    """Return the secured opponents with a payload: it carries a tag as LoRaWAN's, and is dropped if damaged."""
    title, size = f"{title}, tag of {MIC_BYTES} bytes", payload_bytes + MIC_BYTES
    return {
        f"{key}_mic": Crc(title, size, correct),
        f"{key}_48_mic": Crc(f"{title}, coding rate 4/8", size, correct, coding_rate=8),
    }


def values_of(key: str, link: Link) -> tuple[float, ...]:
    """Return the states of a link in which a scheme is measured: secured frames, which take longer, at whole dBs."""
    if key.startswith("secured") and link.sf is not None:
        return tuple(value for value in link.values if float(value).is_integer())
    return link.values


def image_schemes(
    dataset: str, folder: Path, index: np.ndarray, log: Callable[[str], None]
) -> tuple[dict[str, Scheme], dict[str, dict]]:
    """Return JPEG and WebP of the test images `index` (n,), whole files and bare, and the reports of their training.

    A format without a classifier in `folder` is left out, with a line to `log`.
    """
    schemes: dict[str, Scheme] = {}
    reports: dict[str, dict] = {}
    for form, file in classifiers(dataset, folder, log):
        reports[form.name] = json.loads(file.with_suffix(".json").read_text())
        with np.load(file.with_suffix(".npz")) as kept:
            correct = kept["correct"][index]
            schemes[form.name] = Files(f"{form.title}, file", kept["bytes"][index], correct)
            schemes[f"{form.name}{BARE}"] = Files(f"{form.title}, bare", kept["bare_bytes"][index], correct)
    return schemes, reports


def is_compressed(key: str) -> bool:
    """Return True if this is the key of a scheme of JPEG or WebP."""
    return key.removesuffix(BARE) in {form.name for form in FORMATS}


def fits(scheme: Scheme, link: Link) -> bool:
    """Return True if a link has what a scheme needs: a serial radio has no coding rate and no header of its own."""
    if link.sf is not None:
        return True
    return getattr(scheme, "coding_rate", Crc.coding_rate) == Crc.coding_rate and getattr(scheme, "header", True)
