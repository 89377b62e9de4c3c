"""Output of the commands: plain lines that look the same on a terminal, in a pipe and in a log."""

import sys
import time
from collections import Counter

from rich.console import Console
from rich.text import Text

from host.classify.classifier import Reading
from host.classify.decoder import Prediction
from host.errors import HostError
from host.receive.events import AnswerFrame
from host.receive.senders.track import Certainty
from wire.files import JsonLines
from wire.text import printable

UNSURE = 0.5  # confidence below which a class is dimmed
NONE = f"{'none of these':<19}"  # of a task's classes; as wide as a class with its confidence
STANDARD_OUTPUT = "-"  # as a file of JSON lines

Part = str | tuple[str, str]  # text, or text with a style


class Output:
    """Lines of text, JSON lines if requested, and notes on standard error. Text that is not printable is escaped.

    json_target: file to append JSON lines to, "-" for standard output (lines of text then go to standard error), or
    None. Raises HostError if the file cannot be written. If that happens later, the lines are counted: a service goes
    on. Readings go to the file before they are shown, and with a file, they need not be shown.
    """

    def __init__(self, json_target: str | None = None) -> None:
        self._to_stderr = json_target == STANDARD_OUTPUT
        self._lines = plain_console(stderr=self._to_stderr)
        self._missed: Counter[str] = Counter()  # by what could not be written
        self._json: JsonLines | None = None
        if self._to_stderr:
            # Unbuffered: a buffer drops the rest of a line that was written in part, which joins it to the next one.
            self._json = JsonLines("standard output", getattr(sys.stdout.buffer, "raw", sys.stdout.buffer))
        elif json_target is not None:
            self._json = JsonLines(json_target)
            try:
                self._json.append()
            except OSError as error:
                raise HostError(f"cannot write {json_target}: {error.strerror}") from None

    @property
    def missed(self) -> str:
        """What could not be written and shown so far, with numbers; empty if all was."""
        return ", ".join(f"{count} {what}" for what, count in self._missed.items())

    def line(self, *parts: Part) -> None:
        """Print parts of text as one line. Raises OSError, except if the readings are written as JSON, too."""
        text = Text.assemble(*(printable(p) if isinstance(p, str) else (printable(p[0]), p[1]) for p in parts))
        try:
            self._lines.print(text)
        except OSError as error:
            self._lines = plain_console(stderr=self._to_stderr)  # the old one keeps the line, and would repeat it
            if self._json is None:
                raise
            self.miss("lines not shown", f"lines cannot be shown ({error.strerror})")

    def note(self, text: str) -> None:
        """Print a note on standard error, if it can be written."""
        try:
            plain_console(stderr=True).print(Text(f"inkling: {printable(text)}", style="yellow"))
        except OSError:
            self._missed["notes not shown"] += 1

    def json_line(self, **values: object) -> None:
        """Write a JSON line, with the Unix time in seconds, if JSON lines are requested."""
        if self._json is None:
            return
        try:
            self._json.append({"time": round(time.time(), 3), **values})
        except OSError as error:
            if self._to_stderr and isinstance(error, BrokenPipeError):
                raise  # its reader wants no more
            self.miss("JSON lines not written", f"cannot write {self._json.path}: {error.strerror}")

    def miss(self, what: str, reason: str) -> None:
        """Count what could not be written, and note the reason at the first, tenth, hundredth time and so on."""
        self._missed[what] += 1
        if is_noted(self._missed[what]):
            self.note(f"{reason}; {self._missed[what]} {what} so far")


def is_noted(count: int) -> bool:
    """Return True for 1, 10, 100 and so on: at these counts, a note sums up what keeps happening."""
    return str(count).strip("0") == "1"


class PlainConsole(Console):
    """A console that leaves it to its user what a closed pipe means; rich would end the program."""

    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError that is being handled."""
        raise  # noqa: PLE0704 - rich calls this where it handles the error


def plain_console(stderr: bool = False, wrap: bool = False) -> Console:
    """Return a console that prints text as it is, without markup, emoji codes, highlighting or, by default, wrapping.

    It does not escape anything: pass text from bundles, boards and files through `printable`.
    """
    return PlainConsole(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=not wrap)


def reading_parts(reading: Reading) -> list[Part]:
    """Return the parts of a reading's line: class, confidence, who decided, bit error rate, signal, frame, auth.

    For a general bundle, each task's label and confidence take the place of the first three.
    """
    frame, prediction = reading.frame, reading.class_prediction
    signal = f"SNR {frame.snr_db:5.1f} dB  " if frame.snr_db is not None else ""
    signal += f"{frame.rssi_dbm:.0f} dBm  " if frame.rssi_dbm is not None else ""
    parts: list[Part] = []
    if prediction:
        parts = [*_prediction_parts(prediction, reading.unsure), f"  by {reading.answered_by.value:<5}  "]
    for name, predicted in reading.tasks.items():
        parts += [f"{name}: ", *(_prediction_parts(predicted) if predicted else [(NONE, "dim")]), "  "]
    auth = [f"  auth {reading.auth.name.lower()}"] if reading.auth else []
    return [*parts, f"BER {reading.ber:.1e}  {signal}", _state(reading), *auth]


def lost_text(count: int, certainty: Certainty) -> str:
    """Return a number of lost images with its certainty, such as "at least 3 lost"."""
    return f"{count} lost" if certainty == Certainty.EXACT else f"{certainty.words} {count} lost"


def _prediction_parts(prediction: Prediction, unsure: bool = False) -> list[Part]:
    style = "dim" if unsure or prediction.confidence < UNSURE else "bold"
    return [(f"{prediction.label:<12}", style), f" {prediction.confidence:6.1%}"]


def _state(reading: Reading) -> Part:
    """Return the state of the frame: an answer, or features that are clean, damaged or truncated."""
    frame = reading.frame
    if isinstance(frame, AnswerFrame):
        return ("answer, unsure", "yellow") if reading.unsure else ("answer", "green")
    if not frame.whole:
        return f"truncated to {frame.received_bits} of {frame.layout.n_bits} bits", "red"
    return ("clean", "green") if frame.crc_ok else ("damaged", "yellow")
