"""Sync word and frame headers; the feature frame, which carries one chunk; the answer frame, which is a header."""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from wire import bch
from wire.answer import Answer
from wire.crc import crc16
from wire.payload import Levels, interleave

WIRE_VERSION = 1
SYNC = bytes.fromhex("1ACFFC1D")  # the attached sync marker of CCSDS 131.0-B
SYNC_MAX_FLIPS = 6  # of 32 bits, accepted by a receiver of feature frames
HEADER_BYTES = bch.BLOCK_BYTES
CRC16_BYTES = 2
QUIET_S = 0.5  # on a line, a frame that stops in the middle is truncated after this silence
ANY_DEVICE = 255  # device of a command to any board
SEQUENCES, MODELS, MAX_CHUNKS = 32, 32, 16  # numbers of values of the header's fields


class FrameType(IntEnum):
    """Type of a frame. It defines what follows the header; an ANSWER has an AnswerHeader and nothing else."""

    FEATURE = 0
    REPLY = 1
    COMMAND = 2
    ANSWER = 3


@dataclass(frozen=True)
class Header:
    """Fields of a header, in the order of its 24 bits. Raises ValueError if one is out of range.

    An answer frame has an AnswerHeader instead.
    """

    type: FrameType  # 2 bits
    device: int  # 8 bits
    sequence: int  # 5 bits
    model: int  # 5 bits: the low bits of the model number
    chunk: int  # 4 bits

    def __post_init__(self) -> None:
        _check_fields(self, type=4, device=256, sequence=SEQUENCES, model=MODELS, chunk=MAX_CHUNKS)

    def word(self) -> int:
        """Return the 24-bit header word."""
        return self.type << 22 | self.device << 14 | self.sequence << 9 | self.model << 4 | self.chunk

    @classmethod
    def from_word(cls, word: int) -> "Header":
        """Return the header of a 24-bit word. Every word is valid."""
        return cls(FrameType(word >> 22), word >> 14 & 255, word >> 9 & 31, word >> 4 & 31, word & 15)

    def encode(self) -> bytes:
        """Return the 8 bytes of the header on the wire."""
        return _header_block(self.word())


# A receiver encodes the few headers of its devices with every frame.
_header_block = lru_cache(maxsize=1024)(bch.HEADER.encode)


def header_part(device: Levels, sequence: Levels, model: Levels) -> Levels:
    """Return the bits of an answer frame's 36-bit word that name the image. Arrays must be 64 bits wide."""
    return FrameType.ANSWER << 34 | device << 26 | model << 21 | sequence << 4


def answer_part(index: Levels, confidence: Levels) -> Levels:
    """Return the other bits of the word, class index and confidence level. Arrays must be 64 bits wide."""
    return index << 9 | confidence


@dataclass(frozen=True)
class AnswerHeader:
    """The fields of an answer frame, which is nothing but a header. Raises ValueError if one is out of range."""

    device: int  # 8 bits
    sequence: int  # 5 bits
    model: int  # 5 bits: the low bits of the model number
    answer: Answer  # 12 bits of class index, 4 bits of confidence level, neither as in an answer word

    def __post_init__(self) -> None:
        _check_fields(self, device=256, sequence=SEQUENCES, model=MODELS)

    def word(self) -> int:
        """Return the 36-bit word, from the top: type, device, model, class index, sequence, confidence level.

        What a board varies stands in the low bits, which are encoded best.
        """
        return header_part(self.device, self.sequence, self.model) | answer_part(
            self.answer.index, self.answer.confidence
        )

    @classmethod
    def from_word(cls, word: int) -> "AnswerHeader":
        """Return the fields of a 36-bit word. Raises ValueError if its type is not ANSWER."""
        if word >> 34 != FrameType.ANSWER:
            raise ValueError(f"the type of an answer frame is {FrameType.ANSWER:d}, got {word >> 34}")
        return cls(word >> 26 & 255, word >> 4 & 31, word >> 21 & 31, Answer(word >> 9 & 0xFFF, word & 15))

    def encode(self) -> bytes:
        """Return the 8 bytes of the frame without sync."""
        return bch.ANSWER.encode(self.word())

    @classmethod
    def decode(cls, block: bytes) -> tuple["AnswerHeader", int] | None:
        """Return the answer within 5 flipped bits of the 8 bytes, and the number of flips; None if there is none."""
        decoded = bch.ANSWER.decode(block)
        if decoded is None or decoded[0] >> 34 != FrameType.ANSWER:
            return None
        return cls.from_word(decoded[0]), decoded[1]


def _check_fields(header: Header | AnswerHeader, **limits: int) -> None:
    for name, limit in limits.items():
        value = getattr(header, name)
        if not 0 <= value < limit:
            raise ValueError(f"header field {name} must be 0..{limit - 1}, got {value}")


def answer_frame(header: AnswerHeader, sync: bool = True) -> bytes:
    """Return an answer frame of 12 bytes, or of 8 bytes in the LoRa form, without sync."""
    return SYNC + header.encode() if sync else header.encode()


@dataclass(frozen=True)
class FeatureLayout:
    """Layout of a feature frame of n_bits data bits, without its sync (the LoRa form)."""

    n_bits: int

    @property
    def payload_bytes(self) -> int:
        """Bytes of the payload."""
        return (self.n_bits + 7) // 8

    @property
    def payload(self) -> slice:
        """Slice of the payload in the frame."""
        return slice(HEADER_BYTES, HEADER_BYTES + self.payload_bytes)

    @property
    def size(self) -> int:
        """Bytes of the frame without sync."""
        return HEADER_BYTES + self.payload_bytes + CRC16_BYTES

    @property
    def serial_size(self) -> int:
        """Bytes of the frame with sync."""
        return len(SYNC) + self.size


def feature_frame(header: Header, payload: bytes, n_bits: int, model_number: int, sync: bool = True) -> bytes:
    """Return a feature frame. `payload` is packed, not interleaved; sync=False gives the LoRa form."""
    body = header.encode() + interleave(payload, n_bits)
    frame = body + crc16(body, model_number).to_bytes(CRC16_BYTES, "big")
    return SYNC + frame if sync else frame


def check_crc(frame_without_sync: bytes, model_number: int) -> bool:
    """Return True if the CRC-16 is correct. Receivers also use frames whose CRC-16 is wrong."""
    body, sent = frame_without_sync[:-CRC16_BYTES], frame_without_sync[-CRC16_BYTES:]
    return crc16(body, model_number) == int.from_bytes(sent, "big")
