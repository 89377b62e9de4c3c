"""Who takes part in the comparison over links, by the key that figures are kept under."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.goodput.baselines import Crc, Files, ReedSolomon, Scheme
from benchmarks.goodput.compressed import FORMATS
from benchmarks.goodput.inkling_scheme import Inkling, classes
from benchmarks.goodput.links import Link
from host.classify.ber import LEAST
from host.classify.decoder import Decoder
from wire.bundle import Bundle

TRIES = 4  # the first, and up to three retransmissions
# Who is also measured without LoRa's own header, which costs air time and loses packets.
IMPLICIT = ("inkling", "inkling_prefix", "crc_prefix", "crc_48_prefix", "again_prefix", "rs", "rs_short")


def with_features(bundle: Bundle, symbols: np.ndarray, labels: np.ndarray) -> dict[str, Scheme]:
    """Inkling and those that carry the same features: symbols (n, S) of pictures labelled (n,).

    The prefix is the bundle's shortest chunk that starts at the first symbol.
    """
    decoder = Decoder(bundle)
    prefix = min((i for i, (first, _) in enumerate(bundle.chunks) if first == 0), key=bundle.chunk_bytes)
    whole_bytes, prefix_bytes = bundle.chunk_bytes(0), bundle.chunk_bytes(prefix)
    whole, part = (_right(bundle, decoder, symbols, labels, chunk) for chunk in (0, prefix))
    long, short = (bundle.chunk_layout(chunk) for chunk in (0, prefix))
    again = f"up to {TRIES - 1} retransmissions"
    with_header: dict[str, Scheme] = {
        "inkling": Inkling(f"Inkling, {whole_bytes} bytes", bundle, decoder, symbols, labels, 0),
        "inkling_prefix": Inkling(f"Inkling, {prefix_bytes} bytes", bundle, decoder, symbols, labels, prefix),
        "crc": Crc(f"CRC, {whole_bytes} bytes", whole_bytes, whole),
        "crc_prefix": Crc(f"CRC, {prefix_bytes} bytes", prefix_bytes, part),
        "crc_48": Crc(f"CRC, {whole_bytes} bytes, coding rate 4/8", whole_bytes, whole, coding_rate=8),
        "crc_48_prefix": Crc(f"CRC, {prefix_bytes} bytes, coding rate 4/8", prefix_bytes, part, coding_rate=8),
        "again": Crc(f"CRC, {whole_bytes} bytes, {again}", whole_bytes, whole, tries=TRIES),
        "again_prefix": Crc(f"CRC, {prefix_bytes} bytes, {again}", prefix_bytes, part, tries=TRIES),
        "rs": ReedSolomon(f"Reed-Solomon, {prefix_bytes} bytes, long frame", prefix_bytes, part, long),
        "rs_short": ReedSolomon(f"Reed-Solomon, {prefix_bytes} bytes, short frame", prefix_bytes, part, short),
    }
    return with_header | {
        f"{key}_implicit": replace(with_header[key], title=f"{with_header[key].title}, implicit header", header=False)
        for key in IMPLICIT
    }


def with_pictures(folder: Path, count: int, say: Callable[[str], None]) -> tuple[dict[str, Scheme], dict[str, dict]]:
    """JPEG and WebP of the first `count` test images, whole files and bare, and how their classifiers came about."""
    systems, reports = {}, {}
    for form in FORMATS:
        if not (folder / f"{form.name}.json").is_file():
            say(f"without {form.title}: python -m benchmarks.goodput.compressed_classifier makes it")
            continue
        reports[form.name] = json.loads((folder / f"{form.name}.json").read_text())
        with np.load(folder / f"{form.name}.npz") as kept:
            right = kept["right"][:count]
            systems[form.name] = Files(f"{form.title}, file", kept["bytes"][:count], right)
            systems[f"{form.name}_bare"] = Files(f"{form.title}, bare", kept["bare_bytes"][:count], right)
    return systems, reports


def fits(system: Scheme, medium: Link) -> bool:
    """Whether a system can be had over a medium: a serial radio has neither a coding rate nor a header of its own."""
    if medium.sf is not None:
        return True
    return getattr(system, "coding_rate", Crc.coding_rate) == Crc.coding_rate and getattr(system, "header", True)


def _right(bundle: Bundle, decoder: Decoder, symbols: np.ndarray, labels: np.ndarray, chunk: int) -> np.ndarray:
    """Which pictures are classified rightly when their chunk arrives intact, bool (n,)."""
    first, count = bundle.chunk_symbols(chunk)
    received = np.full_like(symbols, -1)
    received[:, first : first + count] = symbols[:, first : first + count]
    return classes(decoder, received, np.full(len(symbols), LEAST)) == labels
