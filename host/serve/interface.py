"""Interfaces that the page needs: a store of records, and what it may do beyond the store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from host.site.records import EventRecord, Json, ReadingRecord, TaskAnswer

MAX_LABEL = 64  # characters


@dataclass(frozen=True)
class DeviceRow:
    """What is known of a device now: its last reading, its last status, and whether it is silent."""

    site: str
    device: int
    last_seen: float  # Unix time in seconds, of a reading or a status
    readings: int
    reading_id: str | None = None  # of the last reading, and from it:
    bundle: str | None = None
    label: str | None = None
    confidence: float | None = None
    answered_by: str | None = None
    unsure: bool = False
    auth: str = "none"
    tasks: Mapping[str, TaskAnswer] = field(default_factory=dict)
    ber: float | None = None
    snr_db: float | None = None  # of the best reception
    rssi_dbm: float | None = None
    battery_v: float | None = None  # of the last status that has it
    lost_total: int = 0
    lost_total_certainty: str = "exactly"
    silent: bool = False
    clash: bool = False


@dataclass(frozen=True)
class ReadingQuery:
    """Which readings: all conditions that are not None hold. Times are Unix times in seconds, until excluded."""

    site: str | None = None
    device: int | None = None
    since: float | None = None
    until: float | None = None
    label: str | None = None  # predicted class
    before: str | None = None  # id of a reading: only those after it in the order newest first
    limit: int = 50


@dataclass(frozen=True)
class EventQuery:
    """Which events, as ReadingQuery."""

    site: str | None = None
    device: int | None = None
    since: float | None = None
    until: float | None = None
    event: str | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True)
class HistoryBucket:
    """Readings and statuses of a device in a span of time; means are None where there is nothing to average."""

    time: float  # of its start, Unix time in seconds
    readings: int
    labels: Mapping[str, int]  # readings by predicted class
    ber: float | None = None
    snr_db: float | None = None
    battery_v: float | None = None
    lost: int = 0


@dataclass(frozen=True)
class LabelRow:
    """A reading that a person has labelled."""

    id: str
    label: str
    site: str
    device: int
    time: float
    bundle: str
    model_id: str


class ReadingStore(Protocol):
    """What the page needs of a store; all methods may be called from any thread."""

    def devices(self, site: str | None = None) -> Sequence[DeviceRow]: ...
    def readings(self, query: ReadingQuery) -> Sequence[ReadingRecord]: ...
    def reading(self, id: str) -> ReadingRecord | None: ...
    def history(self, site: str, device: int, since: float, until: float, buckets: int) -> Sequence[HistoryBucket]: ...
    def events(self, query: EventQuery) -> Sequence[EventRecord]: ...
    def set_label(self, id: str, label: str | None) -> None: ...
    def labels(self) -> Sequence[LabelRow]: ...
    def labels_of(self, ids: Sequence[str]) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class BundleInfo:
    """A bundle that the host has loaded."""

    name: str
    model_id: str
    classes: tuple[str, ...]  # empty for a general bundle
    levels: int  # of a symbol
    n_symbols: int
    general: bool  # it can be taught tasks
    preview: bool
    tasks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # classes by task


Mode = Literal["new", "add", "replace"]


@dataclass(frozen=True)
class Lesson:
    """A task to teach: a general bundle by its model_id, the task's name, and the readings that have labels."""

    model_id: str
    task: str
    reading_ids: tuple[str, ...]
    mode: Mode = "new"  # add to an existing task, or replace it


class Actions(Protocol):
    """What the page may do beyond the store; all methods may be called from any thread."""

    def bundles(self) -> Sequence[BundleInfo]: ...
    def teach(self, lesson: Lesson, on_step: Callable[[str], None]) -> Json:
        """Teach a task from labelled readings and use it from the next frame on. Return its figures.

        on_step is given the name of each step of work. Raises HostError.
        """

    def preview(self, reading: ReadingRecord) -> bytes | None:
        """Return a PNG file that shows what the reading may have seen, None if its bundle cannot. Raises HostError."""

    def health(self) -> Json:
        """Return `status` ("ok" or "degraded") and `inputs`: a list of `name`, `state` and `text`."""
