"""`inkling receive`: receive and classify what boards or a gateway send."""

import argparse
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from host.board.errors import describe
from host.board.port import Port
from host.classify.classifier import Classifier
from host.cli.arguments import open_port
from host.cli.output import Output, is_noted, reading_parts
from host.cli.preview import PreviewFolder
from host.errors import HostError, PortError
from host.receive.board_text import Cause, TextWatch
from host.receive.events import AnswerFrame, ControlFrame, Event, FeatureFrame, UnknownModel
from host.receive.frames import FrameParser
from host.receive.radio import Gateways, PacketReceiver
from host.receive.stream import StreamReceiver
from host.tasks.files import load_all as load_tasks
from wire.bundle import load as load_bundle
from wire.control import Control, ErrorReply, Opcode
from wire.frame import QUIET_S

RETRY_S = 1.0
# A note on garbage needs this many more bytes, and this much time since the last note.
GARBAGE_NOTE_BYTES, GARBAGE_NOTE_S = 1000, 10.0
# Frames before a note on an unknown model: on a noisy line, one header in 10,000 may seem to be of another model.
UNKNOWN_MODEL_FRAMES = 2


class Listener:
    """Receiver and classifier of one port, with output and counters that outlast a reconnection."""

    def __init__(self, options: argparse.Namespace) -> None:
        bundles = [load_bundle(path) for path in dict.fromkeys(options.bundle)]
        parser = FrameParser(bundles)
        self.output = Output(options.json)
        self.stopped = threading.Event()
        self._baud = options.baud
        self._count = options.count
        self._receiver = StreamReceiver(bundles, parser)
        self._gateways = Gateways(PacketReceiver(bundles, parser))
        self._classifier = Classifier.of(bundles, load_tasks(bundles, options.task))
        self._previews = PreviewFolder(options.preview, bundles) if options.preview else None
        self._models = ", ".join(f"{bundle.name} {bundle.model_id}" for bundle in bundles)
        self._frames = self._answers = self._unsure = 0
        self._errors: set[tuple[int, int]] = set()  # reported: device and error code
        self._unknown: Counter[tuple[int, int]] = Counter()  # by device and model bits
        self._garbage_bytes, self._garbage_time = 0, -GARBAGE_NOTE_S  # at the last note
        self._text, self._causes = TextWatch(), Counter[str]()  # the latter by meaning

    @property
    def done(self) -> bool:
        """True after --count frames, Ctrl-C or SIGTERM."""
        return self.stopped.is_set() or (self._count is not None and self._frames >= self._count)

    def listen(self, port: Port) -> None:
        """Receive until done. Raises PortError if the port is disconnected."""
        self.output.line(f"listening on {port.url} for {self._models}")
        while not self.done:
            data = port.read(QUIET_S)
            self._note_text(self._text.feed(data) if data else self._text.flush())
            self._handle(self._receiver.feed(data) if data else self._receiver.flush())

    def flush(self) -> None:
        """Handle the truncated frame at the end of a connection, if there is one."""
        self._handle(self._receiver.flush())

    def summary(self) -> str:
        """Return one line on everything received."""
        sources, gateways = self._receiver.sources.values(), self._gateways
        by_radio = (
            f"; {gateways.packets} packets by radio, {gateways.lost} lost between gateway and host, "
            f"{gateways.foreign} foreign"
        )
        answers = f" ({self._answers} answers, {self._unsure} of them unsure)" if self._answers else ""
        return (
            f"{self._frames} frames{answers}, {sum(s.lost for s in sources)} lost, "
            f"{sum(s.duplicates for s in sources)} duplicates, {sum(s.late for s in sources)} late, "
            f"{self._unknown.total()} of unknown models, {self._receiver.garbage_bytes} bytes of garbage"
            f"{by_radio if gateways.packets else ''}{f'; {self.output.missed}' if self.output.missed else ''}"
        )

    def _handle(self, events: list[Event]) -> None:
        for received in events:
            event: Event | None = received
            if isinstance(received, ControlFrame):
                self._note_error(received.control)
                event = self._gateways.take(received.control)
            if isinstance(event, FeatureFrame | AnswerFrame) and not self.done:
                self._show(event)
            elif isinstance(event, UnknownModel):
                self._note_unknown_model(event)
        self._note_garbage()

    def _show(self, frame: FeatureFrame | AnswerFrame) -> None:
        reading = self._classifier.read(frame)
        self._frames += 1
        self._answers += isinstance(frame, AnswerFrame)
        self._unsure += reading.unsure
        self.output.json_line(**reading.as_json())
        if self._previews:
            try:
                self._previews.write(reading)
            except HostError as error:
                self.output.miss("previews not written", str(error))
        order = "  duplicate" if frame.place.duplicate else "  late" if frame.place.late else ""
        self.output.line(
            f"{time.strftime('%H:%M:%S')}  device {frame.device:<3}  ",
            *reading_parts(reading),
            f"  {frame.place.lost_so_far} lost{order}",
        )

    def _note_unknown_model(self, event: UnknownModel) -> None:
        device, model = event.header.device, event.header.model
        self._unknown[device, model] += 1
        if self._unknown[device, model] == UNKNOWN_MODEL_FRAMES:
            self.output.note(
                f"device {device} sends frames of an unknown model, which are skipped: pass its bundle too (its model "
                f"id ends in the bits {model:05b}; known models: {self._models})"
            )

    def _note_error(self, control: Control) -> None:
        """Print each unsolicited error of a board once."""
        if control.opcode != Opcode.ERROR or len(control.data) < ErrorReply.FORMAT.size:
            return
        reply, device = ErrorReply.unpack(control.data), control.header.device
        if (device, reply.code) not in self._errors:
            self._errors.add((device, reply.code))
            self.output.note(f"device {device} reported an error: {describe(reply)}")

    def _note_text(self, causes: list[Cause]) -> None:
        """Note what boards say in plain text: each cause at its first, tenth, hundredth time and so on."""
        for cause in causes:
            self._causes[cause.meaning] += 1
            count = self._causes[cause.meaning]
            if is_noted(count):
                self.output.note(f"{cause}{f' ({count} times so far)' if count > 1 else ''}")

    def _note_garbage(self) -> None:
        total, now = self._receiver.garbage_bytes, time.monotonic()
        if total - self._garbage_bytes >= GARBAGE_NOTE_BYTES and now - self._garbage_time >= GARBAGE_NOTE_S:
            self._garbage_bytes, self._garbage_time = total, now
            advice = (
                f"they are text at the right baud rate, such as {self._text.text!r}, of a board or another program"
                if 2 * self._text.text_bytes > total
                else f"check the baud rate ({self._baud}), and the line for noise"
            )
            self.output.note(f"{total} bytes so far belong to no frame: {advice}")


def run(options: argparse.Namespace) -> int:
    """Receive until done or until the port is disconnected, and return the exit status: 1 if output is missing."""
    listener = Listener(options)
    waiting = False
    with _signals(listener.stopped):
        while not listener.done:
            try:
                with open_port(options) as port:
                    waiting = False
                    listener.listen(port)
            except PortError as error:
                listener.flush()
                if not options.reconnect:
                    raise
                if not waiting:
                    listener.output.note(f"{error}; waiting for it to come back")
                waiting = True
                listener.stopped.wait(RETRY_S)
    listener.flush()
    listener.output.note(listener.summary())
    return 1 if listener.output.missed else 0


@contextmanager
def _signals(stopped: threading.Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM only set `stopped`, so that no line of output is cut."""
    before = {name: signal.signal(name, lambda *_: stopped.set()) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
