"""Where the frames lie in a clean uplink: exact sync, exact header, the length that bundle or length field gives."""

from collections.abc import Sequence
from typing import NamedTuple

from channel_sim.channels.channel import ChannelError
from wire import bch
from wire.bundle import Bundle
from wire.control import control_size, parse_control
from wire.frame import HEADER_BYTES, SYNC, FeatureLayout, FrameType, Header, check_crc

START_BYTES = len(SYNC) + HEADER_BYTES


class Piece(NamedTuple):
    """A part of the stream: one whole feature frame, sync included, or bytes between feature frames."""

    data: bytes
    is_frame: bool


class Framer:
    """Cuts what boards send into feature frames and the rest (replies, boot text), in order, nothing left out.

    The pieces depend on the bytes alone, not on how they come. A frame is held until it is whole; `settle`,
    called when the line has been quiet or the board has gone, gives back what is held. A frame that a reset cut
    short is found out by the start of another inside it, and is no frame then; nor is one of a model without
    a bundle. One whose CRC-16 is wrong without such a start was damaged before, and is a frame.

    ValueError for bundles that a header's 5 model bits cannot tell apart and whose frames differ in length.
    """

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        self._models: dict[int, list[Bundle]] = {}
        self._sizes: dict[int, list[int]] = {}  # model bits -> bytes of a frame without sync, for each chunk
        for bundle in bundles:
            model, sizes = bundle.model_bits, _sizes(bundle)
            alike = self._models.setdefault(model, [])
            if self._sizes.setdefault(model, sizes) != sizes:
                raise ChannelError(f"bundles {alike[0].name} and {bundle.name} have the same 5 model bits: give one")
            alike.append(bundle)
        self._headers: dict[bytes, Header] = {}  # the few that boards really send
        self._held = b""
        self.cut = 0
        self.unknown = 0

    @property
    def held_bytes(self) -> int:
        """Bytes that wait for the rest of their frame."""
        return len(self._held)

    def feed(self, data: bytes) -> list[Piece]:
        """Take the next bytes of the stream."""
        self._held += data
        return self._split(final=False)

    def settle(self) -> list[Piece]:
        """Nothing more will come of what has begun."""
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
            is_frame = self._header(held[start + len(SYNC) : start + START_BYTES]).type == FrameType.FEATURE
            pieces.append(Piece(held[start:end], is_frame))
            done = start = end
        if done < start:
            pieces.append(Piece(held[done:start], False))
        self._held = held[start:]
        return pieces

    def _header(self, block: bytes) -> Header | None:
        """The header of 8 bytes that are exactly one."""
        if block not in self._headers:
            word = int.from_bytes(block[: bch.WORD_BITS // 8], "big")
            if bch.encode(word) != block:
                return None
            self._headers[block] = Header.from_word(word)
        return self._headers[block]

    def _end(self, start: int, final: bool) -> int | None:
        """Where the frame that starts here ends; `start` when none does, None while that cannot be said yet."""
        body = start + len(SYNC)
        unsettled = start if final else None
        if len(self._held) < start + START_BYTES:
            return unsettled
        header = self._header(self._held[body : start + START_BYTES])
        if header is None or header.type == FrameType.RESERVED:
            return start
        if header.type != FrameType.FEATURE:
            return self._control_end(start, unsettled)
        sizes = self._sizes.get(header.model, [])
        if header.chunk >= len(sizes):
            self.unknown += 1
            return start
        end = body + sizes[header.chunk]
        frame = self._held[body:end]
        if len(frame) < end - body:
            self.cut += final
            return unsettled
        if any(check_crc(frame, bundle.number) for bundle in self._models[header.model]):
            return end
        inside = self._start_inside(start, end, final)
        if inside == end or inside is None:
            return inside
        self.cut += 1
        return start

    def _control_end(self, start: int, unsettled: int | None) -> int | None:
        body = start + len(SYNC)
        size = control_size(self._held[body : body + START_BYTES])
        if size is None or len(self._held) < body + size:
            return unsettled
        return body + size if parse_control(self._held[body : body + size]) else start

    def _start_inside(self, start: int, end: int, final: bool) -> int | None:
        """Where another frame starts inside this one; `end` when none does, None while that cannot be said yet."""
        while (start := _find_sync(self._held, start + 1, end)) < end:
            block = self._held[start + len(SYNC) : start + START_BYTES]
            if len(block) < HEADER_BYTES and not final:
                return None
            if len(block) == HEADER_BYTES and self._header(block) is not None:
                return start
        return end


def _find_sync(data: bytes, first: int, end: int) -> int:
    """The first place from `first` and before `end` where a sync starts, as far as the bytes go; else `end`."""
    found = data.find(SYNC, first, end + len(SYNC) - 1)
    if found >= 0:
        return found
    for size in range(len(SYNC) - 1, 0, -1):
        if first <= len(data) - size < end and data.endswith(SYNC[:size]):
            return len(data) - size
    return end


def _sizes(bundle: Bundle) -> list[int]:
    """Bytes of a feature frame without sync, for each chunk."""
    return [FeatureLayout(bundle.chunk_bits(chunk)).size for chunk in range(len(bundle.chunks))]
