"""Control frames: commands to a board and its replies, with a CRC-32 and a request number that pairs them."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Self

from wire import bch
from wire.crc import crc32
from wire.frame import ANY_DEVICE, HEADER_BYTES, SYNC, FrameType, Header

REPLY_BIT = 0x80
MAX_DATA = 0xFFFF
TIMEOUT_MS = 1000  # of silence inside a command, after which the board gives up on it
RUN_WANTS_COST = 0x01  # flag of a RUN command: send the cost after the feature frame
RUN_BY_RADIO = 0x02  # flag of a RUN command: send the frame by radio, and the cost here
LONGEST_PREFIX = 255  # chunk of a RUN by radio: as much as the air time left allows
PACKET_CRC_OK = 0x01  # flag of a PACKET
_FIXED = struct.Struct(">HBB")  # length, opcode, request
_CRC = struct.Struct(">I")


class Opcode(IntEnum):
    """Commands; the reply to one has REPLY_BIT set, but ERROR answers any."""

    INFO = 0x01
    RUN = 0x02
    BENCH = 0x03
    CAPTURE = 0x04
    PIXELS = 0x05
    PACKET = 0x06
    ERROR = 0xFF


class ErrorCode(IntEnum):
    """Why a board refused a command."""

    BAD_HEADER = 1
    TOO_LONG = 2
    BAD_CRC = 3
    TIMEOUT = 4
    UNKNOWN_COMMAND = 5
    BAD_LENGTH = 6
    BAD_ARGUMENT = 7
    ENGINE = 8
    OVERRUN = 9
    MODEL_DAMAGED = 10
    MODEL_VERSION = 11
    MODEL_OPS = 12
    MODEL_ARENA = 13
    MODEL_SHAPE = 14
    CAMERA = 15
    RADIO = 16
    AIR_TIME = 17


@dataclass(frozen=True)
class Control:
    """One control frame whose CRC-32 was right."""

    header: Header
    opcode: int
    request: int
    data: bytes


def control_frame(header: Header, opcode: int, request: int, data: bytes) -> bytes:
    """SYNC | header | length | opcode | request | data | CRC-32."""
    if len(data) > MAX_DATA:
        raise ValueError(f"a control frame carries up to {MAX_DATA} bytes of data, got {len(data)}")
    body = header.encode() + _FIXED.pack(len(data), opcode, request) + data
    return SYNC + body + _CRC.pack(crc32(body))


def command(opcode: int, request: int, data: bytes = b"", device: int = ANY_DEVICE) -> bytes:
    """A whole command for a device (255: whichever hears it). request: 0..255, comes back in the reply."""
    return control_frame(Header(FrameType.COMMAND, device, request % 32, 0, 0), opcode, request, data)


def reply(opcode: int, request: int, data: bytes, device: int, model_number: int) -> bytes:
    """A whole reply as a board sends it; `opcode` is the reply's own (the command's | 0x80, or ERROR)."""
    header = Header(FrameType.REPLY, device, request % 32, model_number & 31, 0)
    return control_frame(header, opcode, request, data)


def run_data(chunk: int, pixels: bytes, wants_cost: bool = False, by_radio: bool = False) -> bytes:
    """The data of a RUN command. pixels: H*W*C bytes, row-major, channels last."""
    return bytes((RUN_WANTS_COST * wants_cost | RUN_BY_RADIO * by_radio, chunk)) + pixels


def control_size(block_without_sync: bytes) -> int | None:
    """Bytes of the control frame that starts here, by its length field; None while that is not there yet."""
    if len(block_without_sync) < HEADER_BYTES + _FIXED.size:
        return None
    length, _, _ = _FIXED.unpack_from(block_without_sync, HEADER_BYTES)
    return HEADER_BYTES + _FIXED.size + length + _CRC.size


def parse_control(block_without_sync: bytes) -> Control | None:
    """The control frame at the start of the block; None when it is cut short or its CRC-32 is wrong."""
    size = control_size(block_without_sync)
    if size is None or len(block_without_sync) < size:
        return None
    body, sent = block_without_sync[: size - _CRC.size], block_without_sync[size - _CRC.size : size]
    if _CRC.pack(crc32(body)) != sent:
        return None
    word = int.from_bytes(body[: bch.WORD_BITS // 8], "big")
    if bch.encode(word) != body[:HEADER_BYTES]:
        return None
    _, opcode, request = _FIXED.unpack_from(body, HEADER_BYTES)
    return Control(Header.from_word(word), opcode, request, bytes(body[HEADER_BYTES + _FIXED.size :]))


@dataclass(frozen=True)
class Info:
    """The INFO reply: what a board is and runs. Sizes in bytes."""

    wire_version: int
    firmware_version: tuple[int, int, int]
    model_number: int
    engine: str
    target: str
    input_shape: tuple[int, int, int]  # H, W, C
    symbols: int
    bits_per_symbol: int
    chunks: int
    arena_bytes: int
    encoder_ram_bytes: int
    stack_bytes: int  # deepest so far; 0 = unknown
    clock_hz: int
    max_data: int  # most data bytes that a command may carry

    FORMAT = struct.Struct(">B3BI8s24sHHBHBBIIIIH")

    @property
    def model_id(self) -> str:
        return f"{self.model_number:08x}"

    def pack(self) -> bytes:
        return self.FORMAT.pack(
            self.wire_version, *self.firmware_version, self.model_number,
            self.engine.encode("ascii"), self.target.encode("ascii"), *self.input_shape,
            self.symbols, self.bits_per_symbol, self.chunks,
            self.arena_bytes, self.encoder_ram_bytes, self.stack_bytes, self.clock_hz, self.max_data,
        )  # fmt: skip

    @classmethod
    def unpack(cls, data: bytes) -> "Info":
        """ValueError when the data is too short; what a later firmware may append is left alone."""
        fields = _unpack(cls.FORMAT, data, "an INFO reply")
        engine, target = (text.rstrip(b"\0").decode("ascii", "replace") for text in fields[5:7])
        version, shape = tuple(fields[1:4]), tuple(fields[7:10])
        return cls(fields[0], version, fields[4], engine, target, shape, *fields[10:])


class _Numbers:
    """Data that is a row of numbers: the fields of a dataclass, in their order, as FORMAT has them."""

    FORMAT: ClassVar[struct.Struct]
    WHAT: ClassVar[str]  # in words, for who gets too few bytes

    def pack(self) -> bytes:
        return self.FORMAT.pack(*vars(self).values())

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """ValueError when the data is too short; what a later firmware may append is left alone."""
        return cls(*_unpack(cls.FORMAT, data, cls.WHAT))


@dataclass(frozen=True)
class RunCost(_Numbers):
    """The RUN reply: cycles of the encoder; cycles and microseconds of encoder + symbols + framing."""

    encode_cycles: int
    total_cycles: int
    microseconds: int

    FORMAT = struct.Struct(">III")
    WHAT = "a RUN reply"


@dataclass(frozen=True)
class RadioReport(_Numbers):
    """What follows RunCost's data when the frame went out by radio: its chunk, its air time and the air time left."""

    chunk: int
    air_micros: int
    left_micros: int

    FORMAT = struct.Struct(">BII")
    WHAT = "a RADIO reply"


