"""Recordings of traffic: JSON lines, a header first. Written live, read back later."""

import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from wire.checks import is_number
from wire.errors import InklingError

VERSION = 1
# Far above any piece that the proxy passes on. A file without line ends, such as /dev/zero, is refused there.
MAX_LINE_BYTES = 1 << 24
MAX_SECONDS = 1e9
Way = Literal["up", "down"]


class RecordingError(InklingError):
    """A recording cannot be written or read."""


class Passage(NamedTuple):
    """Bytes received in one piece, and the bytes sent on.

    `received` is empty where bytes that were held for the rest of a frame were sent on without it.
    """

    seconds: float  # since the start
    way: Way  # up: from the board to the host; down: from the host to the board
    received: bytes
    sent: bytes


class Recorder:
    """Writes a recording, unbuffered, so that nothing is lost when the proxy is killed.

    `channel`, `downlink` and `seed` describe the channel. An existing file is replaced. Raises RecordingError if the
    file cannot be written; if that happens later, `failure` has the reason and the rest is not recorded.
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
        """Record bytes received and bytes sent on."""
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
    """Reads a recording. An incomplete last line, as left by a kill or a full disk, is ignored.

    Of a file that grows meanwhile, such as the recording of this replay, the part that was there at first is read.
    Raises RecordingError if it is no regular file, cannot be read, is not a recording, or has an invalid line.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        try:
            self._size = self._regular_size()
        except OSError as error:
            raise RecordingError(f"cannot read {path}: {error.strerror}") from None
        try:
            header = json.loads(next(self._lines(), b"null"))
            known = is_number(header["inkling_recording"], VERSION)
            self.channel: list[str] = header["channel"]
            self.downlink_channel: list[str] = header["downlink_channel"]
            self.seed: int = header["seed"]
            self.started: str = header["started"]
        except (KeyError, TypeError, ValueError, RecursionError):
            known = False
        if not known:
            raise RecordingError(f"{path} is not a recording of version {VERSION}")

    def passages(self) -> Iterator[Passage]:
        """Iterate over all traffic in order."""
        for number, text in enumerate(self._lines(), 1):
            if number == 1:
                continue
            try:
                line = json.loads(text)
                received, sent = bytes.fromhex(line["received"]), bytes.fromhex(line["sent"])
                passage = Passage(float(line["seconds"]), line["way"], received, sent)
                if not 0 <= passage.seconds <= MAX_SECONDS or passage.way not in ("up", "down"):
                    raise ValueError
            except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
                raise RecordingError(f"line {number} of {self._path} is not a line of a recording") from None
            yield passage

    def uplink(self, what: Literal["received", "sent"] = "received") -> Iterator[bytes]:
        """Iterate over the bytes from the board, as received by the proxy or as sent on to the host."""
        for passage in self.passages():
            piece = passage.received if what == "received" else passage.sent
            if passage.way == "up" and piece:
                yield piece

    def _regular_size(self) -> int:
        """Return the size in bytes. A device or a pipe, which is read once and may be endless, is refused."""
        status = os.stat(self._path)
        if not stat.S_ISREG(status.st_mode):
            raise RecordingError(f"cannot read {self._path}: a recording is a regular file")
        return status.st_size

    def _lines(self) -> Iterator[bytes]:
        """Iterate over complete lines."""
        try:
            with open(self._path, "rb") as file:
                while file.tell() < self._size and (line := file.readline(MAX_LINE_BYTES)):
                    if line.endswith(b"\n"):
                        yield line
                    elif len(line) == MAX_LINE_BYTES:
                        raise RecordingError(f"{self._path} is no recording: a line has over {MAX_LINE_BYTES} bytes")
        except OSError as error:
            raise RecordingError(f"cannot read {self._path}: {error.strerror}") from None
