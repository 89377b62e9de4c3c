"""Finds frames in a stream of bytes in which any bit may be flipped and any byte may be missing."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from host.receive.events import ControlFrame, Event, UnknownModel
from host.receive.frames import Frames
from host.receive.headers import Match
from host.receive.sources import Source
from host.receive.sync import find_syncs
from wire.control import Packet, control_size, parse_control, reply
from wire.frame import HEADER_BYTES, SYNC, FrameType, Header
from wire.model import Model

START_BYTES = len(SYNC) + HEADER_BYTES
# A longer reply than any board sends, a radio's longest packet, is a damaged length field; waiting for it would hold up
# what follows.
MAX_REPLY_BYTES = len(reply(0, 0, bytes(Packet.FORMAT.size + 255), 0, 0)) - len(SYNC)
# Of a frame that was cut short, fewer payload bytes than this fraction are no image any more.
LEAST_RECEIVED = 0.5
PIECE_BYTES = 4096


class _Step(NamedTuple):
    """What stands at one sync word: an event or nothing, where it ends, and where to search on."""

    event: Event | None
    end: int
    resume: int


class StreamReceiver:
    """Feed it bytes as they come; it gives back what they hold, in order, however they are cut.

    What fails is searched again from the byte after its sync word, and so is what lies inside a feature frame
    whose CRC-16 failed: a frame that lost bytes hides the start of the next one. A frame that is not complete
    yet is waited for; `flush`, called when the line has been quiet, settles it. frames: shared with a PacketReceiver
    by which the same devices may be heard.
    """

    def __init__(self, models: Sequence[Model], frames: Frames | None = None) -> None:
        self._frames = frames or Frames(models)
        self._headers = self._frames.headers
        self._buffer = b""
        self._counted = 0  # bytes at the buffer's start that are known to be garbage or part of a frame
        self._clean_end = 0  # where a clean frame ends that has been given out; nothing inside but another clean one
        self._syncs: list[tuple[int, int]] = []
        self.garbage_bytes = 0
        self.longest_reply = MAX_REPLY_BYTES  # bytes after the sync word; more while a long one is awaited

    @property
    def sources(self) -> dict[tuple[int, str], Source]:
        """What is known of each sender, by device and model_id."""
        return self._frames.sources

    @property
    def waiting_bytes(self) -> int:
        """Bytes that are kept because a frame may start in them."""
        return len(self._buffer)

    def expect(self, headers: Iterable[Header]) -> None:
        """Take these headers for plausible until the next call, as answers to a pending command."""
        self._headers.expect(headers)

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes of the stream."""
        events: list[Event] = []
        for first in range(0, len(data), PIECE_BYTES):
            self._buffer += data[first : first + PIECE_BYTES]
            events += self._search(final=False)
        return events

    def flush(self) -> list[Event]:
        """Nothing more will come of what has begun: settle it, and forget the rest."""
        events = self._search(final=True)
        self._drop(len(self._buffer))
        return events

    def _search(self, final: bool) -> list[Event]:
        events: list[Event] = []
        self._syncs = find_syncs(self._buffer)
        position = 0
        for start, flips in self._syncs:
            if start < position:
                continue
            step = self._frame_at(start, flips, final)
            if step is None:
                self._drop(start)
                return events
            position = step.resume
            if step.event is not None:
                events.append(step.event)
                self._count(start, step.end)
        self._drop(max(position, len(self._buffer) - len(SYNC) + 1))
        return events

    def _count(self, start: int, end: int) -> None:
        self.garbage_bytes += max(0, start - self._counted)
        self._counted = max(self._counted, end)

    def _drop(self, count: int) -> None:
        """Forget the first bytes; those that no frame has claimed were garbage."""
        count = max(0, min(count, len(self._buffer)))
        self._count(count, count)
        self._counted -= count
        self._clean_end = max(0, self._clean_end - count)
        self._buffer = self._buffer[count:]

    def _frame_at(self, start: int, flips: int, final: bool) -> _Step | None:
        """What starts at this sync word; None while that cannot be said yet."""
        nothing, hidden = _Step(None, start, start + 1), start < self._clean_end
        if hidden and flips:
            return nothing
        if len(self._buffer) < start + START_BYTES:
            return nothing if final else None
        match = self._header_at(start, flips)
        if match is None or (hidden and (match.flips or match.header.type != FrameType.FEATURE)):
            return nothing
        if self._headers.unknown(match.header):
            return _Step(UnknownModel(match.header), start + START_BYTES, start + 1)
        if not final and self._incomplete(start + len(SYNC), match.header):
            return None
        if match.header.type == FrameType.REPLY:
            return self._reply(start, match.header) or nothing
        return self._feature(start, match, flips, hidden) or nothing

    def _header_at(self, start: int, flips: int) -> Match | None:
        return self._headers.read(self._buffer[start + len(SYNC) : start + START_BYTES], flips)

    def _incomplete(self, body: int, header: Header) -> bool:
        """Whether bytes of the frame with this header, which starts at `body`, are still to come."""
        have = len(self._buffer) - body
        if header.type == FrameType.REPLY:
            size = control_size(self._buffer[body:])
            return size is None or have < size <= self.longest_reply
        return have < max(model.chunk_layout(header.chunk).size for model in self._headers.models(header))

    def _reply(self, start: int, header: Header) -> _Step | None:
        """The reply at this sync word, if its CRC-32 is right once its header has been corrected."""
        rest = self._buffer[start + START_BYTES : start + len(SYNC) + self.longest_reply]
        control = parse_control(header.encode() + rest)
        if control is None:
            return None
        end = start + len(SYNC) + (control_size(header.encode() + rest) or 0)
        return _Step(ControlFrame(control), end, end)

    def _feature(self, start: int, match: Match, flips: int, hidden: bool) -> _Step | None:
        """The feature frame at this sync word, clean, damaged or cut short; None when too little came."""
        body = self._buffer[start + len(SYNC) :]
        model, clean = self._frames.owner(body, match.header)
        if model is None or (hidden and not clean):
            return None
        layout = model.chunk_layout(match.header.chunk)
        end = min(start + len(SYNC) + layout.size, len(self._buffer))
        next_start = None if clean else self._next_start(start, end)
        # The next frame may start as early as within this one's sync word.
        body = body[: max(0, (next_start or end) - start - len(SYNC))]
        if len(body[layout.payload]) < LEAST_RECEIVED * layout.payload_bytes:
            return None
        frame = self._frames.event(body, match, model, clean, flips)
        if clean:
            self._clean_end = max(self._clean_end, end)
            return _Step(frame, end, self._hidden_start(start, end))
        # The last bytes of a damaged frame may be the start of the next one, which is not all there yet.
        return _Step(frame, next_start or end, next_start or max(start + START_BYTES, end - START_BYTES + 1))

    def _next_start(self, start: int, end: int) -> int | None:
        """Where another frame starts inside the one from start to end, with its whole header inside too."""
        for inside, flips in self._syncs:
            if start < inside <= end - START_BYTES:
                match = self._header_at(inside, flips)
                if match and self._headers.plausible(match.header):
                    return inside
        return None

    def _hidden_start(self, start: int, end: int) -> int:
        """Where an undamaged sync word, or as much of one as is there, starts inside a clean frame; its end if nowhere.

        One frame in 65536 that lost bytes has a right CRC-16 together with the head of the frame behind it.
        """
        inside = self._buffer.find(SYNC, start + 1, end + len(SYNC) - 1)
        if inside >= 0:
            return inside
        heads = (end - k for k in range(len(SYNC) - 1, 0, -1))
        return next((at for at in heads if at > start and SYNC.startswith(self._buffer[at:])), end)
