"""Records into rows: one transaction per batch, with the device table and the totals by hour and day kept current."""

import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from host.site.records import AnyRecord, EventRecord, ReadingRecord, StatusRecord
from host.store.devices import as_json
from host.store.hours import MAX_KEY, MICROSECONDS, OWN, Totals, add_to_totals, hour_of
from host.store.rows import insert, task_labels, tasks_json
from host.store.symbols import pack_symbols
from wire.files import to_json

SILENT, BACK = "silent", "back"  # events that set and clear `silent_since` of a device
_DEVICE = "first_seen, last_seen, readings, silent_since, reading, reading_time, status, status_time"


@dataclass
class _Device:
    """What a batch changes of a row of the device table."""

    first_seen: float
    last_seen: float
    readings: int = 0
    silent_since: float | None = None
    reading: str | None = None  # JSON of the last one, without its symbols
    reading_time: float | None = None
    status: str | None = None
    status_time: float | None = None
    newest: ReadingRecord | None = None  # becomes `reading` at the end of the batch

    def see(self, time: float) -> None:
        """Take note of a frame, which may be older than the last one."""
        self.first_seen = min(self.first_seen, time)
        self.last_seen = max(self.last_seen, time)
        if self.silent_since is not None and time > self.silent_since:
            self.silent_since = None


class Interned:
    """Keys of texts, models, classes and devices. Forget them if a transaction fails: their rows may be gone."""

    def __init__(self) -> None:
        self._keys: dict[tuple, int] = {}

    def forget(self) -> None:
        """Forget all keys."""
        self._keys.clear()

    def text(self, connection: sqlite3.Connection, text: str) -> int:
        """Return the key of a text."""
        return self._key(connection, "text", ("text",), (text,))

    def model(self, connection: sqlite3.Connection, bundle: str, model_id: str) -> int:
        """Return the key of a model."""
        return self._key(connection, "model", ("bundle", "model_id"), (bundle, model_id))

    def label(self, connection: sqlite3.Connection, task: str, label: str) -> int:
        """Return the key of a class of a task, or of a bundle's own (task OWN)."""
        return self._key(connection, "class", ("task", "label"), (task, label))

    def device(self, connection: sqlite3.Connection, site: str, number: int, gateway: bool, time: float) -> int:
        """Return the key of a device. `time` is when a new one is first seen."""
        values = (site, number, int(gateway))
        more = {"first_seen": time, "last_seen": time, "readings": 0}
        return self._key(connection, "device", ("site", "number", "gateway"), values, more)

    def _key(
        self,
        connection: sqlite3.Connection,
        table: str,
        columns: tuple[str, ...],
        values: tuple,
        more: dict[str, float] | None = None,
    ) -> int:
        key = self._keys.get((table, *values))
        if key is None:
            where = " AND ".join(f"{column} = ?" for column in columns)
            row = connection.execute(f"SELECT key FROM {table} WHERE {where}", values).fetchone()
            if row is None:
                names, all_values = (*columns, *(more or {})), (*values, *(more or {}).values())
                marks = ", ".join("?" * len(names))
                statement = f"INSERT INTO {table}({', '.join(names)}) VALUES({marks})"
                row = (connection.execute(statement, all_values).lastrowid,)
            key = self._keys[(table, *values)] = int(row[0])
        return key


