"""What the commands print: plain lines that read the same on a terminal, in a pipe and in a log."""

import json
import sys
import time

from rich.console import Console
from rich.text import Text

from host.classify.classifier import Reading
from host.errors import HostError

UNSURE = 0.5


class Screen:
    """Lines for people: readings on standard output (on error when JSON takes it), notes on error."""

    def __init__(self, json_target: str | None = None) -> None:
        stream = sys.stderr if json_target == "-" else sys.stdout
        self._out = Console(file=stream, highlight=False, markup=False, soft_wrap=True)
        self._notes = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

    def line(self, *parts: str | tuple[str, str]) -> None:
        """Print pieces of text, some of them with a style, as one line."""
        self._out.print(Text.assemble(*parts))

    def note(self, text: str) -> None:
        """Say what is odd, apart from the readings."""
        self._notes.print(Text(f"inkling: {text}", style="yellow"))


def reading_parts(reading: Reading) -> list[str | tuple[str, str]]:
    """A reading as pieces of a line: class, confidence, bit error rate, signal, state of the frame."""
    found, frame = reading.prediction, reading.frame
    state = ("clean", "green") if frame.crc_ok else ("damaged", "yellow")
    if not frame.whole:
        state = (f"cut to {frame.received_bits} of {frame.layout.n_bits} bits", "red")
    sure = "bold" if found.confidence >= UNSURE else "dim"
    radio = f"SNR {frame.snr_db:5.1f} dB  " if frame.snr_db is not None else ""
    radio += f"{frame.rssi_dbm:.0f} dBm  " if frame.rssi_dbm is not None else ""
    return [(f"{found.label:<12}", sure), f" {found.confidence:6.1%}  BER {reading.ber:.1e}  {radio}", state]


class JsonLines:
    """One JSON object a line, appended to a file; "-" is standard output. HostError when that fails."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._append("")

    def write(self, **values: object) -> None:
        """Write one line, with the time in seconds since 1970, and let it go at once."""
        self._append(json.dumps({"time": round(time.time(), 3), **values}) + "\n")

    def _append(self, text: str) -> None:
        if self._target == "-":
            print(text, end="", flush=True)
            return
        try:
            with open(self._target, "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise HostError(f"cannot write {self._target}: {error.strerror}") from None
