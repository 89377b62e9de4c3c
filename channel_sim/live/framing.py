"""Finds frames in an undamaged uplink: exact sync word, exact header, length by bundle or length field."""

from collections.abc import Sequence
from typing import NamedTuple

from channel_sim.channels.channel import ChannelError
from wire import bch
from wire.bundle import Bundle
from wire.control import REPLY_BIT, Control, Opcode, control_size, parse_control
from wire.frame import HEADER_BYTES, SYNC, AnswerHeader, FrameType, Header, check_crc
from wire.replies.key_state import KeyState
from wire.secure.frames import HEADER_TAG_BYTES, SecuredLayout
from wire.secure.status import SECURED_STATUS

START_BYTES = len(SYNC) + HEADER_BYTES


class Piece(NamedTuple):
    """Part of the stream: one whole frame of an image with its sync word, or bytes between such frames."""

    data: bytes
    is_frame: bool  # of features, or an answer


class Framer:
    """Splits the bytes from boards into feature and answer frames and the rest (replies, boot messages), in order.

    The pieces depend on the bytes only, not on how they are cut. A frame is held until it is complete; `flush`, called
    when the line is quiet or the board is gone, returns the held bytes. A frame that was cut short by a reset contains
    the start of another one and does not count as a frame; neither does a frame of a model without a bundle. A frame
    with a wrong CRC-16 and no such start was damaged before it arrived, and counts.

    The frames of a board with a key are longer. It is known by its secured status frame, which it sends when it starts
    and periodically, and by its reply to KEY.

    Raises ChannelError for bundles that have equal model bits but frames of different length.
    """

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        self._models: dict[int, list[Bundle]] = {}
        self._sizes: dict[int, list[int]] = {}  # model bits -> bytes of a frame without sync word, per chunk
        for bundle in bundles:
            model, sizes = bundle.model_bits, _sizes(bundle)
            alike = self._models.setdefault(model, [])
            if self._sizes.setdefault(model, sizes) != sizes:
                raise ChannelError(f"bundles {alike[0].name} and {bundle.name} have equal model bits: give one of them")
            alike.append(bundle)
        self._classes: dict[int, int] = {}  # model bits -> number of classes of answers
        for bundle in bundles:
            count = self._classes.get(bundle.model_bits, 0)
            self._classes[bundle.model_bits] = max(count, bundle.class_count)
        self._secured: set[int] = set()  # devices that have shown that they hold a key
        self._headers: dict[bytes, Header] = {}  # cache of those seen
        self._held = b""
        self.cut = 0
        self.unknown = 0

    @property
    def held_bytes(self) -> int:
        """Number of bytes held until their frame is complete."""
        return len(self._held)

    def feed(self, data: bytes) -> list[Piece]:
        """Process the next bytes of the stream."""
        self._held += data
        return self._split(final=False)

    def flush(self) -> list[Piece]:
        """Return held bytes; no more of an incomplete frame will come."""
        return self._split(final=True)

    def _split(self, final: bool) -> list[Piece]:
        held, pieces = self._held, []
        done = start = 0
        while (start := _find_sync(held, start, len(held))) < len(held):
            end = self._end(start, final)
            if end is None:
                break
            if end == start:
                start += 1
                continue
            if done < start:
                pieces.append(Piece(held[done:start], False))
            header = self._header(held[start + len(SYNC) : start + START_BYTES])
            is_control = header is not None and header.type in (FrameType.REPLY, FrameType.COMMAND)
            pieces.append(Piece(held[start:end], not is_control))
            done = start = end
        if done < start:
            pieces.append(Piece(held[done:start], False))
        self._held = held[start:]
        return pieces

    def _header(self, block: bytes) -> Header | None:
        """Return the header if the 8 bytes are an undamaged one. An answer frame has none."""
        if block not in self._headers:
            word = int.from_bytes(block[: bch.HEADER.word_bits // 8], "big")
            if bch.HEADER.encode(word) != block or Header.from_word(word).type == FrameType.ANSWER:
                return None
            self._headers[block] = Header.from_word(word)
        return self._headers[block]

    def _answer(self, block: bytes) -> AnswerHeader | None:
        """Return the answer if the 8 bytes are an undamaged one, of any model."""
        decoded = AnswerHeader.decode(block)
        return decoded[0] if decoded and decoded[0].encode() == block else None

    def _end(self, start: int, final: bool) -> int | None:
        """Return the end of the frame at `start`; `start` if there is none, None if more bytes are needed to decide."""
        body = start + len(SYNC)
        undecided = start if final else None
        if len(self._held) < start + START_BYTES:
            return undecided
        block = self._held[body : start + START_BYTES]
        header = self._header(block)
        if header is None:
            return self._answer_end(start, block, undecided)
        if header.type != FrameType.FEATURE:
            return self._control_end(start, undecided)
        sizes = self._sizes.get(header.model, [])
        if header.chunk >= len(sizes):
            self.unknown += 1
            return start
        secured = header.device in self._secured
        end = body + (self._secured_size(header) if secured else sizes[header.chunk])
        frame = self._held[body:end]
        if len(frame) < end - body:
            self.cut += final
            return undecided
        if not secured and any(check_crc(frame, bundle.number) for bundle in self._models[header.model]):
            return end
        inside = self._start_inside(start, end, final)
        if inside == end or inside is None:
            return inside
        self.cut += 1
        return start

    def _secured_size(self, header: Header) -> int:
        """Return the bytes of a secured frame without sync word."""
        return SecuredLayout(self._models[header.model][0].chunk_bits(header.chunk)).size

    def _answer_end(self, start: int, block: bytes, undecided: int | None) -> int | None:
        answer = self._answer(block)
        if answer and answer.answer.index < self._classes.get(answer.model, 0):
            end = start + START_BYTES + HEADER_TAG_BYTES * (answer.device in self._secured)
            return end if end <= len(self._held) else undecided
        self.unknown += answer is not None and answer.model not in self._classes
        return start

    def _control_end(self, start: int, undecided: int | None) -> int | None:
        body = start + len(SYNC)
        size = control_size(self._held[body : body + START_BYTES])
        if size is None or len(self._held) < body + size:
            return undecided
        control = parse_control(self._held[body : body + size])
        if control is None:
            return start
        self._note_key(control)
        return body + size

    def _note_key(self, control: Control) -> None:
        """Note whether a board holds a key, if this reply tells it."""
        is_key_state = control.opcode == Opcode.KEY | REPLY_BIT and len(control.data) >= KeyState.FORMAT.size
        if control.opcode == SECURED_STATUS or (is_key_state and KeyState.unpack(control.data).has_key):
            self._secured.add(control.header.device)
        elif is_key_state or control.opcode == Opcode.STATUS | REPLY_BIT:
            self._secured.discard(control.header.device)

    def _start_inside(self, start: int, end: int, final: bool) -> int | None:
        """Return the start of another frame in this one; `end` if none, None if more bytes are needed to decide."""
        while (start := _find_sync(self._held, start + 1, end)) < end:
            block = self._held[start + len(SYNC) : start + START_BYTES]
            if len(block) < HEADER_BYTES and not final:
                return None
            if len(block) == HEADER_BYTES and (self._header(block) or self._answer(block)):
                return start
        return end


def _find_sync(data: bytes, first: int, end: int) -> int:
    """Return the first position in first..end where a sync word, perhaps incomplete, starts; else `end`."""
    position = data.find(SYNC, first, end + len(SYNC) - 1)
    if position >= 0:
        return position
    for size in range(len(SYNC) - 1, 0, -1):
        if first <= len(data) - size < end and data.endswith(SYNC[:size]):
            return len(data) - size
    return end


def _sizes(bundle: Bundle) -> list[int]:
    """Return the bytes of a feature frame without sync word, per chunk."""
    return [bundle.chunk_layout(chunk).size for chunk in range(len(bundle.chunks))]
