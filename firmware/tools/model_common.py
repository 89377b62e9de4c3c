"""The common part of both engines' generated libraries: the header, the bundle's tables, checks of the encoder."""

import re
import zlib
from collections.abc import Iterable

import numpy as np

from wire.bundle import Bundle
from wire.errors import InklingError
from wire.model import PIXEL_OFFSET

INPUT_ZERO_POINT = -PIXEL_OFFSET  # the only conversion of a pixel


class ModelError(InklingError):
    """The library of a bundle's encoder cannot be generated."""


def check_encoder(bundle: Bundle, input_shape: list[int], output_shape: list[int], input_zero_point: int) -> None:
    """Raise ModelError if encoder.tflite disagrees with bundle.json. Shapes include the batch dimension."""
    for side, shape, expected in (
        ("input", input_shape, [1, *bundle.input_shape]),
        ("output", output_shape, [1, *bundle.latent_shape]),
    ):
        if shape != expected:
            raise ModelError(f"bundle {bundle.path}: the encoder's {side} is {shape}, not {expected} as in bundle.json")
    if input_zero_point != INPUT_ZERO_POINT:
        raise ModelError(
            f"bundle {bundle.path}: the encoder's input zero point is {input_zero_point}, not {INPUT_ZERO_POINT}"
        )


def header(bundle: Bundle, arena_bytes: int, model_crc32: int, lines: str = "") -> str:
    """Return the text of inkling_model.h.

    `arena_bytes` is the size of the engine's arena, `model_crc32` that of the network as the engine holds it in flash,
    `lines` are definitions that only this engine needs.
    """
    height, width, channels = bundle.input_shape
    latent_height, latent_width, latent_channels = bundle.latent_shape
    return f"""/* Generated from bundle {_plain(bundle.name)}. */
#ifndef INKLING_MODEL_H
#define INKLING_MODEL_H

#include "wire/payload.h"

#define INKLING_HEIGHT {height}u
#define INKLING_WIDTH {width}u
#define INKLING_CHANNELS {channels}u
#define INKLING_INPUT_BYTES {height * width * channels}u
#define INKLING_LATENT_HEIGHT {latent_height}u
#define INKLING_LATENT_WIDTH {latent_width}u
#define INKLING_LATENT_CHANNELS {latent_channels}u
#define INKLING_LATENT_BYTES {latent_height * latent_width * latent_channels}u
#define INKLING_SYMBOL_COUNT {len(bundle.symbol_order)}u
#define INKLING_BITS_PER_SYMBOL {bundle.bits_per_symbol}u

#ifndef INKLING_ARENA_BYTES /* override: -D INKLING_ARENA_BYTES=... */
#define INKLING_ARENA_BYTES {arena_bytes}u
#endif

#define INKLING_MODEL_CRC32 0x{model_crc32:08X}u
#define INKLING_TABLES_CRC32 0x{_tables_crc32(bundle):08X}u
{lines}
extern const struct wire_model inkling_model;

#endif
"""


def tables(bundle: Bundle) -> str:
    """Return the text of inkling_model.c: the tables of the payload's symbols."""
    chunks = (f"{{{first}u, {count}u}}" for first, count in bundle.chunks)
    return f"""/* Generated from bundle {_plain(bundle.name)}. */
#include "inkling_model.h"

static const uint8_t symbol_table[256] = {{
{rows(bundle.symbol_table)}
}};

static const uint16_t symbol_order[INKLING_SYMBOL_COUNT] = {{
{rows(bundle.symbol_order)}
}};

static const struct wire_chunk chunks[] = {{
{rows(chunks)}
}};

const struct wire_model inkling_model = {{
    .number = 0x{bundle.model_id}u,
    .symbol_table = symbol_table,
    .symbol_order = symbol_order,
    .chunks = chunks,
    .chunk_count = {len(bundle.chunks)}u,
    .bits_per_symbol = INKLING_BITS_PER_SYMBOL,
}};
"""


def rows(items: Iterable[object]) -> str:
    """Format an initializer's values, 16 per line."""
    texts = [str(item) for item in items]
    return "\n".join("    " + ", ".join(texts[i : i + 16]) + "," for i in range(0, len(texts), 16))


def _tables_crc32(bundle: Bundle) -> int:
    """Return the CRC-32 of symbol table, order and chunks as a little-endian machine holds them."""
    crc = zlib.crc32(bundle.symbol_table.astype(np.uint8).tobytes())
    crc = zlib.crc32(bundle.symbol_order.astype("<u2").tobytes(), crc)
    return zlib.crc32(np.array(bundle.chunks, "<u2").tobytes(), crc)


def _plain(name: str) -> str:
    """Return a bundle's name without characters that could end a C comment."""
    return re.sub(r"[^\w .-]", "_", name)
