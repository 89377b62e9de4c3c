"""Queries of the store: keys of records, the newest or the oldest first, merged from ranges of its indexes."""

import heapq
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from host.store.hours import MAX_KEY, MICROSECONDS

_STEP = 500  # keys that are read from a range at once, at most
_SCANNED = 400  # rows that are searched for those of some devices, before the index of each device is
Table = Literal["reading", "status", "event"]


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
class StatusQuery(RecordQuery):
    """Which statuses, the newest first. None: all."""

    gateway: bool | None = None  # `device` is the number of a gateway


@dataclass(frozen=True)
class _Range:
    """Rows of an index or table in the order of their keys."""

    table: str
    column: str  # of the keys
    where: str  # ends in " AND " if it is not empty
    values: tuple

    def keys(self, connection: sqlite3.Connection, low: int, high: int, descending: bool, step: int) -> Iterator[int]:
        """Iterate over the keys from `low` up to, but without, `high`."""
        order = "DESC" if descending else "ASC"
        query = (
            f"SELECT {self.column} FROM {self.table} WHERE {self.where}{self.column} >= ? AND {self.column} < ? "
            f"ORDER BY {self.column} {order} LIMIT ?"
        )
        while True:
            found = [key for (key,) in connection.execute(query, (*self.values, low, high, step))]
            yield from found
            if len(found) < step:
                return
            low, high = (low, found[-1]) if descending else (found[-1] + 1, high)
            step = _STEP


@dataclass(frozen=True)
class _AtDevices:
    """Rows of several devices: those among the first rows of all, then those of each device's own range."""

    table: str
    column: str
    where: str
    values: tuple
    devices: tuple[int, ...]

    def keys(self, connection: sqlite3.Connection, low: int, high: int, descending: bool, step: int) -> Iterator[int]:
        """Iterate over the keys from `low` up to, but without, `high`."""
        column, order = self.column, "DESC" if descending else "ASC"
        query = (
            f"SELECT {column}, device FROM {self.table} WHERE {self.where}{column} >= ? AND {column} < ? "
            f"ORDER BY {column} {order} LIMIT ?"
        )
        rows, wanted = connection.execute(query, (*self.values, low, high, _SCANNED)).fetchall(), set(self.devices)
        yield from (key for key, device in rows if device in wanted)
        if len(rows) == _SCANNED:
            low, high = (low, rows[-1][0]) if descending else (rows[-1][0] + 1, high)
            streams = [one.keys(connection, low, high, descending, step) for one in self.ranges()]
            yield from heapq.merge(*streams, reverse=descending)

    def ranges(self) -> list[_Range]:
        """Return the range of each device."""
        where = f"device = ? AND {self.where}"
        return [_Range(self.table, self.column, where, (device, *self.values)) for device in self.devices]


def keys(
    connection: sqlite3.Connection,
    table: Table,
    query: RecordQuery,
    limit: int,
    descending: bool = True,
    after: int | None = None,
) -> list[int]:
    """Return at most `limit` keys of the records that match, in their order. `after`: only those after this key."""
    low = 0 if query.since is None else round(query.since * MICROSECONDS)
    high = MAX_KEY if query.until is None else round(query.until * MICROSECONDS)
    if query.before is not None:
        row = connection.execute(f"SELECT key FROM {table} WHERE id = ?", (query.before,)).fetchone()
        if row is None:
            return []  # retention has removed it, and all before it
        high = min(high, row[0])
    if after is not None:
        low, high = (low, min(high, after)) if descending else (max(low, after + 1), high)
    ranges = list(_ranges(connection, table, query))
    step = min(_STEP, limit)
    streams = [one.keys(connection, low, high, descending, step) for one in ranges]
    merged, found, last = heapq.merge(*streams, reverse=descending), [], None
    for key in merged:
        if key != last:  # two tasks may show the same class
            found.append(key)
        last = key
        if len(found) == limit:
            break
    return found


def _ranges(connection: sqlite3.Connection, table: Table, query: RecordQuery) -> list[_Range | _AtDevices]:
    """Return the ranges that together hold exactly the keys that match, apart from their time."""
    if table == "event":
        parts = {"site": query.site, "device": query.device}
        given = {column: value for column, value in parts.items() if value is not None}
        return [_Range(table, "key", "".join(f"{column} = ? AND " for column in given), tuple(given.values()))]
    devices = _devices(connection, query)
    if devices == []:
        return []
    if not isinstance(query, ReadingQuery) or (query.label, query.human_label, query.labelled) == (None, None, False):
        return [_of_devices(table, "key", "", (), devices)]
    classes = [key for (key,) in connection.execute("SELECT key FROM class WHERE label = ?", (query.label,))]
    if query.label is not None and not classes:
        return []
    if query.human_label is not None or query.labelled:  # few readings, so that the rest is no index's work
        where = "human_label IS NOT NULL AND " if query.human_label is None else "human_label = ? AND "
        where += "" if devices is None else f"device IN ({_numbers(devices)}) AND "
        if query.label is not None:
            where += f"EXISTS (SELECT 1 FROM shown WHERE class IN ({_numbers(classes)}) AND reading = key) AND "
        return [_Range(table, "key", where, () if query.human_label is None else (query.human_label,))]
    return [_of_devices("shown", "reading", "class = ? AND ", (one,), devices) for one in classes]


def _of_devices(table: str, column: str, where: str, values: tuple, devices: list[int] | None) -> _Range | _AtDevices:
    """Return the rows of these devices; of all, if None."""
    if devices is None:
        return _Range(table, column, where, values)
    some = _AtDevices(table, column, where, values, tuple(devices))
    return some.ranges()[0] if len(devices) == 1 else some


def _devices(connection: sqlite3.Connection, query: RecordQuery) -> list[int] | None:
    """Return the keys of the devices that match; None if these are all."""
    gateway = query.gateway if isinstance(query, StatusQuery) else None
    parts = {"site": query.site, "number": query.device, "gateway": gateway}
    given = {column: value for column, value in parts.items() if value is not None}
    where = " AND ".join(f"{column} = ?" for column in given) or "1"
    found = [key for (key,) in connection.execute(f"SELECT key FROM device WHERE {where}", tuple(given.values()))]
    (count,) = connection.execute("SELECT count(*) FROM device").fetchone()
    return None if len(found) == count else found


def _numbers(values: list[int]) -> str:
    return ", ".join(map(str, values))
