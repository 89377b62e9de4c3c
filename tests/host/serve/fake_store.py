"""Store in memory: what the page needs of the real one, without a file."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TypeVar

from host.serve.stored import ClassCount, DeviceRow, HistoryBucket, LabelRow, ReadingQuery, RecordQuery, StatusQuery
from host.site.records import AnyRecord, EventRecord, ReadingRecord, Record, StatusRecord

Found = TypeVar("Found", bound=Record)


class FakeStore:
    """Records in memory, with the queries of the real store."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._records: dict[str, AnyRecord] = {}
        self._labels: dict[str, str] = {}
        self._forgotten: set[tuple[bool, str, int]] = set()

    def write(self, records: Iterable[AnyRecord]) -> None:
        """Add records; one with a known id replaces the earlier one."""
        with self._lock:
            for record in records:
                self._records[record.id] = record
                if not isinstance(record, EventRecord):
                    self._forgotten.discard((getattr(record, "gateway", False), record.site, record.device))

    def devices(self, site: str | None = None) -> list[DeviceRow]:
        """Return all devices and gateways."""
        by_device: dict[tuple[bool, str, int], list[Record]] = {}
        for record in self._newest(Record, RecordQuery(site)):
            device = getattr(record, "device", None)
            if device is not None:
                gateway = bool(getattr(record, "gateway", False))
                by_device.setdefault((gateway, record.site, device), []).append(record)
        heard = {
            key: records
            for key, records in by_device.items()
            if key not in self._forgotten and any(one.kind != "event" for one in records)
        }
        return [_row(records, site, device, gateway) for (gateway, site, device), records in sorted(heard.items())]

    def forget_device(self, site: str, number: int, gateway: bool = False) -> None:
        """Remove a device from the list."""
        self._forgotten.add((gateway, site, number))

    def readings(self, query: ReadingQuery) -> list[ReadingRecord]:
        """Return readings, the newest first."""
        with self._lock:
            return self._matching(query)[: query.limit]

    def reading(self, id: str) -> ReadingRecord | None:
        """Return a reading."""
        found = self._records.get(id)
        return found if isinstance(found, ReadingRecord) else None

    def stream(self, query: ReadingQuery) -> Iterator[tuple[ReadingRecord, str | None]]:
        """Iterate over readings and their labels, the oldest first."""
        with self._lock:
            found = [(reading, self._labels.get(reading.id)) for reading in reversed(self._matching(query))]
        return iter(found)

    def history(self, site: str, device: int, since: float, until: float, buckets: int) -> list[HistoryBucket]:
        """Return buckets of equal length."""
        width = (until - since) / buckets
        query = ReadingQuery(site, device, since, until)
        readings: list[list[ReadingRecord]] = [[] for _ in range(buckets)]
        batteries: list[list[float]] = [[] for _ in range(buckets)]
        for reading in self._newest(ReadingRecord, query):
            readings[int((reading.time - since) / width)].append(reading)
        for status in self._newest(StatusRecord, query):
            if status.battery_v is not None and not status.gateway:
                batteries[int((status.time - since) / width)].append(status.battery_v)
        return [
            _bucket(since + number * width, width, readings[number], batteries[number]) for number in range(buckets)
        ]

    def statuses(self, query: StatusQuery) -> list[StatusRecord]:
        """Return statuses, the newest first."""
        found = self._newest(StatusRecord, query)
        return [one for one in found if query.gateway in (None, one.gateway)][: query.limit]

    def events(self, query: RecordQuery) -> list[EventRecord]:
        """Return events, the newest first."""
        return self._newest(EventRecord, query)[: query.limit]

    def set_label(self, id: str, label: str | None) -> None:
        """Set or remove the label of a reading."""
        with self._lock:
            if label is None:
                self._labels.pop(id, None)
            else:
                self._labels[id] = label

    def labels(self) -> list[LabelRow]:
        """Return labels with the number of their readings."""
        with self._lock:
            labelled = [(self.reading(id), label) for id, label in self._labels.items()]
        counts = Counter((one.bundle, one.model_id, label) for one, label in labelled if one)
        return [LabelRow(*key, count) for key, count in sorted(counts.items())]

    def labels_of(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the labels of readings."""
        with self._lock:
            return {id: self._labels[id] for id in ids if id in self._labels}

    def _matching(self, query: ReadingQuery) -> list[ReadingRecord]:
        labels = self._labels
        return [
            reading
            for reading in self._newest(ReadingRecord, query)
            if query.label is None or query.label in (reading.label, *(one.label for one in reading.tasks.values()))
            if query.human_label is None or labels.get(reading.id) == query.human_label
            if not query.labelled or reading.id in labels
        ]

    def _newest(self, kind: type[Found], query: RecordQuery) -> list[Found]:
        with self._lock:
            found: list[Found] = []
            found += [record for record in self._records.values() if isinstance(record, kind) and _fits(record, query)]
            found.sort(key=lambda record: (record.time, record.id), reverse=True)
            ids = [record.id for record in found]
            return found[ids.index(query.before) + 1 :] if query.before in ids else found


def _fits(record: Record, query: RecordQuery) -> bool:
    device = getattr(record, "device", None)
    return (
        query.site in (None, record.site)
        and query.device in (None, device)
        and (query.since is None or record.time >= query.since)
        and (query.until is None or record.time < query.until)
    )


def _row(records: list[Record], site: str, device: int, gateway: bool) -> DeviceRow:
    """Return the row of a device from its records, the newest first."""
    readings = [one for one in records if isinstance(one, ReadingRecord)]
    statuses = [one for one in records if isinstance(one, StatusRecord)]
    times = [one.time for one in (*readings, *statuses)]
    events = [one for one in records if isinstance(one, EventRecord) and one.event in ("silent", "back")]
    silent = bool(events) and events[0].event == "silent" and events[0].time > max(times)
    return DeviceRow(
        site,
        device,
        gateway,
        first_seen=min(times),
        last_seen=max(times),
        readings=len(readings),
        silent_since=events[0].time if silent else None,
        reading=replace(readings[0], symbols=()) if readings else None,
        status=statuses[0] if statuses else None,
    )


def _bucket(start: float, width: float, readings: list[ReadingRecord], batteries: list[float]) -> HistoryBucket:
    classes: Counter[tuple[str | None, str | None]] = Counter()
    for one in readings:
        if one.label is not None:
            classes[(None, one.label)] += 1
        classes.update((task, found.label) for task, found in one.tasks.items())
    snrs = [max(one.snr_db or -99.0 for one in reading.receptions) for reading in readings]
    return HistoryBucket(
        start,
        start + width,
        readings=len(readings),
        by_board=sum(one.answered_by == "board" for one in readings),
        lost=sum(one.lost for one in readings),
        ber=fmean(one.ber for one in readings) if readings else None,
        snr_db=fmean(snrs) if snrs else None,
        battery_v=fmean(batteries) if batteries else None,
        classes=tuple(ClassCount(*key, count) for key, count in classes.most_common()),
    )
