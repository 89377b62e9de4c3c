"""What an input of the receiver's fuzzer means: a script of what happens on a line and to a radio.

Byte 0 says how the second receiver's stream is cut; then come operations, each a byte modulo their number and its
arguments. Where an input ends, its numbers are 0. So whole frames, whose codes no fuzzer would guess, are as near as
their fields are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.support.host import symbols_of, make_frame
from wire.bundle import Bundle
from wire.control import reply
from wire.crc import crc16
from wire.frame import CRC16_BYTES, HEADER_BYTES, SYNC, FrameType, Header

DEVICES = (7, 200, 0, 254)
MOST_OPERATIONS = 20
HEADER = slice(len(SYNC), len(SYNC) + HEADER_BYTES)


@dataclass(frozen=True)
class Bytes:
    """These come over the line."""

    data: bytes


@dataclass(frozen=True)
class Quiet:
    """The line has been quiet: both receivers settle what has begun."""


@dataclass(frozen=True)
class Expect:
    """A command is pending; its answer has one of these headers."""

    headers: list[Header]


@dataclass(frozen=True)
class Sent:
    """A feature frame as a board sends it, and what it says."""

    bundle: Bundle
    header: Header
    levels: tuple[int, ...]
    frame: bytes


@dataclass(frozen=True)
class Intact:
    """A frame, undamaged, after a quiet line; on the radio, too."""

    sent: Sent


@dataclass(frozen=True)
class Packet:
    """A radio's packet."""

    data: bytes


Operation = Bytes | Quiet | Expect | Intact | Packet


@cache
def send(bundle: Bundle, number: int, device: int, chunk: int) -> Sent:
    """The frame with this number, which is its sequence number and, beyond 32, what tells its image from others."""
    header = Header(FrameType.FEATURE, device, number % 32, bundle.model_bits, chunk)
    levels = tuple(symbols_of(bundle, number, device, chunk).tolist())
    return Sent(bundle, header, levels, make_frame(bundle, number, device=device, chunk=chunk))


class Script:
    """An input, read from its start."""

    def __init__(self, data: bytes, bundles: list[Bundle]) -> None:
        self._data, self._at, self._bundles = data, 0, bundles
        self.cut = self._next()

    def operations(self) -> Iterator[Operation]:
        """All of them, one after another."""
        kinds = (
            *(self._raw, self._whole, self._flipped, self._cut, self._hole, self._reply, self._repeated),
            *(self._packet, Quiet, self._expect, self._intact, self._nested),
        )
        for _ in range(MOST_OPERATIONS):
            if self._at >= len(self._data):
                return
            yield kinds[self._next() % len(kinds)]()

    def _next(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def _sent(self) -> Sent:
        byte, number = self._next(), self._next()
        bundle = self._bundles[byte // 4 % len(self._bundles)]
        return send(bundle, number, DEVICES[byte % 4], byte // 16 % len(bundle.chunks))

    def _frame(self) -> bytes:
        return self._sent().frame

    def _place(self, size: int) -> int:
        return (self._next() << 8 | self._next()) % size

    def _damaged(self, sent: bytes) -> bytes:
        """As many bits as the next number says are flipped, at the places that follow."""
        damaged = bytearray(sent)
        for _ in range(self._next() % 32):
            bit = self._place(8 * len(sent))
            damaged[bit // 8] ^= 0x80 >> bit % 8
        return bytes(damaged)

    def _raw(self) -> Bytes:
        return Bytes(self._take(self._next()))

    def _whole(self) -> Bytes:
        return Bytes(self._frame())

    def _flipped(self) -> Bytes:
        return Bytes(self._damaged(self._frame()))

    def _cut(self) -> Bytes:
        sent = self._frame()
        return Bytes(sent[: self._next() % len(sent)])

    def _hole(self) -> Bytes:
        sent = self._frame()
        first = self._next() % len(sent)
        return Bytes(sent[:first] + sent[first + 1 + self._next() % 8 :])

    def _reply(self) -> Bytes:
        opcode, request, size, fill = (self._next() for _ in range(4))
        sent = reply(opcode, request, bytes([fill]) * size, DEVICES[fill % 4], self._bundles[0].number)
        return Bytes(self._damaged(sent))

    def _repeated(self) -> Bytes:
        return Bytes(self._damaged(self._frame()) * (1 + self._next() % 8))

    def _packet(self) -> Packet:
        packet = self._damaged(self._frame()[len(SYNC) :])
        return Packet(packet[: len(packet) - self._next() % 4] + self._take(self._next() % 4))

    def _expect(self) -> Expect:
        return Expect([self._sent().header for _ in range(self._next() % 8)])

    def _intact(self) -> Intact:
        return Intact(self._sent())

    def _nested(self) -> Bytes:
        """A frame whose payload holds the start of another one, or all of it; its CRC-16 is right."""
        outer, inner = self._sent(), self._frame()
        payload = outer.frame[HEADER.stop : -CRC16_BYTES]
        place = self._next() % len(payload)
        inside = outer.frame[HEADER] + (payload[:place] + inner)[: len(payload)] + payload[place + len(inner) :]
        return Bytes(SYNC + inside + crc16(inside, outer.bundle.number).to_bytes(CRC16_BYTES, "big"))
