"""From a feature frame's bytes, whole or cut short, to symbols."""

import numpy as np

from host.events import FeatureFrame
from host.sources import Source
from wire.bundle import Bundle
from wire.frame import HEADER_BYTES, FeatureLayout, Header, check_crc
from wire.payload import bits_to_levels, interleaver


def layout_of(bundle: Bundle, header: Header) -> FeatureLayout:
    """The layout of the frame that a header announces."""
    return FeatureLayout(bundle.chunk_bits(header.chunk))


def is_clean(body: bytes, header: Header, bundle: Bundle) -> bool:
    """Whether the frame in `body` (from its header on) is whole and its CRC-16 right for this bundle.

    The header counts as corrected, so that this speaks of the payload alone.
    """
    size = layout_of(bundle, header).size
    if len(body) < size:
        return False
    return check_crc(header.encode() + body[HEADER_BYTES:size], bundle.model_number)


def feature_frame(
    body: bytes, header: Header, bundle: Bundle, sync_flips: int, crc_ok: bool, source: Source
) -> FeatureFrame:
    """The event for a frame whose bytes, from the header on and as far as they came, are `body`."""
    layout = layout_of(bundle, header)
    bits, known = np.zeros(layout.n_bits, np.uint8), np.zeros(layout.n_bits, bool)
    received = np.unpackbits(np.frombuffer(body[layout.payload], np.uint8))[: layout.n_bits]
    places = interleaver(layout.n_bits)[: len(received)]
    bits[places], known[places] = received, True
    levels = bits_to_levels(bits, bundle.bits_per_symbol)  # (count,)
    levels[~known.reshape(-1, bundle.bits_per_symbol).all(axis=1)] = -1
    first, count = bundle.chunk_symbols(header.chunk)
    symbols = np.full(len(bundle.symbol_order), -1, np.int64)  # (S,)
    symbols[first : first + count] = levels
    lost, duplicate = source.note(header)
    return FeatureFrame(
        bundle=bundle,
        header=header,
        symbols=symbols,
        payload=np.packbits(bits).tobytes(),
        received_bits=len(received),
        sync_flips=sync_flips,
        header_flips=flipped_bits(header.encode(), body[:HEADER_BYTES]),
        crc_ok=crc_ok,
        lost=lost,
        duplicate=duplicate,
    )


def flipped_bits(sent: bytes, received: bytes) -> int:
    """In how many bits two equally long byte strings differ."""
    return (int.from_bytes(sent, "big") ^ int.from_bytes(received, "big")).bit_count()
