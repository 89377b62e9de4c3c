"""Control frames: commands to a board and its replies, paired by a request number and protected by a CRC-32."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Self

from wire import bch
from wire.crc import crc32
from wire.frame import ANY_DEVICE, HEADER_BYTES, MODELS, SEQUENCES, SYNC, FrameType, Header
from wire.text import printable

REPLY_BIT = 0x80
SEALED_BIT = 0x40  # set in the opcode of a sealed command
MAX_DATA = 0xFFFF
TIMEOUT_MS = 1000  # silence inside a command that ends it
RUN_WANTS_COST = 0x01  # flag of a RUN command: also send the cost
RUN_BY_RADIO = 0x02  # flag of a RUN command: send the frame by radio, and the cost on this line
RUN_BY_MODE = 0x04  # flag of a RUN command: send the answer or features, by the board's mode; otherwise features
ANSWER_SENT = 254  # chunk of a report by radio: an answer frame was sent
LONGEST_PREFIX = 255  # chunk of a RUN by radio: the longest prefix that the remaining air time allows
PACKET_CRC_OK = 0x01  # flag of a PACKET
_FIXED = struct.Struct(">HBB")  # length, opcode, request
_CRC = struct.Struct(">I")


class Opcode(IntEnum):
    """Commands. Their replies have REPLY_BIT set; ERROR answers any command."""

    INFO = 0x01
    RUN = 0x02
    BENCH = 0x03
    CAPTURE = 0x04
    PIXELS = 0x05
    PACKET = 0x06
    MODE = 0x07
    STATUS = 0x08
    KEY = 0x09
    ERROR = 0xFF


class Mode(IntEnum):
    """Frames that a board sends for an image."""

    FEATURES = 0
    ANSWER = 1
    ADAPTIVE = 2  # an answer if its confidence level is at least the threshold, otherwise features


class ErrorCode(IntEnum):
    """Errors that a board reports."""

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
    NOT_AUTHENTIC = 18
    MEMORY = 19


@dataclass(frozen=True)
class Control:
    """A control frame whose CRC-32 is correct."""

    header: Header
    opcode: int
    request: int
    data: bytes


def control_frame(header: Header, opcode: int, request: int, data: bytes) -> bytes:
    """Return SYNC | header | length | opcode | request | data | CRC-32. Raises ValueError if the data is too long."""
    if len(data) > MAX_DATA:
        raise ValueError(f"a control frame carries up to {MAX_DATA} bytes of data, got {len(data)}")
    body = header.encode() + _FIXED.pack(len(data), opcode, request) + data
    return SYNC + body + _CRC.pack(crc32(body))


def command(opcode: int, request: int, data: bytes = b"", device: int = ANY_DEVICE) -> bytes:
    """Return a command frame. device: 255 addresses any board; request: 0..255, repeated in the reply."""
    return control_frame(Header(FrameType.COMMAND, device, request % SEQUENCES, 0, 0), opcode, request, data)


def reply(opcode: int, request: int, data: bytes, device: int, model_number: int) -> bytes:
    """Return a reply frame as a board sends it. opcode: the command's | REPLY_BIT, or ERROR."""
    header = Header(FrameType.REPLY, device, request % SEQUENCES, model_number % MODELS, 0)
    return control_frame(header, opcode, request, data)


def run_data(
    chunk: int, pixels: bytes, wants_cost: bool = False, by_radio: bool = False, by_mode: bool = False
) -> bytes:
    """Return the data of a RUN command. pixels: H*W*C bytes, row-major, channels last."""
    flags = RUN_WANTS_COST * wants_cost | RUN_BY_RADIO * by_radio | RUN_BY_MODE * by_mode
    return bytes((flags, chunk)) + pixels


def control_size(block_without_sync: bytes) -> int | None:
    """Return the size in bytes of the control frame that starts here; None if its length field is missing."""
    if len(block_without_sync) < HEADER_BYTES + _FIXED.size:
        return None
    length, _, _ = _FIXED.unpack_from(block_without_sync, HEADER_BYTES)
    return HEADER_BYTES + _FIXED.size + length + _CRC.size


