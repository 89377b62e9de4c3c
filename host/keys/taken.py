"""Images that commands such as `inkling run` took from boards with a key, in a file beside the key file.

They use up the counters of their boards. `inkling receive` reads the file: it counts no such image as lost, and refuses
its frame if somebody sends it again.
"""

from pathlib import Path

from host.errors import HostError
from host.keys.lock import locked
from wire.checks import ContentError, is_int, is_number, read_object, require
from wire.files import to_json, write_whole
from wire.frame import ANY_DEVICE
from wire.secure.keys import COUNTERS

VERSION = 1
# Per device; the oldest are forgotten. A command takes one range, unless the board sends its own images in between.
MAX_RANGES = 1000

Range = tuple[int, int]  # the first and the last counter
Content = dict[int, tuple[str, list[Range]]]  # by device: the mark of its key, and ranges in ascending order


class TakenImages:
    """The images by device and key, as far as the file has them. It need not exist. It is read again if it changes."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises HostError if it is damaged or cannot be read."""
        self.path = path
        self._seen: tuple[int, int, int] | None = None  # the file that was read
        self._content: Content = {}
        self._update()

    def add(self, device: int, key_mark: str, counter: int) -> None:
        """Add the image with this counter, to the disk. Images with another key of the device are forgotten.

        Raises HostError if the file is damaged or is being changed, OSError if it cannot be written.
        """
        with locked(self.path):
            self._update()
            ranges = self._ranges(device, key_mark)
            if ranges and ranges[-1][1] == counter - 1:
                ranges[-1] = ranges[-1][0], counter
            elif not self.count(device, key_mark, counter, counter):
                ranges = sorted([*ranges, (counter, counter)])[-MAX_RANGES:]
            self._content[device] = key_mark, ranges
            devices = {str(one): {"key_mark": mark, "ranges": each} for one, (mark, each) in self._content.items()}
            text = to_json({"version": VERSION, "devices": devices})
            write_whole(self.path, f"{text}\n".encode(), private=True)

    def count(self, device: int, key_mark: str, first: int, last: int) -> int:
        """Return the number of images with the counters from `first` to `last`. Raises HostError as the class does."""
        self._update()
        ranges = self._ranges(device, key_mark)
        return sum(max(0, min(end, last) - max(start, first) + 1) for start, end in ranges)

    def newest(self, device: int, key_mark: str) -> int | None:
        """Return the largest counter of an image; None if there is none. Raises HostError as the class does."""
        self._update()
        ranges = self._ranges(device, key_mark)
        return ranges[-1][1] if ranges else None

    def _ranges(self, device: int, key_mark: str) -> list[Range]:
        mark, ranges = self._content.get(device, ("", []))
        return list(ranges) if mark == key_mark else []

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


def _parse(content: dict) -> Content:
    require(is_number(content.get("version"), VERSION), f"its version is not {VERSION}")
    devices = content.get("devices")
    require(isinstance(devices, dict), "devices is not an object")
    assert isinstance(devices, dict)
    return dict(_device(name, value) for name, value in devices.items())


def _device(name: str, value: object) -> tuple[int, tuple[str, list[Range]]]:
    require(name.isascii() and name.isdecimal() and int(name) < ANY_DEVICE, "a device is not a number 0..254")
    require(isinstance(value, dict) and value.keys() == {"key_mark", "ranges"}, f"device {name} has other fields")
    assert isinstance(value, dict)
    mark, ranges = value["key_mark"], value["ranges"]
    require(isinstance(mark, str) and isinstance(ranges, list), f"device {name} has other fields")
    before = -1
    for one in ranges:
        pair = isinstance(one, list) and len(one) == 2 and all(map(is_int, one))
        require(pair and before < one[0] <= one[1] < COUNTERS, f"device {name}: ranges are not ascending pairs")
        before = one[1]
    return int(name), (mark, [(first, last) for first, last in ranges])
