"""Finds frames in a stream of bytes in which any bit may be flipped and any byte may be missing."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from host.events import ControlFrame, Event, UnknownModel
from host.frames import feature_frame, is_clean, layout_of
from host.headers import Headers
from host.sources import Source
from host.sync import find_syncs
from wire.bundle import Bundle
from wire.control import control_size, parse_control
from wire.frame import HEADER_BYTES, SYNC, FrameType, Header

START_BYTES = len(SYNC) + HEADER_BYTES
# A longer reply than any board sends is a damaged length field; waiting for it would hold up what follows.
MAX_REPLY_BYTES = 256
# Of a frame that was cut short, fewer payload bytes than this fraction are no image any more.
LEAST_RECEIVED = 0.5
PIECE_BYTES = 4096


class _Step(NamedTuple):
    """What stands at one sync word: an event or nothing, where it ends, and where to search on."""

    event: Event | None
    end: int
    resume: int


class Receiver:
    """Feed it bytes as they come; it gives back what they hold, in order, however they are cut.

    What fails is searched again from the byte after its sync word, and so is what lies inside a feature frame
    whose CRC-16 failed: a frame that lost bytes hides the start of the next one. A frame that is not complete
    yet is waited for; `flush`, called when the line has been quiet, settles it.
    """

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        self._headers = Headers(bundles)
        self._buffer = b""
        self._counted = 0  # bytes at the buffer's start that are known to be garbage or part of a frame
        self._syncs: list[tuple[int, int]] = []
        self.garbage_bytes = 0
        self.sources: dict[tuple[int, str], Source] = {}  # by device and model_id

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
        self._buffer = self._buffer[count:]

    def _frame_at(self, start: int, flips: int, final: bool) -> _Step | None:
        """What starts at this sync word; None while that cannot be said yet."""
        nothing = _Step(None, start, start + 1)
        if len(self._buffer) < start + START_BYTES:
            return nothing if final else None
        header = self._header_at(start)
        if header is None:
            return nothing
        if self._headers.unknown(header):
            return _Step(UnknownModel(header), start + START_BYTES, start + 1)
        if not final and self._incomplete(start + len(SYNC), header):
            return None
        find = self._reply if header.type == FrameType.REPLY else self._feature
        return find(start, header, flips) or nothing

    def _header_at(self, start: int) -> Header | None:
        return self._headers.read(self._buffer[start + len(SYNC) : start + START_BYTES])

    def _incomplete(self, body: int, header: Header) -> bool:
        """Whether bytes of the frame with this header, which starts at `body`, are still to come."""
        have = len(self._buffer) - body
        if header.type == FrameType.REPLY:
            size = control_size(self._buffer[body:])
            return size is None or have < size <= MAX_REPLY_BYTES
        return have < max(layout_of(bundle, header).size for bundle in self._headers.bundles(header))

    def _reply(self, start: int, header: Header, _flips: int) -> _Step | None:
        """The reply at this sync word, if its CRC-32 is right once its header has been corrected."""
        rest = self._buffer[start + START_BYTES : start + len(SYNC) + MAX_REPLY_BYTES]
        control = parse_control(header.encode() + rest)
        if control is None:
            return None
        end = start + len(SYNC) + (control_size(header.encode() + rest) or 0)
        return _Step(ControlFrame(control), end, end)

    def _feature(self, start: int, header: Header, flips: int) -> _Step | None:
        """The feature frame at this sync word, clean, damaged or cut short; None when too little came."""
        body = self._buffer[start + len(SYNC) :]
        choices = self._headers.bundles(header)
        clean = next((bundle for bundle in choices if is_clean(body, header, bundle)), None)
        bundle = clean or self._likely(header, choices)
        if bundle is None:
            return None
        layout = layout_of(bundle, header)
        end = min(start + len(SYNC) + layout.size, len(self._buffer))
        next_start = None if clean else self._next_start(start, end)
        body = body[: (next_start or end) - start - len(SYNC)]
        if len(body[layout.payload]) < LEAST_RECEIVED * layout.payload_bytes:
            return None
        source = self.sources.setdefault((header.device, bundle.model_id), Source())
        frame = feature_frame(body, header, bundle, flips, clean is not None, source)
        if clean or source.received > 1:
            self._headers.know(header)
        # The last bytes of a damaged frame may be the start of the next one, which is not all there yet.
        resume = end if clean else next_start or max(start + START_BYTES, end - START_BYTES + 1)
        return _Step(frame, next_start or end, resume)

    def _likely(self, header: Header, choices: Sequence[Bundle]) -> Bundle | None:
        """Of several bundles with the same model bits, the one that this device has used before."""
        if len(choices) == 1:
            return choices[0]
        return next((b for b in choices if (header.device, b.model_id) in self.sources), None)

    def _next_start(self, start: int, end: int) -> int | None:
        """Where another frame starts inside the one from start to end, with its whole header inside too."""
        for inside, _ in self._syncs:
            if start < inside <= end - START_BYTES:
                header = self._header_at(inside)
                if header and self._headers.plausible(header):
                    return inside
        return None