class Batch:
    """Writes records in a transaction that is open, and then what follows from them. `finish` ends the batch."""

    def __init__(self, connection: sqlite3.Connection, interned: Interned) -> None:
        self._connection, self._interned = connection, interned
        self._devices: dict[int, _Device] = {}
        self._hours: dict[tuple[int, int], Totals] = {}
        self._new: Counter[str] = Counter()  # records by table
        self.oldest = MAX_KEY  # of the readings written

    def add(self, record: AnyRecord) -> None:
        """Write a record that has been checked. Raises ContentError before it has changed anything."""
        if isinstance(record, ReadingRecord):
            self._add_reading(record)
        elif isinstance(record, StatusRecord):
            self._add_status(record)
        else:
            self._add_event(record)

    def finish(self) -> None:
        """Write the changes of devices, hours, days and totals."""
        execute = self._connection.execute
        for key, one in self._devices.items():
            if one.newest:
                one.reading = as_json(one.newest)
            marks = ", ".join(f"{column} = ?" for column in _DEVICE.split(", "))
            values = [getattr(one, column) for column in _DEVICE.split(", ")]
            execute(f"UPDATE device SET {marks} WHERE key = ?", (*values, key))
        add_to_totals(self._connection, self._hours)
        for kind, count in self._new.items():
            execute("UPDATE total SET count = count + ? WHERE kind = ?", (count, kind))

    def _add_reading(self, record: ReadingRecord) -> None:
        symbols = pack_symbols(record.symbols)  # first: it may refuse the record
        execute, names = self._connection.execute, self._interned
        device = names.device(self._connection, record.site, record.device, False, record.time)
        human_label, row = None, execute(_OLD_READING, (record.id,)).fetchone()
        if row:
            key, human_label, n_receptions = row[0], row[1], row[2]
            if n_receptions > len(record.receptions):
                return  # an earlier state of this reading, delivered late or twice
            self._take_back(row)
            self._new["reading"] -= 1
        key = self._new_key("reading", record.time)
        receptions = [
            (key, number, names.text(self._connection, one.gateway), one.time, one.ber, one.crc_ok, one.snr_db,
             one.rssi_dbm)
            for number, one in enumerate(record.receptions)
        ]  # fmt: skip
        self._connection.executemany(insert("reception"), receptions)
        snr_db = max((one.snr_db for one in record.receptions if one.snr_db is not None), default=None)
        own = None if record.label is None else names.label(self._connection, OWN, record.label)
        tasks = tasks_json(record.tasks)
        shown, named = self._classes(own, {name: one.label for name, one in record.tasks.items()})
        self._connection.executemany("INSERT OR IGNORE INTO shown VALUES(?, ?, ?)", [(c, key, device) for c in named])

        def text(value: str) -> int:
            return names.text(self._connection, value)

        model = names.model(self._connection, record.bundle, record.model_id)
        values = (
            key, record.id, device, model, record.time, record.image_number, record.sequence, text(record.frame), own,
            record.index, record.confidence, text(record.answered_by), record.unsure, text(record.auth), record.ber,
            record.payload_ber, record.answer_word, record.crc_ok, record.lost, text(record.lost_certainty),
            record.lost_total, text(record.lost_total_certainty), record.duplicate, record.late, record.unexpected,
            snr_db, tasks, human_label, symbols,
        )  # fmt: skip
        execute(insert("reading"), values)
        self._new["reading"] += 1
        self.oldest = min(self.oldest, key)
        by_board = record.answered_by == "board"
        self._hour(device, key).add_reading(by_board, record.lost, record.ber, snr_db, shown)
        state = self._device(device)
        state.see(max([record.time, *(one.time for one in record.receptions)]))
        state.readings += not row
        if state.reading_time is None or record.time >= state.reading_time:
            state.newest, state.reading_time = record, record.time

    def _take_back(self, row: Sequence) -> None:
        """Remove a reading that is being replaced, with its share of the totals."""
        key, _, _, device, by_board, lost, ber, snr_db, own, tasks = row
        shown, _ = self._classes(own, task_labels(tasks))
        self._hour(device, key).add_reading(bool(by_board), lost, ber, snr_db, shown, sign=-1)
        delete_readings(self._connection, [(key, own, tasks)])

    def _add_status(self, record: StatusRecord) -> None:
        names, connection = self._interned, self._connection
        device = names.device(connection, record.site, record.device, record.gateway, record.time)
        row = connection.execute("SELECT key, device, battery_v FROM status WHERE id = ?", (record.id,)).fetchone()
        if row:
            key, old_device, battery_v = row
            self._hour(old_device, key).add_battery(battery_v, sign=-1)
            connection.execute("DELETE FROM status WHERE key = ?", (key,))
            self._new["status"] -= 1
        key = self._new_key("status", record.time)
        cause, mode, by = (names.text(connection, one) for one in (record.reset_cause, record.mode, record.received_by))
        values = (
            key, record.id, device, record.time, record.counter, record.uptime_s, record.boots, cause, mode,
            record.threshold, record.battery_v, record.air_left_s, record.period_s, by, record.snr_db, record.rssi_dbm,
        )  # fmt: skip
        connection.execute(insert("status"), values)
        self._new["status"] += 1
        self._hour(device, key).add_battery(record.battery_v)
        state = self._device(device)
        state.see(record.time)
        if state.status_time is None or record.time >= state.status_time:
            state.status, state.status_time = as_json(record), record.time

    def _add_event(self, record: EventRecord) -> None:
        execute = self._connection.execute
        row = execute("SELECT key FROM event WHERE id = ?", (record.id,)).fetchone()
        if row:
            execute("DELETE FROM event WHERE key = ?", row)
            self._new["event"] -= 1
        values = (record.event, record.text, record.device, record.gateway, to_json(dict(record.values)))
        key = self._new_key("event", record.time)
        execute(insert("event"), (key, record.id, record.site, record.time, *values))
        self._new["event"] += 1
        if record.device is not None and record.event in (SILENT, BACK):
            query = "SELECT key FROM device WHERE site = ? AND number = ? AND gateway = ?"
            row = execute(query, (record.site, record.device, int(bool(record.gateway)))).fetchone()
            if row:  # of a device that was never heard, nobody knows when
                state = self._device(row[0])
                if record.event == BACK:
                    state.silent_since = None
                elif record.time >= state.last_seen:
                    state.silent_since = record.time

    def _classes(self, own: int | None, tasks: dict[str, str | None]) -> tuple[list[int], list[int]]:
        """Return the keys of the classes shown, and of those that have a name: not none of a task's classes."""
        shown, named = ([own], [own]) if own is not None else ([], [])
        for task, label in tasks.items():
            key = self._interned.label(self._connection, task, label or "")
            shown = [*shown, key]
            named = [*named, key] if label is not None else named
        return shown, named

    def _new_key(self, table: str, time: float) -> int:
        """Return a key that is free: the time in microseconds, or one near it."""
        key = begin = round(time * MICROSECONDS)
        attempt = 0
        while self._connection.execute(f"SELECT 1 FROM {table} WHERE key = ?", (key,)).fetchone():
            attempt += 1
            key = begin + random.randrange(1 << min(attempt, 30))
        return key

    def _hour(self, device: int, key: int) -> Totals:
        return self._hours.setdefault((device, hour_of(key)), Totals())

    def _device(self, key: int) -> _Device:
        if key not in self._devices:
            row = self._connection.execute(f"SELECT {_DEVICE} FROM device WHERE key = ?", (key,)).fetchone()
            self._devices[key] = _Device(*row)
        return self._devices[key]


_OLD_READING = """
SELECT
    key, human_label, (SELECT count(*) FROM reception WHERE reading = reading.key), device,
    answered_by = (SELECT key FROM text WHERE text = 'board'), lost, ber, snr_db, class, tasks
FROM reading WHERE id = ?
"""


def delete_readings(connection: sqlite3.Connection, rows: Sequence[tuple[int, int | None, str | None]]) -> None:
    """Delete readings, given by their columns key, class and tasks, with their receptions and classes shown."""
    shown = []
    for key, own, tasks in rows:
        if own is not None:
            shown.append((own, key))
        for task, label in task_labels(tasks).items():
            if label is not None:
                query = "SELECT key FROM class WHERE task = ? AND label = ?"
                shown.append((connection.execute(query, (task, label)).fetchone()[0], key))
    keys = [(row[0],) for row in rows]
    connection.executemany("DELETE FROM shown WHERE class = ? AND reading = ?", shown)
    connection.executemany("DELETE FROM reception WHERE reading = ?", keys)
    connection.executemany("DELETE FROM reading WHERE key = ?", keys)
