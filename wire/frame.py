"""Sync word, frame header, and the feature frame, which carries one chunk."""

from dataclasses import dataclass
from enum import IntEnum

from wire import bch
from wire.crc import crc16
from wire.payload import interleave

WIRE_VERSION = 1
SYNC = bytes.fromhex("1ACFFC1D")  # the attached sync marker of CCSDS 131.0-B
SYNC_MAX_FLIPS = 6  # of 32 bits, accepted by a receiver of feature frames
HEADER_BYTES = bch.BLOCK_BYTES
CRC16_BYTES = 2
QUIET_S = 0.5  # on a line, a frame that stops in the middle is truncated after this silence
ANY_DEVICE = 255  # device of a command to any board
SEQUENCES, MODELS, MAX_CHUNKS = 32, 32, 16  # numbers of values of the header's fields


class FrameType(IntEnum):
    """Type of a frame. It defines what follows the header."""

    FEATURE = 0
    REPLY = 1
    COMMAND = 2
    RESERVED = 3


@dataclass(frozen=True)
class Header:
    """Fields of a header, in the order of its 24 bits. Raises ValueError if one is out of range."""

    type: FrameType  # 2 bits
    device: int  # 8 bits
    sequence: int  # 5 bits
    model: int  # 5 bits: the low bits of the model number
    chunk: int  # 4 bits

    def __post_init__(self) -> None:
        for name, limit in (
            ("type", 4),
            ("device", 256),
            ("sequence", SEQUENCES),
            ("model", MODELS),
            ("chunk", MAX_CHUNKS),
        ):
            value = getattr(self, name)
            if not 0 <= value < limit:
                raise ValueError(f"header field {name} must be 0..{limit - 1}, got {value}")

    def word(self) -> int:
        """Return the 24-bit header word."""
        return self.type << 22 | self.device << 14 | self.sequence << 9 | self.model << 4 | self.chunk

    @classmethod
    def from_word(cls, word: int) -> "Header":
        """Return the header of a 24-bit word. Every word is valid."""
        return cls(FrameType(word >> 22), word >> 14 & 255, word >> 9 & 31, word >> 4 & 31, word & 15)

    def encode(self) -> bytes:
        """Return the 8 bytes of the header on the wire."""
        return bch.encode(self.word())


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
