"""The key file: the device keys of a host, by device, and what it demands of their frames."""

import contextlib
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from host.errors import HostError
from host.keys.lock import locked
from host.keys.policy import Auth, DevicePolicy
from wire.checks import ContentError, is_int, is_number, read_object, require
from wire.files import to_json, write_whole
from wire.frame import ANY_DEVICE
from wire.secure.keys import COUNTERS, KEY_BYTES, Keys

VERSION = 1
DEMANDS = {auth.name.lower(): auth for auth in (Auth.HEADER, Auth.FULL)}
_KEY_FIELDS = {"key", "made", "counter"}
_DEVICE_FIELDS = ("current", "pending", "require", "revoked", "permanent")
_HEX = re.compile(f"[0-9a-f]{{{2 * KEY_BYTES}}}")
_NUMBER = re.compile("0|[1-9][0-9]{0,2}")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def default_path() -> Path:
    """Return the key file that commands use unless another is named. It need not exist."""
    if sys.platform == "win32":
        folder = os.environ.get("APPDATA") or os.path.expanduser("~\\AppData\\Roaming")
    else:
        folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(folder) / "inkling" / "keys.json"


def state_path(path: Path) -> Path:
    """Return the state file that `inkling receive` uses with a key file, unless another is named."""
    return path.with_name(f"{path.name}.state")


def taken_path(path: Path) -> Path:
    """Return the file of the images that other commands take with a key file."""
    return path.with_name(f"{path.name}.taken")


