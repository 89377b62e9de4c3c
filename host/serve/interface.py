"""Interfaces that the page needs: a store of records, and what it may do beyond the store."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from host.serve.stored import DeviceRow, HistoryBucket, LabelRow, ReadingQuery, RecordQuery, StatusQuery
from host.site.records import EventRecord, Json, ReadingRecord, StatusRecord

MAX_LABEL = 64  # characters


class ReadingStore(Protocol):
    """What the page needs of a store; all methods may be called from any thread."""

    def devices(self, site: str | None = None) -> Sequence[DeviceRow]: ...
    def forget_device(self, site: str, number: int, gateway: bool = False) -> None: ...
    def readings(self, query: ReadingQuery) -> Sequence[ReadingRecord]: ...
    def reading(self, id: str) -> ReadingRecord | None: ...
    def stream(self, query: ReadingQuery) -> Iterator[tuple[ReadingRecord, str | None]]:
        """Iterate over readings and the labels that people gave them, the oldest first; the query's limit is void."""

    def history(self, site: str, device: int, since: float, until: float, buckets: int) -> Sequence[HistoryBucket]: ...
    def statuses(self, query: StatusQuery) -> Sequence[StatusRecord]: ...
    def events(self, query: RecordQuery) -> Sequence[EventRecord]: ...
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
    """A task to teach to a general bundle, from the readings to which people gave some labels, its classes."""

    model_id: str
    task: str
    labels: tuple[str, ...]
    without: tuple[str, ...] = ()  # ids of readings with these labels that are left out
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

    def withdraw(self, site: str, device: int) -> None:
        """Take back what is published about a device: its metrics, its state at a broker, its announcement."""

    def health(self) -> Json:
        """Return `status` ("ok" or "degraded") and `inputs`: a list of `name`, `state` and `text`."""
