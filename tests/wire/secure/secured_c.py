"""firmware/lib/wire/src/wire/secure in the shared library of wire_c: keys, secured frames, sealed commands."""

from collections.abc import Sequence
from ctypes import (
    CDLL,
    POINTER,
    Structure,
    byref,
    c_bool,
    c_char_p,
    c_int8,
    c_size_t,
    c_uint8,
    c_uint32,
    create_string_buffer,
    pointer,
)
from pathlib import Path

from tests.support import wire_c
from tests.support.wire_c import Answer, GuardedBuffer, Model, Parser, Result

SOURCES = [source for source in wire_c.SOURCES if source.parent.name == "secure"]
BLOCK_BYTES = 16


class Keys(Structure):
    _fields_ = [("encryption", c_uint8 * 16), ("authentication", c_uint8 * 16)]


class Secured(Structure):
    _fields_ = [("model", POINTER(Model)), ("keys", POINTER(Keys)), ("device", c_uint8), ("counter", c_uint32)]


class Cmac(Structure):
    _fields_ = [("key", c_char_p), ("state", c_uint8 * 16), ("count", c_uint8)]


_PROTOTYPES = {
    "wire_aes_encrypt": (None, [c_char_p, c_char_p, c_char_p]),
    "wire_aes_ctr": (None, [c_char_p, c_char_p, c_char_p, c_size_t]),
    "wire_cmac_start": (None, [POINTER(Cmac), c_char_p]),
    "wire_cmac_update": (None, [POINTER(Cmac), c_char_p, c_size_t]),
    "wire_cmac_finish": (None, [POINTER(Cmac), c_char_p]),
    "wire_tags_equal": (c_bool, [c_char_p, c_char_p, c_size_t]),
    "wire_keys_derive": (None, [POINTER(Keys), c_char_p]),
    "wire_secured_feature_frame": (
        Result,
        [POINTER(c_uint8), c_size_t, POINTER(Secured), c_uint8, POINTER(c_int8), c_bool],
    ),
    "wire_secured_answer_frame": (Result, [POINTER(c_uint8), c_size_t, POINTER(Secured), Answer, c_bool]),
    "wire_seal_check": (c_bool, [POINTER(Parser), POINTER(Keys), c_uint32]),
    "wire_not_authentic_write": (None, [c_char_p, c_uint8, c_uint32]),
    "wire_parser_is_sealed": (c_bool, [POINTER(Parser)]),
    "wire_status_add_tag": (None, [c_char_p, POINTER(Keys), c_uint8, c_uint32]),
}


def compile_library(folder: Path) -> CDLL:
    """Build the library into `folder`, with warnings as errors, and load it."""
    library = wire_c.compile_library(folder)
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def encrypt(library: CDLL, key: bytes, block: bytes) -> bytes:
    """Return the encryption of a block."""
    out = create_string_buffer(BLOCK_BYTES)
    library.wire_aes_encrypt(key, block, out)
    return out.raw


def ctr(library: CDLL, key: bytes, first: bytes, data: bytes) -> bytes:
    """Return data encrypted in counter mode."""
    buffer = create_string_buffer(data, max(1, len(data)))
    library.wire_aes_ctr(key, first, buffer, len(data))
    return buffer.raw[: len(data)]


def cmac(library: CDLL, key: bytes, *parts: bytes) -> bytes:
    """Return the 16 bytes of the CMAC of a message in parts."""
    state, tag = Cmac(), create_string_buffer(BLOCK_BYTES)
    library.wire_cmac_start(state, key)
    for part in parts:
        library.wire_cmac_update(state, part, len(part))
    library.wire_cmac_finish(state, tag)
    return tag.raw


def secured_status(library: CDLL, keys: Keys, data: bytes, device: int, model_number: int) -> bytes:
    """Return the data of a secured status frame."""
    buffer = create_string_buffer(data, len(data) + 8)
    library.wire_status_add_tag(buffer, byref(keys), device, model_number)
    return buffer.raw


def keys(library: CDLL, device_key: bytes) -> Keys:
    """Return the keys of a device key."""
    derived = Keys()
    library.wire_keys_derive(derived, device_key)
    return derived


def feature_frame(
    library: CDLL, keys: Keys, model: Model, device: int, counter: int, chunk: int, outputs: Sequence[int],
    capacity: int, sync: bool = True,
) -> tuple[int, int, GuardedBuffer]:  # fmt: skip
    """Write a secured feature frame into a guarded buffer. Returns length, status and the buffer."""
    out = GuardedBuffer(capacity)
    secured = Secured(pointer(model), pointer(keys), device, counter)
    values = (c_int8 * len(outputs))(*outputs)
    result = library.wire_secured_feature_frame(out.start, capacity, byref(secured), chunk, values, sync)
    return result.length, result.status, out


def answer_frame(
    library: CDLL, keys: Keys, model: Model, device: int, counter: int, answer: Answer, capacity: int, sync: bool = True
) -> tuple[int, int, GuardedBuffer]:
    """Write a secured answer frame in the same way."""
    out = GuardedBuffer(capacity)
    secured = Secured(pointer(model), pointer(keys), device, counter)
    result = library.wire_secured_answer_frame(out.start, capacity, byref(secured), answer, sync)
    return result.length, result.status, out
