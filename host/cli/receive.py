"""`inkling receive`: listen on a port and say what the boards there see."""

import argparse
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from host.board.errors import in_words
from host.board.port import Port
from host.classify.classifier import Classifier
from host.cli.arguments import open_port
from host.cli.output import JsonLines, Screen, reading_parts
from host.errors import PortError
from host.receive.events import ControlFrame, Event, FeatureFrame, UnknownModel
from host.receive.frames import FrameParser
from host.receive.radio import Gateways, PacketReceiver
from host.receive.stream import StreamReceiver
from wire import bundle as bundles
from wire.control import Control, ErrorReply, Opcode

# A frame that stops in the middle is settled after this much silence.
QUIET_S = 0.5
RETRY_S = 1.0
GARBAGE_EVERY_BYTES, GARBAGE_EVERY_S = 1000, 10.0
# One header in ten thousand of a very noisy line may look like another model's.
SURE = 2


class _Session:
    """What has been received, and where it is told."""

    def __init__(self, options: argparse.Namespace) -> None:
        loaded = [bundles.load(path) for path in dict.fromkeys(options.bundle)]
        self.screen = Screen(options.json)
        parser = FrameParser(loaded)
        self.receiver = StreamReceiver(loaded, parser)
        self.stopped = threading.Event()
        self._frames = 0
        self._count = options.count
        self._reader = Classifier.of(loaded)
        self._gateways = Gateways(PacketReceiver(loaded, parser))
        self._complaints: set[tuple[int, int]] = set()  # by device and error code
        self._json = JsonLines(options.json) if options.json else None
        self._baud = options.baud
        self._strangers: Counter[tuple[int, int]] = Counter()  # by device and model bits
        self._garbage_told, self._garbage_time = 0, -GARBAGE_EVERY_S
        self._models = ", ".join(f"{bundle.name} {bundle.model_id}" for bundle in loaded)

    @property
    def done(self) -> bool:
        """As many frames have come as were asked for, or somebody has pressed Ctrl-C."""
        return self.stopped.is_set() or (self._count is not None and self._frames >= self._count)

    def listen(self, port: Port) -> None:
        """Receive until done. PortError when the port goes."""
        self.screen.line(f"listening on {port.url} for {self._models}")
        while not self.done:
            data = port.read(QUIET_S)
            self.take(self.receiver.feed(data) if data else self.receiver.flush())

    def take(self, events: list[Event]) -> None:
        """Tell what has come."""
        for event in events:
            if isinstance(event, ControlFrame):
                self._complaint(event.control)
                found = self._gateways.take(event.control)
            else:
                found = event
            if isinstance(found, FeatureFrame) and not self.done:
                self._show(found)
            elif isinstance(found, UnknownModel):
                self._stranger(found)
        self._tell_garbage()

    def summary(self) -> str:
        """One line about the whole time."""
        sources, gateways = self.receiver.sources.values(), self._gateways
        by_radio = (
            f"; {gateways.packets} packets by radio, {gateways.lost} lost on this line, {gateways.foreign} not ours"
        )
        return (
            f"{self._frames} frames, {sum(s.lost for s in sources)} lost, {sum(s.duplicates for s in sources)} "
            f"duplicates, {sum(s.late for s in sources)} late, "
            f"{self._strangers.total()} of unknown models, {self.receiver.garbage_bytes} bytes of garbage"
            f"{by_radio if gateways.packets else ''}"
        )

    def _show(self, frame: FeatureFrame) -> None:
        self._frames += 1
        reading = self._reader.read(frame)
        lost = frame.place.lost_so_far
        order = "  duplicate" if frame.place.duplicate else "  late" if frame.place.late else ""
        parts = reading_parts(reading)
        self.screen.line(f"{time.strftime('%H:%M:%S')}  device {frame.device:<3}  ", *parts, f"  {lost} lost{order}")
        if self._json:
            self._json.write(**reading.as_json())

    def _stranger(self, event: UnknownModel) -> None:
        header = event.header
        self._strangers[header.device, header.model] += 1
        if self._strangers[header.device, header.model] == SURE:
            self.screen.note(
                f"device {header.device} sends frames of an unknown model (its id ends in the 5 bits "
                f"{header.model:05b}; at hand: {self._models}): give its bundle too; they are passed over"
            )

    def _complaint(self, control: Control) -> None:
        """What a board says unasked that it cannot do, told once."""
        if control.opcode != Opcode.ERROR or len(control.data) < ErrorReply.FORMAT.size:
            return
        reply, device = ErrorReply.unpack(control.data), control.header.device
        if (device, reply.code) not in self._complaints:
            self._complaints.add((device, reply.code))
            self.screen.note(f"device {device} has a problem: {in_words(reply)}")

    def _tell_garbage(self) -> None:
        new, now = self.receiver.garbage_bytes - self._garbage_told, time.monotonic()
        if new >= GARBAGE_EVERY_BYTES and now - self._garbage_time >= GARBAGE_EVERY_S:
            self._garbage_told, self._garbage_time = self.receiver.garbage_bytes, now
            self.screen.note(
                f"{self._garbage_told} bytes so far belong to no frame: noise, or is {self._baud} baud wrong?"
            )


def run(options: argparse.Namespace) -> int:
    """Receive until the count is reached, the port goes or Ctrl-C; the exit status."""
    session = _Session(options)
    told = False
    with _signals(session.stopped):
        while not session.done:
            try:
                with open_port(options) as port:
                    told = False
                    session.listen(port)
            except PortError as error:
                session.take(session.receiver.flush())
                if not options.reconnect:
                    raise
                if not told:
                    session.screen.note(f"{error}; waiting for it to come back")
                told = True
                session.stopped.wait(RETRY_S)
    session.take(session.receiver.flush())
    session.screen.note(session.summary())
    return 0


@contextmanager
def _signals(stopped: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM only set a flag meanwhile: no line is left half written."""
    before = {name: signal.signal(name, lambda *_: stopped.set()) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
