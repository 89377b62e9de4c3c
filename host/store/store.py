"""Store of records: readings, statuses, events and devices of all sites of a host, in one SQLite file."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from host.errors import HostError
from host.site.records import AnyRecord, EventRecord, ReadingRecord, StatusRecord
from host.store import devices, rows
from host.store.checks import check_label, check_record
from host.store.database import Database
from host.store.devices import DeviceRow
from host.store.hours import HistoryBucket, history
from host.store.query import ReadingQuery, RecordQuery, StatusQuery, keys
from host.store.retention import Pruner, Retention
from host.store.writing import Batch, Interned
from wire.checks import ContentError, shown

PRUNE_S = 0.05


@dataclass(frozen=True)
class LabelRow:
    """A label that humans gave to readings of one model."""

    bundle: str
    model_id: str
    label: str
    count: int


@dataclass(frozen=True)
class StoreSize:
    """How much the store holds."""

    readings: int
    statuses: int
    events: int
    labelled: int
    file_bytes: int


class RefusedRecordsError(HostError):
    """Some records cannot be stored. The others are."""


class Store:
    """Records in a file. One process writes it; in it and in others, any number of threads can read it at once.

    Every method raises HostError, with one line, if the file cannot be used: it is damaged, locked by another program,
    or the disk is full. Nothing is changed then, and the caller can go on.
    """

    def __init__(
        self,
        path: Path,
        retention: Retention = Retention(),  # noqa: B008 - it is frozen
        *,
        read_only: bool = False,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Open a store; unless `read_only`, make it if it is missing, and convert it if it is of an older version."""
        self.path = path
        self._database = Database(path, read_only)
        self._interned, self._names = Interned(), rows.Names()
        self._pruner = Pruner(self._database, retention, wall_clock)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def write(self, records: Iterable[AnyRecord]) -> None:
        """Write records in one transaction: all of them, or none if the file cannot be written.

        A record replaces the one with its id, unless it is a reading that knows fewer receptions than the stored one. A
        human's label stays. Records that cannot be stored, such as one with a text that cannot be printed, are left
        out: RefusedRecordsError names the first of them, after the others have been written.
        """
        refused: list[str] = []
        with self._database.lock:
            try:
                with self._database.writing() as connection:
                    batch = Batch(connection, self._interned)
                    for record in records:
                        try:
                            check_record(record)
                            batch.add(record)
                        except ContentError as error:
                            refused.append(f"{record.kind} {shown(record.id)}: {error}")
                    batch.finish()
            except BaseException:
                self._interned.forget()
                raise
            self._pruner.look_from(batch.oldest)
        if refused:
            raise RefusedRecordsError(
                f"store {self.path}: {len(refused)} records were not stored, the first is {refused[0]}"
            )

    def prune(self, limit_s: float = PRUNE_S) -> bool:
        """Delete what the retention does not keep, for about `limit_s` seconds; return True if there is more to do.

        Call it between two writes, more often while it returns True.
        """
        return self._pruner.prune(limit_s)

    def devices(self, site: str | None = None) -> list[DeviceRow]:
        """Return the devices of a site, or of all, by site and number; gateways last."""
        with self._database.reading() as connection:
            return devices.listed(connection, site)

    def forget_device(self, site: str, number: int, gateway: bool = False) -> None:
        """Remove a device from the list. Its records stay for as long as the retention keeps them."""
        with self._database.writing() as connection:
            devices.forget(connection, site, number, gateway)

    def readings(self, query: ReadingQuery = ReadingQuery()) -> list[ReadingRecord]:  # noqa: B008 - it is frozen
        """Return readings, the newest first."""
        with self._database.reading() as connection:
            return rows.readings(connection, self._names, keys(connection, "reading", query, query.limit))

    def reading(self, id: str) -> ReadingRecord | None:
        """Return the reading with an id, None if there is none."""
        with self._database.reading() as connection:
            found = [key for (key,) in connection.execute("SELECT key FROM reading WHERE id = ?", (id,))]
            return next(iter(rows.readings(connection, self._names, found)), None)

    def statuses(self, query: StatusQuery = StatusQuery()) -> list[StatusRecord]:  # noqa: B008 - it is frozen
        """Return statuses, the newest first."""
        with self._database.reading() as connection:
            return rows.statuses(connection, self._names, keys(connection, "status", query, query.limit))

    def events(self, query: RecordQuery = RecordQuery()) -> list[EventRecord]:  # noqa: B008 - it is frozen
        """Return events, the newest first."""
        with self._database.reading() as connection:
            return rows.events(connection, keys(connection, "event", query, query.limit))

    def stream(self, query: ReadingQuery, limit: int | None = None) -> Iterator[tuple[ReadingRecord, str | None]]:
        """Iterate over readings and their human labels, the oldest first, without holding all of them in memory.

        limit: only the newest `limit` of them, in place of the query's own. Readings that are written meanwhile may be
        among them or not.
        """
        key: int | None = None
        if limit is not None:
            with self._database.reading() as connection:
                newest = keys(connection, "reading", query, limit)
            if not newest:
                return
            key = newest[-1] - 1
        while True:
            with self._database.reading() as connection:
                batch = keys(connection, "reading", query, rows.BATCH, descending=False, after=key)
                found = rows.readings(connection, self._names, batch)
                labels = rows.human_labels(connection, [one.id for one in found])
            yield from ((one, labels.get(one.id)) for one in found)
            if len(batch) < rows.BATCH:
                return
            key = batch[-1]

    def history(self, site: str, device: int, since: float, until: float, buckets: int = 200) -> list[HistoryBucket]:
        """Return at most `buckets` buckets of equal length from `since` to `until`, the oldest first.

        Empty ones are included; without such a device, there are none. Buckets of an hour or more, and those of more
        than MAX_SINGLE readings in all, are of whole hours. Raises HostError if the times make no sense.
        """
        if not 0 <= since < until or buckets < 1:
            raise HostError(f"no history of {buckets} buckets from {since} to {until}: the end must be after the start")
        with self._database.reading() as connection:
            key = devices.key_of(connection, site, device)
            return [] if key is None else history(connection, self._names, key, since, until, buckets)

    def set_label(self, id: str, label: str | None) -> None:
        """Set a human's label of a reading, or remove it. Raises HostError for an unknown id or an unusable label."""
        try:
            label = None if label is None else check_label(label)
        except ContentError as error:
            raise HostError(str(error)) from None
        with self._database.writing() as connection:
            if not connection.execute("UPDATE reading SET human_label = ? WHERE id = ?", (label, id)).rowcount:
                raise HostError(f"there is no reading {shown(id)}")
            (key,) = connection.execute("SELECT key FROM reading WHERE id = ?", (id,)).fetchone()
        if label is None:
            self._pruner.look_from(key)

    def labels_of(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the human labels of readings, by id; readings without one are left out."""
        with self._database.reading() as connection:
            return rows.human_labels(connection, ids)

    def labels(self) -> list[LabelRow]:
        """Return the human labels with the number of readings, by bundle and label."""
        with self._database.reading() as connection:
            return [LabelRow(*row) for row in connection.execute(_LABELS)]

    def size(self) -> StoreSize:
        """Return how much the store holds."""
        with self._database.reading() as connection:
            counts = dict(connection.execute("SELECT kind, count FROM total"))
            (labelled,) = connection.execute("SELECT count(*) FROM reading WHERE human_label IS NOT NULL").fetchone()
            pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        return StoreSize(counts["reading"], counts["status"], counts["event"], labelled, pages * size)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


_LABELS = """
SELECT bundle, model_id, human_label, count(*) FROM reading JOIN model ON model.key = reading.model
WHERE human_label IS NOT NULL GROUP BY bundle, model_id, human_label ORDER BY bundle, model_id, human_label
"""
