"""Output of the commands: plain lines that look the same on a terminal, in a pipe and in a log."""

import json
import time

from rich.console import Console
from rich.text import Text

from host.classify.classifier import Reading
from host.classify.decoder import Prediction
from host.errors import HostError
from host.receive.events import AnswerFrame

UNSURE = 0.5  # confidence below which a class is dimmed
NONE = f"{'none of these':<19}"  # of a task's classes; as wide as a class with its confidence

Part = str | tuple[str, str]  # text, or text with a style


class Output:
    """Lines of text, JSON lines if requested, and notes on standard error.

    json_target: file to append JSON lines to, "-" for standard output (lines of text then go to standard error), or
    None. Raises HostError if the file cannot be written.
    """

    def __init__(self, json_target: str | None = None) -> None:
        self._lines = plain_console(stderr=json_target == "-")
        self._notes = plain_console(stderr=True)
        self._json_target = json_target
        self._append("")

    def line(self, *parts: Part) -> None:
        """Print parts of text as one line."""
        self._lines.print(Text.assemble(*parts))

    def note(self, text: str) -> None:
        """Print a note on standard error."""
        self._notes.print(Text(f"inkling: {text}", style="yellow"))

    def json_line(self, **values: object) -> None:
        """Write a JSON line, with the Unix time in seconds, if JSON lines are requested."""
        self._append(json.dumps({"time": round(time.time(), 3), **values}) + "\n")

    def _append(self, text: str) -> None:
        if self._json_target is None:
            return
        if self._json_target == "-":
            print(text, end="", flush=True)
            return
        try:
            with open(self._json_target, "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise HostError(f"cannot write {self._json_target}: {error.strerror}") from None


def plain_console(stderr: bool = False) -> Console:
    """Return a console that prints text as it is, without markup, highlighting or wrapping."""
    return Console(stderr=stderr, highlight=False, markup=False, soft_wrap=True)


def reading_parts(reading: Reading) -> list[Part]:
    """Return the parts of a reading's line: class, confidence, who decided, bit error rate, signal, frame.

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
    return [*parts, f"BER {reading.ber:.1e}  {signal}", _state(reading)]


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