def parse_control(block_without_sync: bytes) -> Control | None:
    """Return the control frame at the start of the block; None if it is cut short or damaged."""
    size = control_size(block_without_sync)
    if size is None or len(block_without_sync) < size:
        return None
    body, sent = block_without_sync[: size - _CRC.size], block_without_sync[size - _CRC.size : size]
    if _CRC.pack(crc32(body)) != sent:
        return None
    word = int.from_bytes(body[: bch.HEADER.word_bits // 8], "big")
    if bch.HEADER.encode(word) != body[:HEADER_BYTES]:
        return None
    _, opcode, request = _FIXED.unpack_from(body, HEADER_BYTES)
    return Control(Header.from_word(word), opcode, request, bytes(body[HEADER_BYTES + _FIXED.size :]))


@dataclass(frozen=True)
class Info:
    """The INFO reply: firmware, model and memory of a board. Sizes in bytes."""

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
    max_data: int  # maximum number of data bytes in a command
    classes: int  # number of classes of the answer head; 0 = no answer head
    mode: int  # a Mode; later firmware may have others
    threshold: int  # confidence level from which the adaptive mode answers

    FORMAT = struct.Struct(">B3BI8s24sHHBHBBIIIIHHBB")

    @property
    def model_id(self) -> str:
        """The model number as 8 hex digits."""
        return f"{self.model_number:08x}"

    def pack(self) -> bytes:
        """Return the data bytes."""
        return self.FORMAT.pack(
            self.wire_version, *self.firmware_version, self.model_number,
            self.engine.encode("ascii"), self.target.encode("ascii"), *self.input_shape,
            self.symbols, self.bits_per_symbol, self.chunks,
            self.arena_bytes, self.encoder_ram_bytes, self.stack_bytes, self.clock_hz, self.max_data,
            self.classes, self.mode, self.threshold,
        )  # fmt: skip

    @classmethod
    def unpack(cls, data: bytes) -> "Info":
        """Parse reply data. Raises ValueError if it is too short; ignores fields appended by later firmware.

        In the two texts, which commands show, characters that are not printable are escaped.
        """
        fields = _unpack(cls.FORMAT, data, "an INFO reply")
        engine, target = (printable(text.rstrip(b"\0").decode("ascii", "replace")) for text in fields[5:7])
        version, shape = tuple(fields[1:4]), tuple(fields[7:10])
        return cls(fields[0], version, fields[4], engine, target, shape, *fields[10:])


class NumberFields:
    """Reply data made of numbers only: the fields of a dataclass, packed in order by FORMAT."""

    FORMAT: ClassVar[struct.Struct]
    NAME: ClassVar[str]  # for error messages

    def pack(self) -> bytes:
        """Return the data bytes."""
        return self.FORMAT.pack(*vars(self).values())

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Parse reply data. Raises ValueError if it is too short; ignores fields appended by later firmware."""
        return cls(*_unpack(cls.FORMAT, data, cls.NAME))


@dataclass(frozen=True)
class RunCost(NumberFields):
    """The RUN reply: cycles of the encoder; cycles and microseconds of encoder + symbols + framing."""

    encode_cycles: int
    total_cycles: int
    microseconds: int

    FORMAT = struct.Struct(">III")
    NAME = "a RUN reply"


@dataclass(frozen=True)
class RadioReport(NumberFields):
    """Data after RunCost for a frame sent by radio: its chunk, its air time and the remaining air time.

    `chunk` is ANSWER_SENT for an answer frame.
    """

    chunk: int
    air_micros: int
    left_micros: int

    FORMAT = struct.Struct(">BII")
    NAME = "a RADIO reply"


@dataclass(frozen=True)
class ModeSetting(NumberFields):
    """The data of a MODE command, and its reply: a board's mode and its threshold."""

    mode: int  # a Mode; later firmware may have others
    threshold: int  # confidence level, 0..15

    FORMAT = struct.Struct(">BB")
    NAME = "a MODE reply"


@dataclass(frozen=True)
class Packet:
    """A gateway's PACKET: a received radio packet, damaged or not, with its signal measurements."""

    crc_ok: bool  # of the radio's own CRC
    rssi_dbm: float  # in steps of 0.25
    snr_db: float  # in steps of 0.25
    payload: bytes

    FORMAT = struct.Struct(">Bhh")

    def pack(self) -> bytes:
        """Return the data bytes."""
        flags = PACKET_CRC_OK if self.crc_ok else 0
        return self.FORMAT.pack(flags, round(4 * self.rssi_dbm), round(4 * self.snr_db)) + self.payload

    @classmethod
    def unpack(cls, data: bytes) -> "Packet":
        """Parse a packet. Raises ValueError if the data is too short."""
        flags, rssi, snr = _unpack(cls.FORMAT, data, "a PACKET reply")
        return cls(bool(flags & PACKET_CRC_OK), rssi / 4, snr / 4, data[cls.FORMAT.size :])


@dataclass(frozen=True)
class BenchResult(NumberFields):
    """The BENCH reply: CPU cycles per encoder run over the repeats, and microseconds of all repeats."""

    repeats: int
    min_cycles: int
    max_cycles: int
    mean_cycles: int
    microseconds: int

    FORMAT = struct.Struct(">BIIII")
    NAME = "a BENCH reply"


@dataclass(frozen=True)
class ErrorReply(NumberFields):
    """The ERROR reply: an ErrorCode (later firmware may send others); the opcode that failed, 0 if unknown."""

    code: int
    opcode: int

    FORMAT = struct.Struct(">BB")
    NAME = "an ERROR reply"


def _unpack(layout: struct.Struct, data: bytes, name: str) -> tuple:
    if len(data) < layout.size:
        raise ValueError(f"{name} has at least {layout.size} bytes of data, got {len(data)}")
    return layout.unpack_from(data)
