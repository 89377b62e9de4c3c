"""The device table: when each device was last seen, and with what."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from host.errors import HostError
from host.site.records import ReadingRecord, Reception, StatusRecord, TaskAnswer


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

    @property
    def snr_db(self) -> float | None:
        """The best SNR of the last reading, or that of the last status if that is newer or the only one."""
        newest = self.status if self.status and not (self.reading and self.reading.time > self.status.time) else None
        if newest or not self.reading:
            return newest.snr_db if newest else None
        return max((one.snr_db for one in self.reading.receptions if one.snr_db is not None), default=None)


def as_json(record: ReadingRecord | StatusRecord) -> str:
    """Return a record as JSON for the device table, without symbols. `record.as_json()` takes ten times as long."""
    values = dict(vars(record))
    if isinstance(record, ReadingRecord):
        values["symbols"] = ()
        values["receptions"] = [vars(one) for one in record.receptions]
        values["tasks"] = {name: vars(one) for name, one in record.tasks.items()}
    return json.dumps(values)


def listed(connection: sqlite3.Connection, site: str | None) -> list[DeviceRow]:
    """Return the devices of a site, or of all, that have been seen and not been forgotten."""
    query = """SELECT site, number, gateway, first_seen, last_seen, readings, silent_since, reading, status FROM device
        WHERE (site = ?1 OR ?1 IS NULL) AND (reading IS NOT NULL OR status IS NOT NULL)
        ORDER BY gateway, site, number"""
    return [_row(*row) for row in connection.execute(query, (site,))]


def key_of(connection: sqlite3.Connection, site: str, number: int, gateway: bool = False) -> int | None:
    """Return the key of a device, None if there is no such device."""
    query = "SELECT key FROM device WHERE site = ? AND number = ? AND gateway = ?"
    row = connection.execute(query, (site, number, int(gateway))).fetchone()
    return row[0] if row else None


def forget(connection: sqlite3.Connection, site: str, number: int, gateway: bool) -> None:
    """Remove a device from the list, until it is seen again. Raises HostError if there is no such device."""
    key = key_of(connection, site, number, gateway)
    if key is None:
        raise HostError(f"site {site!r} has no {'gateway' if gateway else 'device'} {number}")
    connection.execute(
        "UPDATE device SET reading = NULL, reading_time = NULL, status = NULL, status_time = NULL, readings = 0, "
        "silent_since = NULL WHERE key = ?",
        (key,),
    )


def _row(
    site: str,
    number: int,
    gateway: int,
    first_seen: float,
    last_seen: float,
    readings: int,
    silent_since: float | None,
    reading: str | None,
    status: str | None,
) -> DeviceRow:
    return DeviceRow(
        site,
        number,
        bool(gateway),
        first_seen,
        last_seen,
        readings,
        silent_since,
        _reading(json.loads(reading)) if reading else None,
        StatusRecord(**json.loads(status)) if status else None,
    )


def _reading(values: dict[str, Any]) -> ReadingRecord:
    """Return the record that `as_json` wrote. `record_of`, which checks strangers' values, takes ten times as long."""
    values["symbols"] = ()
    values["receptions"] = tuple(Reception(**one) for one in values["receptions"])
    values["tasks"] = {name: TaskAnswer(**one) for name, one in values["tasks"].items()}
    return ReadingRecord(**values)
