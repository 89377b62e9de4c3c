"""Retention: what is deleted, in steps so small that the writer is never blocked for long."""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from host.store.database import Database
from host.store.hours import MICROSECONDS, SPANS
from host.store.writing import delete_readings

DAY_S = 86400
STEP = 200  # records in one transaction
VACUUM_PAGES = 200  # in one step
SLACK = 0.1  # share of free pages that the file keeps for new records
YEARS = 3660.0  # days; hours take little space


@dataclass(frozen=True)
class Retention:
    """How long records are kept, and how many; None: without limit. Readings with a human's label are always kept."""

    readings_days: float | None = 366.0
    statuses_days: float | None = 92.0
    events_days: float | None = 366.0
    hours_days: float | None = YEARS  # totals by hour and by day, from which histories are made
    readings: int | None = 10_000_000
    statuses: int | None = 2_000_000
    events: int | None = 1_000_000
    file_bytes: int | None = 8_000_000_000  # above it, the oldest readings are deleted


class Pruner:
    """Deletes what the retention does not keep, the oldest first."""

    def __init__(self, database: Database, retention: Retention, wall_clock: Callable[[], float] = time.time) -> None:
        self._database, self._retention, self._wall_clock = database, retention, wall_clock
        self._labelled_until = 0  # readings with smaller keys have a human's label

    def prune(self, limit_s: float) -> bool:
        """Delete for about `limit_s` seconds; return True if there is more to delete. Raises HostError."""
        end = time.monotonic() + limit_s
        while self._step():
            if time.monotonic() >= end:
                return True
        return False

    def look_from(self, key: int) -> None:
        """Look for readings to delete from this key on: it is new, or without a label now."""
        self._labelled_until = min(self._labelled_until, key)

    def _step(self) -> bool:
        """Delete one step of each kind, and give free pages back; return True if anything was done."""
        kept = self._retention
        kinds = (
            ("reading", kept.readings_days, kept.readings),
            ("status", kept.statuses_days, kept.statuses),
            ("event", kept.events_days, kept.events),
        )
        with self._database.writing() as connection:
            deleted = sum(self._delete(connection, *kind) for kind in kinds) + self._delete_totals(connection)
            pages, free = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")
            )
        if free > VACUUM_PAGES and free > SLACK * pages:
            self._database.vacuum(VACUUM_PAGES)
            return True
        return deleted > 0

    def _delete(self, connection: sqlite3.Connection, table: str, days: float | None, most: int | None) -> int:
        """Delete up to STEP records that are too old or too many, and return their number."""
        query = "SELECT count FROM total WHERE kind = ?"
        too_many = 0 if most is None else connection.execute(query, (table,)).fetchone()[0] - most
        if table == "reading" and self._too_large(connection):
            too_many = STEP
        before = 0 if days is None else self._cutoff(days)
        columns, where = ("key, class, tasks", " AND human_label IS NULL") if table == "reading" else ("key", "")
        query = f"SELECT {columns} FROM {table} WHERE key >= ? AND key < ?{where} ORDER BY key LIMIT ?"
        begin = self._labelled_until if table == "reading" else 0
        rows = connection.execute(query, (begin, before, STEP)).fetchall()
        if len(rows) < min(too_many, STEP):
            rows = connection.execute(query, (begin, 1 << 62, min(too_many, STEP))).fetchall()
        if not rows:
            return 0
        if table == "reading":
            delete_readings(connection, rows)
            self._labelled_until = rows[-1][0]
        else:
            connection.executemany(f"DELETE FROM {table} WHERE key = ?", rows)
        query = "UPDATE total SET count = count - ?, deleted_until = max(deleted_until, ?) WHERE kind = ?"
        connection.execute(query, (len(rows), rows[-1][0] + 1, table))
        return len(rows)

    def _delete_totals(self, connection: sqlite3.Connection) -> int:
        if self._retention.hours_days is None:
            return 0
        deleted = 0
        for span, seconds in SPANS.items():
            number = self._cutoff(self._retention.hours_days) // (seconds * MICROSECONDS)
            query = f"""SELECT device, {span} FROM device CROSS JOIN {span} ON {span}.device = device.key
                WHERE {span} < ? LIMIT ?"""
            rows = connection.execute(query, (number, STEP)).fetchall()
            connection.executemany(f"DELETE FROM {span} WHERE device = ? AND {span} = ?", rows)
            deleted += len(rows)
        return deleted

    def _cutoff(self, days: float) -> int:
        return max(0, round((self._wall_clock() - days * DAY_S) * MICROSECONDS))

    def _too_large(self, connection: sqlite3.Connection) -> bool:
        if self._retention.file_bytes is None:
            return False
        pages, free, size = _pages(connection)
        return (pages - free) * size > self._retention.file_bytes


def _pages(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Return the number of pages, how many of them are free, and the bytes of one."""
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return pages, free, size