@dataclass(frozen=True)
class Packet:
    """A gateway's PACKET: what its radio received, right or wrong, and measured."""

    crc_ok: bool  # by the radio's own CRC
    rssi_dbm: float  # in steps of 0.25
    snr_db: float  # in steps of 0.25
    payload: bytes

    FORMAT = struct.Struct(">Bhh")

    def pack(self) -> bytes:
        flags = PACKET_CRC_OK if self.crc_ok else 0
        return self.FORMAT.pack(flags, round(4 * self.rssi_dbm), round(4 * self.snr_db)) + self.payload

    @classmethod
    def unpack(cls, data: bytes) -> "Packet":
        """ValueError when the data is too short."""
        flags, rssi, snr = _unpack(cls.FORMAT, data, "a PACKET reply")
        return cls(bool(flags & PACKET_CRC_OK), rssi / 4, snr / 4, data[cls.FORMAT.size :])


@dataclass(frozen=True)
class BenchResult(_Numbers):
    """The BENCH reply: CPU cycles of one encoder run over the repeats, and microseconds of all of them."""

    repeats: int
    min_cycles: int
    max_cycles: int
    mean_cycles: int
    microseconds: int

    FORMAT = struct.Struct(">BIIII")
    WHAT = "a BENCH reply"


@dataclass(frozen=True)
class ErrorReply(_Numbers):
    """The ERROR reply: an ErrorCode (a later firmware may know more); the opcode that failed, 0 unknown."""

    code: int
    opcode: int

    FORMAT = struct.Struct(">BB")
    WHAT = "an ERROR reply"


def _unpack(layout: struct.Struct, data: bytes, what: str) -> tuple:
    if len(data) < layout.size:
        raise ValueError(f"{what} has at least {layout.size} bytes of data, got {len(data)}")
    return layout.unpack_from(data)