@dataclass(frozen=True)
class StoredKey:
    """A device key of 16 bytes, which repr does not show, and when it was made: UTC, ISO 8601, in seconds.

    counter: that the board reported for its next image then. No image before it has this key.
    """

    key: bytes = field(repr=False)
    made: str
    counter: int

    @classmethod
    def of(cls, key: bytes, counter: int) -> "StoredKey":
        """Return a key that is made now. Raises ValueError for another size than 16 bytes."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a device key has {KEY_BYTES} bytes, got {len(key)}")
        return cls(key, datetime.now(UTC).strftime(_TIME), counter)


@dataclass(frozen=True)
class DeviceKeys:
    """The keys of a device. A key is pending from just before it is sent until the board is known to have it."""

    current: StoredKey | None = None
    pending: tuple[StoredKey, ...] = ()  # the newest last
    require: Auth = Auth.HEADER
    revoked: bool = False
    permanent: bool = True  # the board keeps the current key without power

    @property
    def likely(self) -> StoredKey:
        """The key that the board most likely has."""
        return self.current or self.pending[-1]

    @property
    def candidates(self) -> list[bytes]:
        """The keys that the board may have, the most likely first."""
        return [stored.key for stored in (*filter(None, [self.current]), *reversed(self.pending))]

    @property
    def policy(self) -> DevicePolicy:
        """What a receiver demands. With a pending key alone, plain frames are refused, too: the board may have it."""
        return DevicePolicy(None if self.revoked else Keys.derive(self.likely.key), self.require)


class KeyFile:
    """The keys of a host in a JSON file that only its owner can read. Change it by `edit`."""

    def __init__(self, path: Path, devices: Mapping[int, DeviceKeys] | None = None) -> None:
        self.path = path
        self.devices = dict(devices or {})

    @classmethod
    def load(cls, path: Path, new: bool = False) -> "KeyFile":
        """Read a key file. The default one may be missing, and with `new` any: then there are no keys.

        Raises HostError, in one line without any part of a key, if the file cannot be read, can be read by others, or
        is not a key file.
        """
        if (new or path == default_path()) and not path.exists():
            return cls(path)
        return cls._read(path)

    @classmethod
    @contextlib.contextmanager
    def edit(cls, path: Path) -> Iterator["KeyFile"]:
        """Yield the key file, new if it is missing, and save it. Meanwhile, no other process can change it.

        Nothing is saved if the block raises an error. Raises HostError as `load` does, and OSError if the file cannot
        be written.
        """
        path = Path(os.path.realpath(path))  # a link stays one
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(path):
            file = cls.load(path, new=True)
            yield file
            file.save()

    @property
    def policies(self) -> dict[int, DevicePolicy]:
        """What a receiver demands of the frames of each device in the file."""
        return {device: keys.policy for device, keys in self.devices.items()}

    @property
    def counters(self) -> dict[int, int]:
        """The counter of each device in the file from which on its images have the key."""
        return {device: keys.likely.counter for device, keys in self.devices.items()}

    def get(self, device: int) -> DeviceKeys:
        """Return the keys of a device. Raises HostError if the file has none."""
        if device not in self.devices:
            raise HostError(f"{self.path} has no key of device {device}; it has: {self._listed()}")
        return self.devices[device]

    def add_pending(self, device: int, key: bytes, counter: int) -> None:
        """Add a key that is about to be sent to the board. Raises ValueError for another size than 16 bytes.

        counter: of the board's next image, as it reports it.
        """
        before = self.devices.get(device, DeviceKeys())
        self._change(device, pending=(*before.pending, StoredKey.of(key, counter)))

    def add(self, device: int, key: bytes, permanent: bool, counter: int = 0) -> None:
        """Make a key the only one of a device: the board has it. Another key than before ends a revocation.

        permanent: the board keeps it without power. counter: of the board's next image, if the key was not pending.
        """
        before = self.devices.get(device, DeviceKeys())
        known = {stored.key: stored for stored in (*before.pending, *filter(None, [before.current]))}
        same = before.current is not None and before.current.key == key
        self._change(
            device,
            current=known.get(key) or StoredKey.of(key, counter),
            pending=(),
            revoked=before.revoked and same,
            permanent=permanent,
        )

    def revoke(self, device: int) -> None:
        """Refuse all frames of a device. The keys stay, to give it another. Raises HostError if there are none."""
        self.get(device)
        self._change(device, revoked=True)

    def remove(self, device: int) -> None:
        """Forget a device: plain frames of it are taken then. Raises HostError if the file has no key of it."""
        self.get(device)
        del self.devices[device]

    def demand(self, device: int, auth: Auth) -> None:
        """Set what the frames of a device must be: HEADER or FULL. Raises HostError if the file has no key of it."""
        self.get(device)
        self._change(device, require=auth)

    def save(self) -> None:
        """Write the file completely or not at all, to the disk. Only its owner can read it. Raises OSError."""
        devices = {str(device): _as_json(keys) for device, keys in sorted(self.devices.items())}
        text = to_json({"version": VERSION, "devices": devices}, indent=1)
        write_whole(self.path, f"{text}\n".encode(), private=True)

    @classmethod
    def _read(cls, path: Path) -> "KeyFile":
        try:
            if os.name == "posix" and path.is_file():
                mode = stat.S_IMODE(path.stat().st_mode)
                require(not mode & _OTHERS, f"others can read or write it (mode {mode:03o}): chmod 600 {path}")
            content = read_object(path)
            require(is_number(content.get("version"), VERSION), f"its version is not {VERSION}")
            devices = content.get("devices")
            require(isinstance(devices, dict), "devices is not an object")
            assert isinstance(devices, dict)
            return cls(path, {_device(name): _device_keys(name, value) for name, value in devices.items()})
        except (ContentError, OSError) as error:
            raise HostError(f"key file {path}: {error}") from None

    def _change(self, device: int, **changes: Any) -> None:  # noqa: ANN401 - the fields of DeviceKeys
        self.devices[device] = replace(self.devices.get(device, DeviceKeys()), **changes)

    def _listed(self) -> str:
        return ", ".join(map(str, sorted(self.devices))) or "none"


def _device(name: str) -> int:
    require(bool(_NUMBER.fullmatch(name)) and int(name) < ANY_DEVICE, "a device is not a number 0..254")
    return int(name)


def _device_keys(name: str, value: object) -> DeviceKeys:
    """Return the keys of a device from JSON. No message shows a value: it may be a key in a wrong place."""
    where = f"device {name}"
    fields = isinstance(value, dict) and value.keys() == set(_DEVICE_FIELDS)
    require(fields, f"{where} does not have the fields {', '.join(_DEVICE_FIELDS)}")
    assert isinstance(value, dict)
    demand = value["require"]
    require(isinstance(demand, str) and demand in DEMANDS, f"{where}: require is neither {' nor '.join(DEMANDS)}")
    for flag in ("revoked", "permanent"):
        require(isinstance(value[flag], bool), f"{where}: {flag} is neither true nor false")
    require(isinstance(value["pending"], list), f"{where}: pending is not a list")
    current = None if value["current"] is None else _stored(f"{where}: current", value["current"])
    pending = tuple(_stored(f"{where}: pending", one) for one in value["pending"])
    require(current is not None or bool(pending), f"{where} has no key")
    return DeviceKeys(current, pending, DEMANDS[demand], value["revoked"], value["permanent"])


def _stored(where: str, value: object) -> StoredKey:
    require(
        isinstance(value, dict) and value.keys() == _KEY_FIELDS, f"{where} has not the fields key, made and counter"
    )
    assert isinstance(value, dict)
    key, made, counter = value["key"], value["made"], value["counter"]
    require(is_int(counter) and 0 <= counter < COUNTERS, f"{where}: counter is not a number of 32 bits")
    require(isinstance(key, str) and bool(_HEX.fullmatch(key)), f"{where}: key has not {2 * KEY_BYTES} hex digits")
    try:
        datetime.strptime(made, _TIME)
    except (ValueError, TypeError):
        raise ContentError(f"{where}: made is not a time such as 2026-11-30T12:00:00Z") from None
    return StoredKey(bytes.fromhex(key), made, counter)


def _as_json(keys: DeviceKeys) -> dict[str, object]:
    def one(stored: StoredKey) -> dict[str, str | int]:
        return {"key": stored.key.hex(), "made": stored.made, "counter": stored.counter}

    return {
        "current": one(keys.current) if keys.current else None,
        "pending": [one(stored) for stored in keys.pending],
        "require": keys.require.name.lower(),
        "revoked": keys.revoked,
        "permanent": keys.permanent,
    }
