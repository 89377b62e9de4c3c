"""Rows and queries of the store, as `host/store` has them."""

from dataclasses import dataclass

from host.site.records import ReadingRecord, StatusRecord


@dataclass(frozen=True)
class RecordQuery:
    """Which records, the newest first. None: all."""

    site: str | None = None
    device: int | None = None  # its number
    since: float | None = None  # Unix time in seconds
    until: float | None = None  # without the end
    before: str | None = None  # id of a record: only those that come after it in the answer
    limit: int = 50


@dataclass(frozen=True)
class ReadingQuery(RecordQuery):
    """Which readings, the newest first. None: all."""

    label: str | None = None  # class that the bundle or a task shows
    human_label: str | None = None
    labelled: bool = False  # by a human


@dataclass(frozen=True)
class DeviceRow:
    """A device or gateway as it was last seen."""

    site: str
    number: int
    gateway: bool
    first_seen: float  # Unix time in seconds
    last_seen: float
    readings: int  # in all, deleted ones included
    silent_since: float | None  # None: not silent
    reading: ReadingRecord | None  # the last one, without its symbols
    status: StatusRecord | None  # the last one


@dataclass(frozen=True)
class ClassCount:
    """The number of readings with one class."""

    task: str | None  # None: the bundle's own classes
    label: str | None  # None: none of the task's classes
    count: int


@dataclass(frozen=True)
class HistoryBucket:
    """Readings and statuses of a device from `start` up to, but without, `end`. Means are None without values."""

    start: float  # Unix time in seconds
    end: float
    readings: int
    by_board: int  # of these, answered by the board
    lost: int  # images lost before them
    ber: float | None  # mean
    snr_db: float | None  # mean, of the best reception of each reading
    battery_v: float | None  # mean, of the statuses
    classes: tuple[ClassCount, ...]  # the most frequent first


@dataclass(frozen=True)
class LabelRow:
    """A label that humans gave to readings of one model."""

    bundle: str
    model_id: str
    label: str
    count: int
