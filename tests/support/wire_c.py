"""firmware/lib/wire as a shared library, for tests that compare it with the Python implementation."""

import subprocess
from collections.abc import Sequence
from ctypes import (
    CDLL,
    POINTER,
    Structure,
    c_bool,
    c_char_p,
    c_int,
    c_int8,
    c_int16,
    c_size_t,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    create_string_buffer,
)
from pathlib import Path

from tests.support import ROOT

SOURCE = ROOT / "firmware" / "lib" / "wire" / "src"
SOURCES = sorted((SOURCE / "wire").rglob("*.c"))
FLAGS = ["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Wdouble-promotion", "-Wconversion", "-Werror", f"-I{SOURCE}"]

OK, NO_ROOM, BAD_FIELD = 0, 1, 2
NONE, COMMAND, ERROR = 0, 1, 2


class Chunk(Structure):
    _fields_ = [("first", c_uint16), ("count", c_uint16)]


class Model(Structure):
    _fields_ = [
        ("number", c_uint32),
        ("symbol_table", POINTER(c_uint8)),
        ("symbol_order", POINTER(c_uint16)),
        ("chunks", POINTER(Chunk)),
        ("chunk_count", c_uint8),
        ("bits_per_symbol", c_uint8),
        ("threshold", c_uint8),
        ("class_count", c_uint16),
        ("latent_count", c_uint32),
        ("answer_weights", POINTER(c_uint16)),
    ]


class Answer(Structure):
    _fields_ = [("index", c_uint16), ("confidence", c_uint8)]


class Result(Structure):
    _fields_ = [("length", c_size_t), ("status", c_uint8)]


class Info(Structure):
    _fields_ = [
        ("firmware_version", c_uint8 * 3),
        ("model_number", c_uint32),
        ("engine", c_char_p),
        ("target", c_char_p),
        ("height", c_uint16),
        ("width", c_uint16),
        ("channels", c_uint8),
        ("symbol_count", c_uint16),
        ("bits_per_symbol", c_uint8),
        ("chunk_count", c_uint8),
        ("arena_bytes", c_uint32),
        ("encoder_ram_bytes", c_uint32),
        ("stack_bytes", c_uint32),
        ("clock_hz", c_uint32),
        ("max_data", c_uint16),
        ("class_count", c_uint16),
        ("mode", c_uint8),
        ("threshold", c_uint8),
    ]


class RunCost(Structure):
    _fields_ = [("encode_cycles", c_uint32), ("total_cycles", c_uint32), ("microseconds", c_uint32)]


class RadioReport(Structure):
    _fields_ = [("chunk", c_uint8), ("air_micros", c_uint32), ("left_micros", c_uint32)]


class PacketHead(Structure):
    _fields_ = [("crc_ok", c_bool), ("rssi_quarter_dbm", c_int16), ("snr_quarter_db", c_int16)]


class BenchResult(Structure):
    _fields_ = [
        ("repeats", c_uint8),
        ("min_cycles", c_uint32),
        ("max_cycles", c_uint32),
        ("mean_cycles", c_uint32),
        ("microseconds", c_uint32),
    ]


class BoardStatus(Structure):
    _fields_ = [
        ("counter", c_uint32),
        ("uptime_s", c_uint32),
        ("boots", c_uint32),
        ("reset_cause", c_uint8),
        ("gateway", c_bool),
        ("mode", c_uint8),
        ("threshold", c_uint8),
        ("battery_mv", c_uint16),
        ("air_left_cs", c_uint16),
        ("period_s", c_uint16),
    ]


class Parser(Structure):
    _fields_ = [
        ("opcode", c_uint8),
        ("request", c_uint8),
        ("error", c_uint8),
        ("head", c_uint8 * 2),
        ("length", c_uint16),
        ("seal", c_uint8 * 12),
        ("begun", c_uint32),
        ("body", POINTER(c_uint8)),
        ("body_capacity", c_size_t),
        ("crc", c_uint32),
        ("window", c_uint32),
        ("count", c_uint32),
        ("field", c_uint8 * 8),
        ("state", c_uint8),
        ("device", c_uint8),
        ("foreign", c_uint8),
        ("sealed", c_uint8),
    ]


