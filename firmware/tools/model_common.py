"""The common part of both engines' generated libraries: the header and the bundle's tables."""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from wire.bundle import Bundle
from wire.errors import InklingError


class ModelError(InklingError):
    """The library of a bundle's encoder cannot be generated."""


@dataclass(frozen=True)
class Needs:
    """What an encoder needs of a board, in bytes: RAM exactly, flash estimated before anything is compiled."""

    ram_bytes: int  # arena + input + outputs + scratch
    flash_bytes: int  # weights + tables + kernels + engine

    @classmethod
    def of(cls, bundle: Bundle, ram_bytes: int, flash_bytes: int) -> "Needs":
        """Return the needs of an engine that takes these bytes beside the bundle's input, outputs and tables."""
        buffers = input_bytes(bundle) + bundle.latent_size + bundle.class_count
        symbols = bundle.symbol_table.size + 2 * len(bundle.symbol_order)
        tables = symbols + 4 * len(bundle.chunks) + 2 * _weights(bundle).size
        return cls(ram_bytes + buffers, flash_bytes + tables)


@dataclass(frozen=True)
class Written:
    """What an engine has written for a bundle: a library that needs these compiler flags, and what it needs."""

    flags: list[str]
    needs: Needs


def input_bytes(bundle: Bundle) -> int:
    """Return the bytes of the encoder's input."""
    height, width, channels = bundle.input_shape
    return height * width * channels


def header(bundle: Bundle, arena_bytes: int, model_crc32: int, lines: str = "") -> str:
    """Return the text of inkling_model.h.

    `arena_bytes` is the size of the engine's arena, `model_crc32` that of the network as the engine holds it in flash,
    `lines` are definitions that only this engine needs.
    """
    height, width, channels = bundle.input_shape
    return f"""/* Generated from bundle {_plain(bundle.name)}. */
#ifndef INKLING_MODEL_H
#define INKLING_MODEL_H

#include "wire/payload.h"

#define INKLING_HEIGHT {height}u
#define INKLING_WIDTH {width}u
#define INKLING_CHANNELS {channels}u
#define INKLING_INPUT_BYTES {input_bytes(bundle)}u
#define INKLING_LATENT_BYTES {bundle.latent_size}u
#define INKLING_CLASS_COUNT {bundle.class_count}u
#define INKLING_OUTPUT_BYTES (INKLING_LATENT_BYTES + INKLING_CLASS_COUNT)
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
    """Return the text of inkling_model.c: the tables of the payload's symbols and of the answer's confidence."""
    n_symbols, n_chunks = len(bundle.symbol_order), len(bundle.chunks)
    arrays = [
        _array("uint8_t", "symbol_table", 256, bundle.symbol_table),
        _array("uint16_t", "symbol_order", n_symbols, bundle.symbol_order),
        _array("struct wire_chunk", "chunks", n_chunks, (f"{{{first}u, {count}u}}" for first, count in bundle.chunks)),
        _array("uint16_t", "answer_weights", 256 if bundle.answer else 0, _weights(bundle)),
    ]
    definitions = "\n".join(text for text in arrays if text)
    return f"""/* Generated from bundle {_plain(bundle.name)}. */
#include "inkling_model.h"

#include <stddef.h>

{definitions}
const struct wire_model inkling_model = {{
    .number = 0x{bundle.model_id}u,
    .symbol_table = symbol_table,
    .symbol_order = {"symbol_order" if n_symbols else "NULL"},
    .chunks = {"chunks" if n_chunks else "NULL"},
    .chunk_count = {n_chunks}u,
    .bits_per_symbol = INKLING_BITS_PER_SYMBOL,
    .latent_count = INKLING_LATENT_BYTES,
    .class_count = INKLING_CLASS_COUNT,
    .answer_weights = {"answer_weights" if bundle.answer else "NULL"},
    .threshold = {bundle.threshold}u,
}};
"""


def _array(kind: str, name: str, size: int, values: Iterable[object]) -> str:
    """Return the definition of an array; nothing if it is empty, which C does not allow."""
    return f"static const {kind} {name}[{size}] = {{\n{rows(values)}\n}};\n" if size else ""


def _weights(bundle: Bundle) -> np.ndarray:
    return bundle.answer.weights if bundle.answer else np.array([], np.uint16)


def rows(items: Iterable[object]) -> str:
    """Format an initializer's values, 16 per line."""
    texts = [str(item) for item in items]
    return "\n".join("    " + ", ".join(texts[i : i + 16]) + "," for i in range(0, len(texts), 16))


def _tables_crc32(bundle: Bundle) -> int:
    """Return the CRC-32 of symbol table, order, chunks and answer weights as a little-endian machine holds them."""
    crc = zlib.crc32(bundle.symbol_table.astype(np.uint8).tobytes())
    crc = zlib.crc32(bundle.symbol_order.astype("<u2").tobytes(), crc)
    crc = zlib.crc32(np.array(bundle.chunks, "<u2").tobytes(), crc)
    return zlib.crc32(_weights(bundle).astype("<u2").tobytes(), crc)


def _plain(name: str) -> str:
    """Return a bundle's name without characters that could end a C comment."""
    return re.sub(r"[^\w .-]", "_", name)
