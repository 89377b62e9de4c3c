"""Inputs of the receiver's fuzzer: scripts of operations on a line and a radio.

Byte 0 selects how the second receiver's stream is divided. From FIRST_WITH_KEYS on, the host also holds keys of some
devices, and there are operations with secured frames. Operations follow, each a byte modulo their number and its
arguments; numbers beyond the end of an input are 0. So a mutation of a few bytes makes another valid frame, whose codes
a fuzzer could not guess.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from tests.fuzz.sealed import FIRST_COUNTERS, KEYED, TAGGED, Made, Sealed, seal, seal_status
from tests.support.host import answer_of, make_answer, make_frame, symbols_of
from wire.answer import Answer
from wire.bundle import Bundle
from wire.control import reply
from wire.crc import crc16
from wire.frame import CRC16_BYTES, HEADER_BYTES, SYNC, FrameType, Header

DEVICES = (7, 200, 0, 254)
MOST_OPERATIONS = 20
FIRST_WITH_KEYS = 128
HEADER = slice(len(SYNC), len(SYNC) + HEADER_BYTES)


@dataclass(frozen=True)
class Bytes:
    """Bytes on the line."""

    data: bytes


@dataclass(frozen=True)
class Quiet:
    """Silence on the line: both receivers finish incomplete frames."""


@dataclass(frozen=True)
class Expect:
    """A command is pending, whose reply has one of these headers."""

    headers: list[Header]


@dataclass(frozen=True)
class Sent:
    """A feature or answer frame as a board sends it, and its contents."""

    bundle: Bundle
    header: Header
    symbols: tuple[int, ...]  # none in an answer frame
    answer: Answer | None
    frame: bytes

    @property
    def is_answer(self) -> bool:
        """True for an answer frame."""
        return self.header.type == FrameType.ANSWER


@dataclass(frozen=True)
class Intact:
    """An undamaged frame after a silence, and as a radio packet."""

    sent: Sent


@dataclass(frozen=True)
class Packet:
    """A radio packet."""

    data: bytes


@dataclass(frozen=True)
class Wait:
    """Time in which nothing more is sent."""

    seconds: int


@dataclass(frozen=True)
class IntactSealed:
    """An undamaged secured frame after a silence, and as a radio packet."""

    sealed: Sealed


Operation = Bytes | Quiet | Expect | Intact | Packet | Wait | IntactSealed


@cache
def send(bundle: Bundle, number: int, device: int, chunk: int) -> Sent:
    """Return the frame with this number, which gives its sequence number (modulo 32) and its image.

    After the chunks of a bundle with an answer head comes its answer frame.
    """
    answer = answer_of(bundle, number, device) if bundle.answer else None
    if chunk == len(bundle.chunks):
        header = Header(FrameType.ANSWER, device, number % 32, bundle.model_bits, 0)
        return Sent(bundle, header, (), answer, make_answer(bundle, number, device=device))
    header = Header(FrameType.FEATURE, device, number % 32, bundle.model_bits, chunk)
    symbols = tuple(symbols_of(bundle, number, device, chunk).tolist())
    return Sent(bundle, header, symbols, answer, make_frame(bundle, number, device=device, chunk=chunk))


class Script:
    """An input, parsed from its start. `made` holds what the operations so far sent with the keys of devices."""

    def __init__(self, data: bytes, bundles: list[Bundle]) -> None:
        self._data, self._at, self._bundles = data, 0, bundles
        self.cut, self.made = self._next(), Made()

    @property
    def has_keys(self) -> bool:
        """True if the host holds keys."""
        return self.cut >= FIRST_WITH_KEYS

    def operations(self) -> Iterator[Operation]:
        """Yield all operations."""
        kinds: tuple[Callable[[], Operation], ...] = (
            *(self._raw, self._whole, self._flipped, self._cut, self._hole, self._reply, self._repeated),
            *(self._packet, Quiet, self._expect, self._intact, self._nested),
            *(self._with_keys() if self.has_keys else ()),
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
        return send(bundle, number, DEVICES[byte % 4], byte // 16 % (len(bundle.chunks) + (bundle.answer is not None)))

    def _frame(self) -> bytes:
        return self._sent().frame

    def _place(self, size: int) -> int:
        return (self._next() << 8 | self._next()) % size

    def _damaged(self, sent: bytes) -> bytes:
        """Flip bits: the next number is their count, the positions follow."""
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
        """Return a frame with a correct CRC-16 whose payload contains another frame or its start."""
        outer, inner = self._sent(), self._frame()
        if outer.is_answer:  # it has no payload: the other frame follows
            return Bytes(outer.frame + inner)
        payload = outer.frame[HEADER.stop : -CRC16_BYTES]
        place = self._next() % len(payload)
        inside = outer.frame[HEADER] + (payload[:place] + inner)[: len(payload)] + payload[place + len(inner) :]
        return Bytes(SYNC + inside + crc16(inside, outer.bundle.number).to_bytes(CRC16_BYTES, "big"))

    def _with_keys(self) -> tuple[Callable[[], Operation], ...]:
        return (
            *(self._sealed, self._sealed_flipped, self._sealed_cut, self._sealed_hole, self._spliced),
            *(self._sealed_packet, self._sealed_intact, self._status, self._wait, self._unsealed),
        )

    def _counter(self) -> int:
        return FIRST_COUNTERS[self._next() % len(FIRST_COUNTERS)] + self._next()

    def _seal(self) -> Sealed:
        """Return a secured frame: one byte for its board, chunk and key, two for its counter."""
        byte, counter = self._next(), self._counter()
        bundle = self._bundles[byte // 4 % len(self._bundles)]
        chunk = byte // 16 % (len(bundle.chunks) + (bundle.answer is not None))
        sealed = seal(bundle, KEYED[byte % 4], counter, chunk, authentic=byte < 192)
        self.made.add(sealed)
        return sealed

    def _sealed(self) -> Bytes:
        return Bytes(self._seal().frame)

    def _sealed_flipped(self) -> Bytes:
        return Bytes(self._damaged(self._seal().frame))

    def _sealed_cut(self) -> Bytes:
        frame = self._seal().frame
        return Bytes(frame[: self._next() % len(frame)])

    def _sealed_hole(self) -> Bytes:
        frame = self._seal().frame
        first = self._next() % len(frame)
        return Bytes(frame[:first] + frame[first + 1 + self._next() % 8 :])

    def _spliced(self) -> Bytes:
        """Return header and tag of a frame with the payload and the payload tag of another one."""
        header, rest = self._seal().frame[:TAGGED], self._seal().frame[TAGGED:]
        return Bytes(header + rest)

    def _sealed_packet(self) -> Packet:
        return Packet(self._damaged(self._seal().frame[len(SYNC) :]))

    def _sealed_intact(self) -> IntactSealed:
        return IntactSealed(self._seal())

    def _status(self) -> Bytes:
        byte, counter = self._next(), self._counter()
        bundle, device = self._bundles[byte // 4 % len(self._bundles)], KEYED[byte % 4]
        uptime_s, boots, authentic = self._next(), self._next() % 4, byte < 192
        status, frame = seal_status(bundle, device, counter, uptime_s, boots, authentic)
        if authentic:
            self.made.statuses.add((device, status))
        return Bytes(self._damaged(frame))

    def _wait(self) -> Wait:
        return Wait(self._next())

    def _unsealed(self) -> Bytes:
        """Return a plain frame of a device that has a key."""
        byte, number = self._next(), self._next()
        bundle = self._bundles[byte // 4 % len(self._bundles)]
        chunk = byte // 16 % (len(bundle.chunks) + (bundle.answer is not None))
        return Bytes(self._damaged(send(bundle, number, KEYED[byte % 4], chunk).frame))
