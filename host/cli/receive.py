"""`inkling receive`: receive and classify what boards or a gateway send."""

import argparse
import threading
import time
from collections import Counter, defaultdict

from host.board.errors import describe
from host.board.port import Port
from host.board.read_ahead import ReadAhead
from host.classify.classifier import Classifier
from host.cli.arguments import open_port
from host.cli.output import Output, lost_text, reading_parts
from host.cli.preview import PreviewFolder
from host.cli.reports.devices import DeviceReports
from host.cli.reports.notes import Notes
from host.cli.reports.trust import RefusalNotes, Trust
from host.errors import HostError, PortError
from host.receive.board_text import Cause, TextWatch
from host.receive.events import AnswerFrame, ControlFrame, Event, FeatureFrame, Refused, UnknownModel
from host.receive.frames import FrameParser
from host.receive.radio import Gateways, PacketReceiver
from host.receive.senders.state import StateFile
from host.receive.stream import StreamReceiver
from host.tasks.files import load_all as load_tasks
from wire.bundle import load as load_bundle
from wire.control import Control, ErrorReply, Opcode
from wire.frame import QUIET_S
from wire.system import stop_signals

RETRY_S = 1.0
POLL_S = 0.1  # delay of a signal
# Silence before a note. A board with a camera may rightly send nothing for hours, so this is no fault by itself.
SILENCE_NOTE_S = 600.0
# A note on garbage needs this many more bytes, and this much time since the last note.
GARBAGE_NOTE_BYTES, GARBAGE_NOTE_S = 1000, 10.0
# Frames before a note on an unknown model: on a noisy line, one header in 10,000 may seem to be of another model.
UNKNOWN_MODEL_FRAMES = 2


