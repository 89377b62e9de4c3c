"""Counters of boards with a key that commands such as `inkling run` used up, in a file beside the key file.

`inkling receive` reads the file: it counts none of these as lost, and refuses a frame that another command received.
"""

import logging
from pathlib import Path

from host.errors import HostError
from host.keys.lock import locked
from wire.checks import ContentError, is_int, is_number, read_object, require
from wire.files import to_json, write_whole
from wire.frame import ANY_DEVICE
from wire.secure.keys import COUNTERS
from wire.text import printable

log = logging.getLogger(__name__)

VERSION = 1
# Per device and kind; the oldest are forgotten. A command takes one range, unless the board sends its own images in
# between.
MAX_RANGES = 1000
RECEIVED, FAILED = "received", "failed"  # images that were received; commands that failed at the board, without one

Range = tuple[int, int]  # the first and the last counter
Ranges = dict[str, list[Range]]  # by kind, each in ascending order
Content = dict[int, tuple[str, Ranges]]  # by device: the mark of its key, and ranges


class TakenImages:
    """The counters by device and key, as far as the file has them. It need not exist. It is read again if it changes.

    Only those of images that were received are authentic.
    """

    def __init__(self, path: Path) -> None:
        """Read the file. Raises HostError if it is damaged or cannot be read."""
        self.path = path
        self._seen: tuple[int, int, int] | None = None  # the file that was read
        self._content: Content = {}
        self._problem = ""  # why it can no longer be read
        self._update()

    def add(self, device: int, key_mark: str, counter: int, kind: str = RECEIVED) -> None:
        """Add a counter, to the disk. Those with another key of the device are forgotten.

        Raises HostError if the file is damaged or is being changed, OSError if it cannot be written.
        """
        with locked(self.path):
            self._update()
            by_kind = self._ranges(device, key_mark)
            ranges = by_kind[kind]
            if ranges and ranges[-1][1] == counter - 1:
                ranges[-1] = ranges[-1][0], counter
            elif not _count(ranges, counter, counter):
                by_kind[kind] = sorted([*ranges, (counter, counter)])[-MAX_RANGES:]
            self._content[device] = key_mark, by_kind
            devices = {str(one): {"key_mark": mark, **each} for one, (mark, each) in self._content.items()}
            text = to_json({"version": VERSION, "devices": devices})
            write_whole(self.path, f"{text}\n".encode(), private=True)

    def count(self, device: int, key_mark: str, first: int, last: int) -> int:
        """Return how many counters from `first` to `last` were used up."""
        self._try_update()
        return sum(_count(ranges, first, last) for ranges in self._ranges(device, key_mark).values())

    def was_received(self, device: int, key_mark: str, counter: int) -> bool:
        """Return True if the image with this counter was received."""
        self._try_update()
        return _count(self._ranges(device, key_mark)[RECEIVED], counter, counter) > 0

    def newest(self, device: int, key_mark: str) -> int | None:
        """Return the largest counter of an image that was received; None if there is none.

        Raises HostError as the class does.
        """
        self._update()
        ranges = self._ranges(device, key_mark)[RECEIVED]
        return ranges[-1][1] if ranges else None

    def _ranges(self, device: int, key_mark: str) -> Ranges:
        mark, by_kind = self._content.get(device, ("", {}))
        return {kind: list(by_kind.get(kind, ())) if mark == key_mark else [] for kind in (RECEIVED, FAILED)}

    def _try_update(self) -> None:
        """Read the file. One that was damaged meanwhile is no reason to receive no more: no command can add to it."""
        try:
            self._update()
            self._problem = ""
        except HostError as error:
            if not self._problem:
                log.warning("%s; what it had before still counts", printable(str(error)))
            self._problem = str(error)

    def _update(self) -> None:
        """Read the file if it is another one than before: it is always replaced as a whole."""
        try:
            stat = self.path.stat()
            seen = stat.st_ino, stat.st_mtime_ns, stat.st_size
            if seen != self._seen:
                self._content, self._seen = _parse(read_object(self.path)), seen
        except FileNotFoundError:
            self._content, self._seen = {}, None
        except (ContentError, OSError) as error:
            raise HostError(f"{self.path} is not a usable file of images taken ({error}): delete it") from None


def _count(ranges: list[Range], first: int, last: int) -> int:
    return sum(max(0, min(end, last) - max(start, first) + 1) for start, end in ranges)


def _parse(content: dict) -> Content:
    require(is_number(content.get("version"), VERSION), f"its version is not {VERSION}")
    devices = content.get("devices")
    require(isinstance(devices, dict), "devices is not an object")
    assert isinstance(devices, dict)
    return dict(_device(name, value) for name, value in devices.items())


def _device(name: str, value: object) -> tuple[int, tuple[str, Ranges]]:
    require(name.isascii() and name.isdecimal() and int(name) < ANY_DEVICE, "a device is not a number 0..254")
    require(
        isinstance(value, dict) and value.keys() == {"key_mark", RECEIVED, FAILED}, f"device {name} has other fields"
    )
    assert isinstance(value, dict)
    require(isinstance(value["key_mark"], str), f"device {name}: key_mark is not a text")
    return int(name), (value["key_mark"], {kind: _parse_ranges(name, value[kind]) for kind in (RECEIVED, FAILED)})


def _parse_ranges(name: str, ranges: object) -> list[Range]:
    require(isinstance(ranges, list), f"device {name}: ranges are not ascending pairs")
    assert isinstance(ranges, list)
    before = -1
    for one in ranges:
        pair = isinstance(one, list) and len(one) == 2 and all(map(is_int, one))
        require(pair and before < one[0] <= one[1] < COUNTERS, f"device {name}: ranges are not ascending pairs")
        before = one[1]
    return [(first, last) for first, last in ranges]