_PROTOTYPES = {
    "wire_crc16": (c_uint16, [c_uint16, c_char_p, c_size_t]),
    "wire_crc32": (c_uint32, [c_uint32, c_char_p, c_size_t]),
    "wire_bch_encode": (None, [c_uint32, c_char_p]),
    "wire_bch_encode_answer": (None, [c_uint64, c_char_p]),
    "wire_bch_read_answer": (c_bool, [c_char_p, POINTER(c_uint64)]),
    "wire_answer_of": (Answer, [POINTER(Model), POINTER(c_int8)]),
    "wire_answer_word": (c_uint16, [Answer]),
    "wire_interleaver_step": (c_uint32, [c_uint32]),
    "wire_feature_frame": (
        Result,
        [POINTER(c_uint8), c_size_t, POINTER(Model), c_uint8, c_uint8, c_uint8, POINTER(c_int8), c_bool],
    ),
    "wire_answer_frame": (
        Result,
        [POINTER(c_uint8), c_size_t, POINTER(Model), c_uint8, c_uint8, Answer, c_bool],
    ),
    "wire_reply_frame": (
        Result,
        [POINTER(c_uint8), c_size_t, c_uint8, c_uint32, c_uint8, c_uint8, c_char_p, c_size_t],
    ),
    "wire_info_write": (None, [c_char_p, POINTER(Info)]),
    "wire_run_cost_write": (None, [c_char_p, POINTER(RunCost)]),
    "wire_radio_report_write": (None, [c_char_p, POINTER(RadioReport)]),
    "wire_packet_head_write": (None, [c_char_p, POINTER(PacketHead)]),
    "wire_bench_result_write": (None, [c_char_p, POINTER(BenchResult)]),
    "wire_status_write": (None, [c_char_p, POINTER(BoardStatus)]),
    "wire_error_write": (None, [c_char_p, c_uint8, c_uint8]),
    "wire_parser_init": (None, [POINTER(Parser), c_uint8, POINTER(c_uint8), c_size_t]),
    "wire_parser_push": (c_int, [POINTER(Parser), c_uint8]),
    "wire_parser_timeout": (c_int, [POINTER(Parser)]),
    "wire_parser_limit_ms": (c_uint32, [POINTER(Parser)]),
    "wire_parser_idle": (c_bool, [POINTER(Parser)]),
    "wire_parser_skip": (c_int, [POINTER(Parser), c_uint8]),
    "wire_parser_overrun": (c_int, [POINTER(Parser)]),
    "wire_parser_reset": (None, [POINTER(Parser)]),
    "wire_parser_max_data": (c_uint16, [POINTER(Parser)]),
}


def compile_library(folder: Path) -> CDLL:
    """Build the library into `folder`, with warnings as errors, and load it."""
    path = folder / "libwire.so"
    subprocess.run(["gcc", *FLAGS, "-O1", "-shared", "-fPIC", "-o", path, *SOURCES], check=True)
    library = CDLL(str(path))
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def encode_header(library: CDLL, word: int) -> bytes:
    """Return the 8 bytes of a 24-bit header word."""
    block = create_string_buffer(8)
    library.wire_bch_encode(word, block)
    return block.raw


def encode_answer(library: CDLL, word: int) -> bytes:
    """Return the 8 bytes of a 36-bit answer."""
    block = create_string_buffer(8)
    library.wire_bch_encode_answer(word, block)
    return block.raw


def read_answer(library: CDLL, block: bytes) -> int | None:
    """Return the 36 bits of an undamaged answer, None if the 8 bytes are none."""
    word = c_uint64()
    return word.value if library.wire_bch_read_answer(block, word) else None


def model(
    number: int,
    table: Sequence[int],
    order: Sequence[int],
    chunks: Sequence[Sequence[int]],
    bits: int,
    weights: Sequence[int] = (),
    class_count: int = 0,
    latent_count: int = 0,
) -> Model:
    """Return a model. It keeps its tables alive, as ctypes keeps the objects of a structure's pointers."""
    return Model(
        number=number,
        symbol_table=(c_uint8 * 256)(*table),
        symbol_order=(c_uint16 * len(order))(*order),
        chunks=(Chunk * len(chunks))(*(Chunk(*chunk) for chunk in chunks)),
        chunk_count=len(chunks),
        bits_per_symbol=bits,
        class_count=class_count,
        latent_count=latent_count,
        answer_weights=(c_uint16 * 256)(*weights),
    )


class GuardedBuffer:
    """Buffer between canaries. Its bytes have the canary's value until they are written."""

    CANARY = 0xA5
    GUARD = 16

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._all = (c_uint8 * (capacity + 2 * self.GUARD))(*[self.CANARY] * (capacity + 2 * self.GUARD))
        self.start = (c_uint8 * (capacity + self.GUARD)).from_buffer(self._all, self.GUARD)

    def bytes(self) -> bytes:
        """Return the buffer's contents."""
        return bytes(self._all)[self.GUARD : self.GUARD + self.capacity]

    def intact(self, written: int) -> bool:
        """Return True if nothing but the first `written` bytes of the buffer has changed."""
        everything = bytes(self._all)
        around = everything[: self.GUARD] + everything[self.GUARD + written :]
        return around == bytes([self.CANARY]) * len(around)


class CommandReceiver:
    """The C parser with a guarded body buffer. An event is (code, error, opcode, request, data)."""

    def __init__(self, library: CDLL, device: int, body_capacity: int) -> None:
        self.library, self.parser = library, Parser()
        self.body = GuardedBuffer(body_capacity)
        library.wire_parser_init(self.parser, device, self.body.start, body_capacity)

    def event(self, code: int) -> tuple[int, int, int, int, bytes]:
        """Return the parser's last event. Only commands have data, with the seal of a sealed one."""
        parser = self.parser
        if code != COMMAND:
            return code, parser.error, parser.opcode, parser.request, b""
        data = (bytes(parser.head) + self.body.bytes())[: parser.length]
        return code, 0, parser.opcode, parser.request, data + bytes(parser.seal) * parser.sealed

    def feed(self, stream: bytes) -> list[tuple[int, int, int, int, bytes]]:
        """Push bytes and return the events."""
        push, events = self.library.wire_parser_push, []
        for byte in stream:
            code = push(self.parser, byte)
            if code != NONE:
                events.append(self.event(code))
        return events