class Listener:
    """Receiver and classifier of one port, with output and counters that outlast a reconnection."""

    def __init__(self, options: argparse.Namespace) -> None:
        bundles = [load_bundle(path) for path in dict.fromkeys(options.bundle)]
        trust = Trust.of(options)
        self._keyed = bool(trust.policies)
        self._arrived = time.monotonic()  # when the bytes that are being handled arrived
        self._parser = parser = FrameParser(bundles, lambda: self._arrived, trust.policies, trust.require)
        self._state = StateFile(trust.state, for_keys=self._keyed) if trust.state else None
        if self._state:
            parser.restore(self._state.load())
            parser.gate.restore(self._state.load_accepted())
        for device, counter in trust.counters.items():
            parser.gate.expect_counter(device, counter)
        if trust.taken:
            parser.gate.use_taken(trust.taken)
        self.output = Output(options.json)
        self.stopped = threading.Event()
        self.busy = False  # with a port, until everything received is written
        self._losses, self._unknown_models, self._board_errors, self._garbage = (Notes(self.output) for _ in range(4))
        self._devices = DeviceReports(self.output)
        self._refusals = RefusalNotes(self.output)
        self._announced = self._sharing = False
        self._baud = options.baud
        self._max_silence_s = options.max_silence
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
        self._text = TextWatch()
        self._causes: defaultdict[str, Notes] = defaultdict(lambda: Notes(self.output))  # by meaning

    @property
    def done(self) -> bool:
        """True after --count frames, Ctrl-C or SIGTERM."""
        return self.stopped.is_set() or (self._count is not None and self._frames >= self._count)

    def listen(self, port: Port) -> None:
        """Receive until done. Raises PortError if the port is disconnected, or silent for longer than --max-silence."""
        if not self._announced:
            self.output.line(f"listening on {port.url} for {self._models}")
            self._announced = True
        self.busy = True
        self._devices.resume()
        with ReadAhead(port) as line:
            self._read(port, line)
        self.flush()
        self.busy = False

    def _read(self, port: Port, line: ReadAhead) -> None:
        heard, noted_s = time.monotonic(), 0.0
        while not self.done:
            data, now = line.read(POLL_S)
            silent_s = now - heard
            if data:
                if noted_s:
                    self._note_silence(port, "heard", silent_s, f"bytes from {port.url} again")
                heard, noted_s = now, 0.0
                self._arrived = now
            elif silent_s >= (self._max_silence_s or max(SILENCE_NOTE_S, 2 * noted_s)):
                noted_s = silent_s
                self._note_silence(port, "silent", silent_s, f"nothing from {port.url}: check the board and the line")
            if data:
                self._note_text(self._text.feed(data))
                self._handle(self._receiver.feed(data))
            elif silent_s >= QUIET_S:
                self.flush()
            self._devices.check()
            self._note_sharing(port)

    def lost(self, error: PortError, waiting: bool) -> None:
        """Note that the port is lost or missing and is waited for; `waiting`: so it was before, for the same reason."""
        self.flush()
        self._devices.pause()
        self.busy = False
        if not waiting and self._losses.add(f"{error}; waiting for it to come back"):
            self._announced = False
            self.output.json_line(event="lost", reason=str(error))

    def flush(self) -> None:
        """Handle the truncated frame and the line of text at the end of a connection, if there are any."""
        self._note_text(self._text.flush())
        self._handle(self._receiver.flush())

    def finish(self) -> None:
        """Print the notes left out, and one line on everything received."""
        kinds = (self._losses, self._unknown_models, self._board_errors, self._garbage)
        for notes in (*kinds, *self._causes.values()):
            notes.flush()
        self._devices.flush()
        self._refusals.flush()
        if self._state:
            self._state.close()
        self.output.note(self._summary())

    def _summary(self) -> str:
        totals, gateways = self._parser.totals, self._gateways
        by_radio = (
            f"; {gateways.packets} packets by radio, {gateways.lost} lost between gateway and host, "
            f"{gateways.foreign} foreign"
            f"{f', {gateways.damaged_statuses} damaged status frames' if gateways.damaged_statuses else ''}"
        )
        answers = f" ({self._answers} answers, {self._unsure} of them unsure)" if self._answers else ""
        return (
            f"{self._frames} frames{answers}, {lost_text(totals.lost, totals.certainty)}, "
            f"{totals.duplicates} duplicates, {totals.late} late, "
            f"{f'{self._refusals.count} refused, ' if self._refusals.count else ''}"
            f"{self._unknown.total()} of unknown models, {self._receiver.garbage_bytes} bytes of garbage"
            f"{by_radio if gateways.packets else ''}{f'; {self.output.missed}' if self.output.missed else ''}"
        )

    def _handle(self, events: list[Event]) -> None:
        changed: set[tuple[int, str]] = set()
        for received in events:
            event: Event | None = received
            if isinstance(received, ControlFrame):
                self._note_error(received.control)
                event = self._gateways.take(received.control)
                self._take_control(received, event)
            if isinstance(event, FeatureFrame | AnswerFrame) and not self.done:
                source = event.device, event.model.model_id
                changed.add(source)
                if self._keyed:  # a host that is killed after the reading must not accept the frame again
                    self._save({source})
                self._show(event)
                self._devices.hear_image(event)
            elif isinstance(event, UnknownModel):
                self._note_unknown_model(event)
            elif isinstance(event, Refused):
                self._refusals.add(event.device, event.reason)
        if changed and not self._keyed:
            self._save(changed)
        self._note_garbage()

    def _take_control(self, received: ControlFrame, event: Event | None) -> None:
        """Report a control frame from the line. event: what it contains, if it is a gateway's packet."""
        for frame in (received, event):
            if isinstance(frame, ControlFrame) and frame.status and self._keyed:
                self._save(set())
            if isinstance(frame, ControlFrame) and frame.refusal:
                self._refusals.add(frame.control.header.device, frame.refusal)
        self._devices.hear_control(received, event, self._gateways.clashing)

    def _save(self, changed: set[tuple[int, str]]) -> None:
        if self._state:
            try:
                self._state.save(self._parser.sources, changed, self._parser.gate.accepted)
            except HostError as error:
                self.output.miss("states not saved", str(error))

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
        order += "  unexpected" if frame.place.unexpected else ""
        self.output.line(
            f"{time.strftime('%H:%M:%S')}  device {frame.device:<3}  ",
            *reading_parts(reading),
            f"  {lost_text(frame.place.lost_so_far, frame.place.certainty_so_far)}{order}",
        )

    def _note_silence(self, port: Port, event: str, seconds: float, text: str) -> None:
        """Note the beginning or end of a silence. Raises PortError if it is longer than --max-silence."""
        self.output.json_line(event=event, port=port.url, seconds=round(seconds, 1))
        if event == "silent" and self._max_silence_s:
            raise PortError(f"lost {port.url}: nothing received for {self._max_silence_s:g} s")
        self.output.note(f"{text} (after {seconds:.0f} s of silence)")

    def _note_sharing(self, port: Port) -> None:
        """Note once that another program takes some of the bytes, where the system names it."""
        if not self._sharing and (names := port.other_readers()):
            self._sharing = True
            self.output.note(f"{', '.join(names)} also reads {port.url} and takes some of its bytes: close it")

    def _note_unknown_model(self, event: UnknownModel) -> None:
        device, model = event.header.device, event.header.model
        self._unknown[device, model] += 1
        if self._unknown[device, model] == UNKNOWN_MODEL_FRAMES:
            self._unknown_models.add(
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
            self._board_errors.add(f"device {device} reported an error: {describe(reply)}")

    def _note_text(self, causes: list[Cause]) -> None:
        """Note what boards say in plain text; a frequent cause hides no other."""
        for cause in causes:
            self._causes[cause.meaning].add(str(cause))

    def _note_garbage(self) -> None:
        total, now = self._receiver.garbage_bytes, time.monotonic()
        if total - self._garbage_bytes >= GARBAGE_NOTE_BYTES and now - self._garbage_time >= GARBAGE_NOTE_S:
            self._garbage_bytes, self._garbage_time = total, now
            advice = (
                f"they are text at the right baud rate, such as {self._text.text!r}, of a board or another program"
                if 2 * self._text.text_bytes > total
                else f"check the baud rate ({self._baud}), and the line for noise"
            )
            self._garbage.add(f"{total} bytes so far belong to no frame: {advice}")


def run(options: argparse.Namespace) -> int:
    """Receive until done or until the port is disconnected, and return the exit status: 1 if output is missing."""
    listener = Listener(options)
    try:
        with stop_signals(listener.stopped.set):
            _listen(listener, options)
    except KeyboardInterrupt:  # the second signal, while something blocks
        listener.finish()
        if listener.busy:  # a reading may be cut
            raise
        return 1 if listener.output.missed else 0
    except PortError:
        if listener.busy:  # the port was open
            listener.finish()
        raise
    listener.finish()
    return 1 if listener.output.missed else 0


def _listen(listener: Listener, options: argparse.Namespace) -> None:
    """Receive until done. Raises PortError if the port is missing or lost, unless --reconnect is given."""
    before = ""
    while not listener.done:
        try:
            with open_port(options) as port:
                before = ""
                listener.listen(port)
        except PortError as error:
            if not options.reconnect:
                listener.flush()
                raise
            listener.lost(error, waiting=str(error) == before)
            before = str(error)
            listener.stopped.wait(RETRY_S)
