"""Receiver of frames in a byte stream in which any bit may be flipped and any byte may be missing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from host.keys.policy import DevicePolicy
from host.receive.events import Event, Refused, UnknownModel
from host.receive.frames import FrameParser, frame_layout
from host.receive.matching import Match
from host.receive.sources import Source
from host.receive.sync import find_syncs
from wire.control import Packet, control_size, parse_control, reply
from wire.frame import HEADER_BYTES, SYNC, FrameType, Header
from wire.lora import MAX_PACKET_BYTES
from wire.model import Model

START_BYTES = len(SYNC) + HEADER_BYTES
# The longest reply that a board sends unasked: a radio's longest packet. A larger length field is damaged, and waiting
# for that many bytes would delay the frames that follow.
MAX_REPLY_BYTES = len(reply(0, 0, bytes(Packet.FORMAT.size + MAX_PACKET_BYTES), 0, 0)) - len(SYNC)
# A truncated frame with a smaller share of its payload bytes is dropped.
MIN_RECEIVED_SHARE = 0.5
PIECE_BYTES = 4096


class _Step(NamedTuple):
    """Result at one sync word: an event or None, the position where it ends, and where to resume the search."""

    event: Event | None
    end: int
    resume: int


class StreamReceiver:
    """Receiver of a serial line's bytes. The events do not depend on how the stream is divided into pieces.

    After a failure the search resumes at the byte after the sync word, also inside a feature frame whose CRC-16 is
    wrong: a frame that lost bytes hides the start of the next one. The receiver waits for incomplete frames; call
    `flush` when the line has been silent to settle them. Pass the `parser` of a PacketReceiver if the same devices
    can be heard there, else the policies of devices with a key: of these, only secured frames are accepted.
    """

    def __init__(
        self,
        models: Sequence[Model],
        parser: FrameParser | None = None,
        policies: Mapping[int, DevicePolicy] | None = None,
    ) -> None:
        self._parser = parser or FrameParser(models, policies=policies)
        self._start_bytes = len(SYNC) + self._parser.gate.header_bytes
        self._headers = self._parser.headers
        self._buffer = b""
        self._counted = 0  # bytes at the start of the buffer already counted as garbage or as part of a frame
        self._clean_end = 0  # end of the last clean frame; only another clean frame is accepted before it
        self._awaited: Match | None = None  # of the incomplete frame at the start of the buffer, if it is decoded
        self._syncs: list[tuple[int, int]] = []
        self.garbage_bytes = 0
        self.longest_reply = MAX_REPLY_BYTES  # in bytes after the sync word; increased while a long reply is awaited

    @property
    def sources(self) -> dict[tuple[int, str], Source]:
        """The senders, by device and model_id."""
        return self._parser.sources

    @property
    def waiting_bytes(self) -> int:
        """The number of bytes kept because a frame may start in them."""
        return len(self._buffer)

    def expect(self, headers: Iterable[Header]) -> None:
        """Expect these headers, as answers to a pending command, until the next call."""
        self._headers.expect(headers)

    def expect_counter(self, device: int, counter: int) -> None:
        """Expect the images of a device with a key from this counter on: see `Gate.expect_counter`."""
        self._parser.gate.expect_counter(device, counter)

    def feed(self, data: bytes) -> list[Event]:
        """Return the events in the next bytes of the stream."""
        events: list[Event] = []
        for first in range(0, len(data), PIECE_BYTES):
            self._buffer += data[first : first + PIECE_BYTES]
            events += self._search(final=False)
        return events

    def flush(self) -> list[Event]:
        """Return the events in the bytes kept so far, and drop these bytes: nothing follows them."""
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
        """Drop the first bytes. Those that belong to no frame count as garbage."""
        count = max(0, min(count, len(self._buffer)))
        self._count(count, count)
        self._counted -= count
        self._clean_end = max(0, self._clean_end - count)
        self._buffer = self._buffer[count:]

    def _frame_at(self, start: int, flips: int, final: bool) -> _Step | None:
        """Return the result at a sync word; None while it is undecided."""
        nothing, hidden = _Step(None, start, start + 1), start < self._clean_end
        if hidden and flips:
            return nothing
        if len(self._buffer) < start + (START_BYTES if final else self._start_bytes):
            return nothing if final else None
        match = self._match_at(start, flips)
        if match is None or (hidden and (match.flips or match.header.type == FrameType.REPLY)):
            return nothing
        if self._headers.has_unknown_model(match.header):
            return _Step(UnknownModel(match.header), start + START_BYTES, start + 1)
        if match.header.type != FrameType.REPLY and (refusal := self._parser.gate.refusal(match)):
            return _Step(Refused(match.header.device, refusal), start + self._refused_bytes(match.header), start + 1)
        if match.header.type == FrameType.ANSWER:
            return self._answer(start, match, flips) or nothing
        if not final and self._incomplete(start + len(SYNC), match):
            self._awaited = match
            return None
        if match.header.type == FrameType.REPLY:
            return self._reply(start, match.header) or nothing
        return self._feature(start, match, flips, hidden) or nothing

    def _match_at(self, start: int, flips: int) -> Match | None:
        """Return the match at a sync word. It is sought only once, as searches in a wide window are limited."""
        if start == 0 and self._awaited:
            match, self._awaited = self._awaited, None
            return match
        return self._parser.decode(self._buffer[start + len(SYNC) : start + self._start_bytes], flips)

    def _incomplete(self, body: int, match: Match) -> bool:
        """Return True if the frame with this header, which starts at `body`, is incomplete."""
        received, header = len(self._buffer) - body, match.header
        if header.type == FrameType.REPLY:
            size = control_size(self._buffer[body:])
            return size is None or received < size <= self.longest_reply
        models = [match.proof.model] if match.proof else self._headers.models(header)
        return received < max(frame_layout(match, model).size for model in models)

    def _refused_bytes(self, header: Header) -> int:
        """Return the number of bytes of a plain frame: those of a refused one are no garbage."""
        if header.type == FrameType.ANSWER:
            return START_BYTES
        return max(model.chunk_layout(header.chunk).serial_size for model in self._headers.models(header))

    def _reply(self, start: int, header: Header) -> _Step | None:
        """Return the reply at a sync word if its CRC-32 is correct, with its header corrected."""
        rest = self._buffer[start + START_BYTES : start + len(SYNC) + self.longest_reply]
        control = parse_control(header.encode() + rest)
        if control is None:
            return None
        end = start + len(SYNC) + (control_size(header.encode() + rest) or 0)
        return _Step(self._parser.control_event(control), end, end)

    def _answer(self, start: int, match: Match, flips: int) -> _Step | None:
        """Return the answer frame at a sync word; None if its model is undecidable."""
        frame = self._parser.parse_answer(match, flips)
        if frame is None:
            return None
        end = start + (self._start_bytes if match.proof else START_BYTES)
        # A damaged answer may be a phantom, unless it is authentic, or have lost bytes: then it hides the next frame.
        damaged = flips or match.flips or (match.proof and match.proof.tag_flips)
        return _Step(frame, end, start + 1 if damaged else end)

    def _feature(self, start: int, match: Match, flips: int, hidden: bool) -> _Step | None:
        """Return the feature frame at a sync word: clean, damaged or truncated; None if too little was received."""
        body = self._buffer[start + len(SYNC) :]
        model, clean = self._parser.find_model(body, match)
        if model is None or (hidden and not clean):
            return None
        layout = frame_layout(match, model)
        end = min(start + len(SYNC) + layout.size, len(self._buffer))
        next_start = None if clean else self._next_start(start, end)
        # The next frame may start within this one's sync word.
        body = body[: max(0, (next_start or end) - start - len(SYNC))]
        if len(body[layout.payload]) < MIN_RECEIVED_SHARE * layout.payload_bytes:
            return None
        frame = self._parser.parse(body, match, model, clean, flips)
        if clean:
            self._clean_end = max(self._clean_end, end)
            return _Step(frame, end, self._hidden_start(start, end))
        # The last bytes of a damaged frame may be the incomplete start of the next one: of a short frame, those of its
        # own header, too, which tolerates flips.
        inside = max(start + 1, end - self._start_bytes + 1)
        return _Step(frame, next_start or end, next_start or inside)

    def _next_start(self, start: int, end: int) -> int | None:
        """Return the start of another frame inside the one from start to end, which must contain its whole header."""
        for inside, flips in self._syncs:
            if start < inside <= end - self._start_bytes:
                match = self._match_at(inside, flips)
                if match and self._headers.is_plausible(match.header) and not self._parser.gate.refusal(match):
                    return inside
        return None

    def _hidden_start(self, start: int, end: int) -> int:
        """Return the start of an undamaged sync word, complete or truncated, in a clean frame, else the frame's end.

        One in 65536 frames that lost bytes has a correct CRC-16 by chance, over bytes of the next frame.
        """
        inside = self._buffer.find(SYNC, start + 1, end + len(SYNC) - 1)
        if inside >= 0:
            return inside
        heads = (end - k for k in range(len(SYNC) - 1, 0, -1))
        return next((at for at in heads if at > start and SYNC.startswith(self._buffer[at:])), end)
