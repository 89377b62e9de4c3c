"""Readings as lines of CSV, the same for the command line and the page."""

import csv
import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime

from host.site.records import ReadingRecord
from wire.text import printable

COLUMNS = (
    "id", "time", "site", "device", "bundle", "model_id", "image_number", "frame", "class", "confidence",
    "answered_by", "unsure", "auth", "ber", "payload_ber", "snr_db", "rssi_dbm", "gateways", "crc_ok", "lost",
    "lost_certainty", "lost_total", "lost_total_certainty", "duplicate", "late", "unexpected", "tasks", "label",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@")  # a spreadsheet runs a text that begins so


def csv_line(values: Iterable[object]) -> str:
    """Return a line with these cells: flags as 0 and 1, None empty, and texts so that no spreadsheet runs them."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(_cell, values))
    return text.getvalue()


def reading_line(reading: ReadingRecord, label: str | None) -> str:
    """Return the line with the COLUMNS of a reading. label: a human's."""
    snr_db, rssi_dbm = best_signal(reading)
    tasks = {name: vars(answer) for name, answer in reading.tasks.items()}
    values = {
        **vars(reading),
        "time": datetime.fromtimestamp(reading.time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "class": reading.label,
        "snr_db": snr_db,
        "rssi_dbm": rssi_dbm,
        "gateways": ";".join(dict.fromkeys(one.gateway for one in reading.receptions)),
        "tasks": json.dumps(tasks) if tasks else None,
        "label": label,
    }
    return csv_line(values[column] for column in COLUMNS)


def best_signal(reading: ReadingRecord) -> tuple[float | None, float | None]:
    """Return the highest SNR and the highest RSSI of the receptions; each None if no gateway reports it."""
    snrs = [one.snr_db for one in reading.receptions if one.snr_db is not None]
    rssis = [one.rssi_dbm for one in reading.receptions if one.rssi_dbm is not None]
    return max(snrs, default=None), max(rssis, default=None)


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULA) else text
