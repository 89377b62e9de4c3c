"""Plain text that boards print in place of frames: why they restart, crash or wait, and what to do about it."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from wire.text import printable

MAX_LINE_BYTES = 4096  # text of a board has shorter lines; frames need not have any line break
SHOWN_CHARACTERS = 100
MIN_TEXT_CHARACTERS, TEXT_SHARE = 12, 0.95  # of a stretch that counts as text
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Cause(NamedTuple):
    """What a board says, and what it means."""

    said: str  # printable
    meaning: str

    def __str__(self) -> str:
        return f"the board says {self.said!r}: {self.meaning}"


# By what a line has of it: pattern and meaning, the most telling first. The texts are those of the ROMs and of ESP-IDF,
# for ESP32, S3 and C3 (and of the ESP8266, which users may have, too), and the greetings of other firmware.
_MARKS = [
    (re.compile(pattern), meaning)
    for pattern, meaning in (
        (
            rb"Brownout detector was triggered|rst:0x[0-9a-f]+ \([A-Z0-9_]*BROWN_?OUT[A-Z0-9_]*\)",
            "its supply voltage drops, and it restarts; use a shorter USB cable, another USB port or a stronger supply",
        ),
        (
            rb"waiting for download|boot:0x[0-9a-f]+ \(DOWNLOAD[A-Z0-9_/()]*",
            "it waits in its boot loader for firmware; release its BOOT button and reset it (if its adapter holds it "
            "there, pass --no-dtr-rts)",
        ),
        (
            rb"Guru Meditation Error: [^\r\n]*|abort\(\) was called[^\r\n]*|assert failed: [^\r\n]*|"
            rb"A stack overflow in task[^\r\n]*|Stack smashing protect failure!|CORRUPT HEAP: [^\r\n]*|"
            rb"Task watchdog got triggered[^\r\n]*|Fatal exception ?\(?\d+[^\r\n]*",
            "its firmware crashes; flash it again, and report the text if it comes back",
        ),
        (
            rb"invalid header: 0x[0-9a-f]+|No bootable app partitions[^\r\n]*|flash read err, \d+|csum err:[^\r\n]*|"
            rb"ets_main\.c \d+|Image hash failed[^\r\n]*|boot: Factory app partition is not bootable",
            "it finds no valid firmware in its flash; flash it (inkling flash)",
        ),
        (
            rb"rst:0x[0-9a-f]+ \([A-Z0-9_]*WDT[A-Z0-9_]*\)",
            "its watchdog restarts it; flash it again, and report the text if it comes back",
        ),
        (
            rb"(?:MicroPython|Adafruit CircuitPython) v?\d[^\r\n]*|NodeMCU \d[^\r\n]*",
            "it runs other firmware than Inkling's; flash it (inkling flash)",
        ),
        (
            rb"rst:0x[0-9a-f]+ \([A-Z0-9_]+\)|ESP-ROM:esp32[^\r\n]*|ets [A-Z][a-z]{2} {1,2}\d{1,2} \d{4} [0-9:]+|"
            rb"rst cause:\d+, boot mode:\([^)]*\)|Rebooting\.\.\.",
            "it has restarted; if this goes on, check its supply, its reset pin and its adapter (--no-dtr-rts)",
        ),
    )
]


def recognize(data: bytes) -> Cause | None:
    """Return the most telling text in bytes from a board, None if none of it is known."""
    for pattern, meaning in _MARKS:
        if found := pattern.search(data):
            return Cause(_shown(found[0].decode("ascii", "replace")), meaning)
    return None


def last_line(data: bytes) -> str | None:
    """Return the last line, printable, if these bytes are text that a person can read; None for frames and noise.

    At another baud rate than the board's, text is noise.
    """
    text = _COLOUR.sub("", data.decode("utf-8", "replace")).strip("\0\r\n \t")
    readable = sum((c.isprintable() and c != "\N{REPLACEMENT CHARACTER}") or c in "\r\n\t" for c in text)
    if len(text) < MIN_TEXT_CHARACTERS or readable < TEXT_SHARE * len(text):
        return None
    return _shown(text.splitlines()[-1].strip())


def _shown(text: str) -> str:
    shown = printable(text.strip())
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[: SHOWN_CHARACTERS - 3]}..."


class TextWatch:
    """Finds text in a stream, line by line.

    text_bytes: bytes so far in lines that are text. text: the last of these lines, printable.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.text_bytes = 0
        self.text = ""

    def feed(self, data: bytes) -> list[Cause]:
        """Return the causes in the lines that end in the next bytes of the stream."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        return self._causes(lines)

    def flush(self) -> list[Cause]:
        """Return the cause in a last line without its end: the board is silent now."""
        line, self._rest = self._rest, b""
        return self._causes([line])

    def _causes(self, lines: Sequence[bytes]) -> list[Cause]:
        for line in lines:
            if text := last_line(line):
                self.text_bytes += len(line)
                self.text = text
        return [cause for line in lines if (cause := recognize(line))]
