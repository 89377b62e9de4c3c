"""Records of a site: what its host knows after each frame, as it is stored, shown and published.

A record is the same JSON object in the store, in the live feed, in the API and over MQTT.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

from wire.checks import ContentError, is_int, require, shown

Json = dict[str, Any]


@dataclass(frozen=True)
class Reception:
    """One frame of an image as one gateway or line received it."""

    gateway: str
    time: float  # Unix time in seconds
    ber: float  # of the link from the device to this gateway, estimated up to this frame
    crc_ok: bool | None = None  # the frame was undamaged: by its own CRC; of an answer, by the radio's, None without
    snr_db: float | None = None
    rssi_dbm: float | None = None


@dataclass(frozen=True)
class Record:
    """A record of any kind. Records with equal `id` are about one thing: the newer replaces the older."""

    kind: ClassVar[str]

    id: str
    site: str
    time: float  # Unix time in seconds, of the first frame

    def as_json(self) -> Json:
        """Return the record as a JSON object."""
        return {"kind": self.kind, **vars(self)}


@dataclass(frozen=True)
class TaskAnswer:
    """What one task of a general bundle says of an image; all are None for none of its classes."""

    label: str | None
    index: int | None
    confidence: float | None


@dataclass(frozen=True)
class ReadingRecord(Record):
    """A reading of one image, from all of its frames so far, by all gateways.

    A further frame of the image makes a new record with the same id.
    """

    kind: ClassVar[str] = "reading"

    device: int
    bundle: str
    model_id: str
    image_number: int
    sequence: int
    frame: str  # "features" or "answer"
    label: str | None  # predicted class; None for a general bundle, which has only tasks
    index: int | None
    confidence: float | None
    answered_by: str  # "board" or "host"
    unsure: bool
    auth: str  # "none", "header" or "full"
    ber: float  # of the best link
    payload_ber: float  # of `symbols`, as given to the decoder
    symbols: tuple[int, ...]  # in sending order, -1 = not received; empty for an answer
    answer_word: int | None
    receptions: tuple[Reception, ...]  # of all frames so far, in the order of their arrival
    crc_ok: bool | None  # a copy of the frame was undamaged; None for an answer without a radio's CRC
    lost: int  # images missing just before
    lost_certainty: str
    lost_total: int
    lost_total_certainty: str
    duplicate: bool
    late: bool
    unexpected: bool
    tasks: Mapping[str, TaskAnswer] = field(default_factory=dict)

    def as_json(self) -> Json:
        """Return the record as a JSON object."""
        return {
            **super().as_json(),
            "receptions": [{**vars(one)} for one in self.receptions],
            "tasks": {name: {**vars(one)} for name, one in self.tasks.items()},
        }


@dataclass(frozen=True)
class StatusRecord(Record):
    """A status frame of a device or a gateway."""

    kind: ClassVar[str] = "status"

    device: int
    gateway: bool  # a gateway sent it
    counter: int  # number of the next image
    uptime_s: int
    boots: int | None
    reset_cause: str
    mode: str
    threshold: int
    battery_v: float | None
    air_left_s: float | None
    period_s: int | None  # between status frames
    received_by: str  # gateway or line
    snr_db: float | None
    rssi_dbm: float | None


@dataclass(frozen=True)
class EventRecord(Record):
    """An event other than a frame: a device is silent or back, frames are refused, a port is lost."""

    kind: ClassVar[str] = "event"

    event: str  # silent, back, clash, refused, unknown-model, port-lost, port-back ...
    text: str  # for people
    device: int | None = None
    gateway: bool | None = None  # `device` is the number of a gateway
    values: Mapping[str, Any] = field(default_factory=dict)


AnyRecord = ReadingRecord | StatusRecord | EventRecord

KINDS: Mapping[str, type[AnyRecord]] = {kind.kind: kind for kind in (ReadingRecord, StatusRecord, EventRecord)}
_Made = TypeVar("_Made")


def record_of(values: object) -> AnyRecord:
    """Return the record that a JSON object holds, which may come from anywhere. Raises ContentError.

    Fields that are not known are left out: a newer version may have more.
    """
    kind = KINDS.get(str(values.get("kind"))) if isinstance(values, dict) else None
    require(kind is not None, f"{shown(values)} is no record")
    assert kind is not None and isinstance(values, dict)
    return _made(kind, values)


def optional_number(values: Json, name: str) -> float | None:
    """Return a finite number of a JSON object; None if it is null or missing. Raises ContentError."""
    number: float | None = _value(values.get(name), float | None, name)
    return number


def _made(kind: type[_Made], values: Json) -> _Made:
    """Return the dataclass of a JSON object. Raises ContentError if a field is missing, or of another type."""
    made: dict[str, Any] = {}
    hints = _hints(kind)  # type: ignore[arg-type]
    for one in fields(kind):  # type: ignore[arg-type]
        if one.name in values:
            made[one.name] = _value(values[one.name], hints[one.name], one.name)
        else:
            optional = one.default is not MISSING or one.default_factory is not MISSING
            require(optional, f"{one.name} is missing")
    return kind(**made)


_hints = lru_cache(get_type_hints)


def _value(value: object, kind: Any, name: str) -> Any:  # noqa: ANN401 - fields of any type
    """Return a value as one of the types that the fields of records have. Raises ContentError."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType:
        if value is None and NoneType in arguments:
            return None
        return _value(value, arguments[0], name)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(one, arguments[0], name) for one in value)
    if origin is Mapping and isinstance(value, dict):
        return {str(key): _value(one, arguments[1], name) for key, one in value.items()}
    if kind is Any:
        return value
    if kind is float and (is_int(value) or isinstance(value, float)) and math.isfinite(value):
        return float(value)
    if (kind is int and is_int(value)) or (kind in (str, bool) and isinstance(value, kind)):
        return value
    if isinstance(value, dict) and kind in (Reception, TaskAnswer):
        return _made(kind, value)
    raise ContentError(f"{name} is {shown(value)}")
