"""Rows of the store and the records that they hold."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from host.site.records import EventRecord, ReadingRecord, Reception, StatusRecord, TaskAnswer
from host.store.symbols import unpack_symbols

READING = (
    "key", "id", "device", "model", "time", "image_number", "sequence", "frame", "class", "class_index", "confidence",
    "answered_by", "unsure", "auth", "ber", "payload_ber", "answer_word", "crc_ok", "lost", "lost_certainty",
    "lost_total", "lost_total_certainty", "duplicate", "late", "unexpected", "snr_db", "tasks", "human_label",
    "symbols",
)  # fmt: skip
RECEPTION = ("reading", "number", "gateway", "time", "ber", "crc_ok", "snr_db", "rssi_dbm")
STATUS = (
    "key", "id", "device", "time", "counter", "uptime_s", "boots", "reset_cause", "mode", "threshold", "battery_v",
    "air_left_s", "period_s", "received_by", "snr_db", "rssi_dbm",
)  # fmt: skip
EVENT = ("key", "id", "site", "time", "event", "text", "device", "gateway", '"values"')
OF = {"reading": READING, "reception": RECEPTION, "status": STATUS, "event": EVENT}  # by table
BATCH = 500  # keys in one query


def insert(table: str) -> str:
    """Return the statement that inserts a row, or replaces the one with its primary key."""
    columns = OF[table]
    return f"INSERT OR REPLACE INTO {table}({', '.join(columns)}) VALUES({', '.join('?' * len(columns))})"


class Names:
    """What the keys of the small tables mean. Their rows never change, so they are read once."""

    def __init__(self) -> None:
        self._known: dict[str, dict[int, Any]] = {"text": {}, "model": {}, "class": {}, "device": {}}

    def of(self, table: str, connection: sqlite3.Connection, key: int) -> Any:  # noqa: ANN401 - by the table
        """Return the text, (bundle, model_id), (task, label) or (site, number, gateway) of a key."""
        known = self._known[table]
        if key not in known:
            columns = {
                "text": "text", "model": "bundle, model_id", "class": "task, label", "device": "site, number, gateway",
            }[table]  # fmt: skip
            rows = connection.execute(f"SELECT key, {columns} FROM {table} WHERE key > ?", (max(known, default=-1),))
            known.update({key: rest[0] if table == "text" else tuple(rest) for key, *rest in rows})
        return known[key]


def tasks_json(tasks: Mapping[str, TaskAnswer]) -> str | None:
    """Return the column `tasks`: label, index and confidence by task; None without tasks."""
    if not tasks:
        return None
    return json.dumps({name: [one.label, one.index, one.confidence] for name, one in tasks.items()})


def task_labels(tasks: str | None) -> dict[str, str | None]:
    """Return the label of each task in the column `tasks`; None for none of its classes."""
    return {name: values[0] for name, values in json.loads(tasks).items()} if tasks else {}


def readings(connection: sqlite3.Connection, names: Names, keys: Sequence[int]) -> list[ReadingRecord]:
    """Return the readings with these keys, in this order, as far as they are there."""
    found: dict[int, ReadingRecord] = {}
    for batch in _batches(keys):
        receptions: dict[int, list[Reception]] = {}
        for reading, _, gateway, *rest in _select(connection, "reception", "reading", batch):
            receptions.setdefault(reading, []).append(_reception(names.of("text", connection, gateway), *rest))
        for row in _select(connection, "reading", "key", batch):
            found[row[0]] = _reading(connection, names, row, receptions.get(row[0], []))
    return [found[key] for key in keys if key in found]


def statuses(connection: sqlite3.Connection, names: Names, keys: Sequence[int]) -> list[StatusRecord]:
    """Return the statuses with these keys, in this order, as far as they are there."""
    found = {}
    for batch in _batches(keys):
        for row in _select(connection, "status", "key", batch):
            values = dict(zip(STATUS, row, strict=True))
            site, number, gateway = names.of("device", connection, values.pop("device"))
            for column in ("reset_cause", "mode", "received_by"):
                values[column] = names.of("text", connection, values[column])
            key = values.pop("key")
            found[key] = StatusRecord(site=site, device=number, gateway=bool(gateway), **values)
    return [found[key] for key in keys if key in found]


def events(connection: sqlite3.Connection, keys: Sequence[int]) -> list[EventRecord]:
    """Return the events with these keys, in this order, as far as they are there."""
    found = {}
    for batch in _batches(keys):
        for key, id, site, time, event, text, device, gateway, values in _select(connection, "event", "key", batch):
            found[key] = EventRecord(id, site, time, event, text, device, _flag(gateway), json.loads(values))
    return [found[key] for key in keys if key in found]


def human_labels(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, str]:
    """Return the labels that humans gave, by reading id; readings without one are left out."""
    found: dict[str, str] = {}
    for begin in range(0, len(ids), BATCH):
        batch = ids[begin : begin + BATCH]
        query = f"SELECT id, human_label FROM reading WHERE id IN ({', '.join('?' * len(batch))})"
        found.update({id: label for id, label in connection.execute(query, batch) if label is not None})
    return found


def _batches(keys: Sequence[int]) -> Iterable[Sequence[int]]:
    return (keys[begin : begin + BATCH] for begin in range(0, len(keys), BATCH))


def _select(connection: sqlite3.Connection, table: str, column: str, keys: Sequence[int]) -> sqlite3.Cursor:
    columns = ", ".join(OF[table])
    return connection.execute(f"SELECT {columns} FROM {table} WHERE {column} IN ({', '.join('?' * len(keys))})", keys)


def _reading(
    connection: sqlite3.Connection, names: Names, row: tuple[Any, ...], receptions: list[Reception]
) -> ReadingRecord:
    values = dict(zip(READING, row, strict=True))

    def text(column: str) -> str:
        return str(names.of("text", connection, values[column]))

    site, number, _ = names.of("device", connection, values["device"])
    bundle, model_id = names.of("model", connection, values["model"])
    own = values["class"]
    tasks = json.loads(values["tasks"]) if values["tasks"] else {}
    return ReadingRecord(
        id=values["id"],
        site=site,
        time=values["time"],
        device=number,
        bundle=bundle,
        model_id=model_id,
        image_number=values["image_number"],
        sequence=values["sequence"],
        frame=text("frame"),
        label=None if own is None else names.of("class", connection, own)[1],
        index=values["class_index"],
        confidence=values["confidence"],
        answered_by=text("answered_by"),
        unsure=bool(values["unsure"]),
        auth=text("auth"),
        ber=values["ber"],
        payload_ber=values["payload_ber"],
        symbols=unpack_symbols(values["symbols"]),
        answer_word=values["answer_word"],
        receptions=tuple(receptions),
        crc_ok=_flag(values["crc_ok"]),
        lost=values["lost"],
        lost_certainty=text("lost_certainty"),
        lost_total=values["lost_total"],
        lost_total_certainty=text("lost_total_certainty"),
        duplicate=bool(values["duplicate"]),
        late=bool(values["late"]),
        unexpected=bool(values["unexpected"]),
        tasks={name: TaskAnswer(*values) for name, values in tasks.items()},
    )


def _reception(
    gateway: str, time: float, ber: float, crc_ok: int | None, snr_db: float | None, rssi_dbm: float | None
) -> Reception:
    return Reception(gateway, time, ber, _flag(crc_ok), snr_db, rssi_dbm)


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
