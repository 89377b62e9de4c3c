"""A recording of a line's traffic: one JSON object a line, a header first; written as it happens, read back later."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from wire.errors import InklingError

VERSION = 1
Way = Literal["up", "down"]


class RecordingError(InklingError):
    """One line that says what is wrong with a recording."""


class Passage(NamedTuple):
    """What came in one piece, and what went on of it.

    Nothing came (`received` is empty) where bytes that were held for the rest of a frame went on without it.
    """

    seconds: float  # since the start
    way: Way  # up: from the board to the host; down: from the host to the board
    received: bytes
    sent: bytes


class Recorder:
    """Writes a recording, each line at once, so that a proxy that is killed leaves all that went before.

    `channel`, `downlink` and `seed` say what the traffic went through. An existing file is replaced. RecordingError
    when the file cannot be written at first; when it fails later, `failure` says so and the rest is not recorded.
    """

    def __init__(self, path: str | Path, channel: Sequence[str], downlink: Sequence[str], seed: int) -> None:
        self._path = path
        self._start = time.monotonic()
        self.failure: str | None = None
        header = {
            "inkling_recording": VERSION,
            "channel": list(channel),
            "downlink_channel": list(downlink),
            "seed": seed,
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        try:
            self._file = open(path, "wb", buffering=0)  # noqa: SIM115 (open for as long as the proxy runs)
        except OSError as error:
            raise RecordingError(f"cannot record to {path}: {error.strerror}") from None
        self._write(header)
        if self.failure:
            raise RecordingError(self.failure)

    def passed(self, way: Way, received: bytes, sent: bytes) -> None:
        """Write down what came and what went on."""
        seconds = round(time.monotonic() - self._start, 6)
        self._write({"seconds": seconds, "way": way, "received": received.hex(), "sent": sent.hex()})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, line: dict) -> None:
        rest = json.dumps(line).encode("ascii") + b"\n"
        try:
            while rest and not self.failure:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.failure = f"cannot record to {self._path}: {error.strerror}"


class Recording:
    """Reads a recording. A last line that is torn, as a kill or a full disk leaves it, is passed over.

    RecordingError when the file cannot be read, is no recording, or has a line that is none.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        try:
            header = json.loads(next(self._lines(), b"null"))
            known = header["inkling_recording"] == VERSION
            self.channel: list[str] = header["channel"]
            self.downlink_channel: list[str] = header["downlink_channel"]
            self.seed: int = header["seed"]
            self.started: str = header["started"]
        except (KeyError, TypeError, ValueError):
            known = False
        if not known:
            raise RecordingError(f"{path} is no recording of version {VERSION}")

    def passages(self) -> Iterator[Passage]:
        """All traffic, in order."""
        for number, text in enumerate(self._lines(), 1):
            if number == 1:
                continue
            try:
                line = json.loads(text)
                received, sent = bytes.fromhex(line["received"]), bytes.fromhex(line["sent"])
                passage = Passage(float(line["seconds"]), line["way"], received, sent)
            except (KeyError, TypeError, ValueError):
                raise RecordingError(f"line {number} of {self._path} is no line of a recording") from None
            yield passage

    def uplink(self, what: Literal["received", "sent"] = "received") -> Iterator[bytes]:
        """What the board sent, piece by piece, as it came to the proxy or as it went on to the host."""
        for passage in self.passages():
            piece = passage.received if what == "received" else passage.sent
            if passage.way == "up" and piece:
                yield piece

    def _lines(self) -> Iterator[bytes]:
        """The lines that are whole."""
        try:
            with open(self._path, "rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield line
        except OSError as error:
            raise RecordingError(f"cannot read {self._path}: {error.strerror}") from None
