"""Formats of readings: a table, and InfluxDB's line protocol."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from rich import box
from rich.table import Table

from host.site.records import ReadingRecord
from host.store.csv_lines import best_signal
from wire.text import printable

MEASUREMENT = "inkling_reading"
NONE = "none of these"  # of a task's classes


def table(readings: Sequence[tuple[ReadingRecord, str | None]]) -> Table:
    """Return a table of readings and their human labels, with local times. Without labels, it has no column of them."""
    labelled = any(label for _, label in readings)
    shown = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("time", "device", "class", "by", "BER", "SNR", "lost", *(["label"] if labelled else [])):
        shown.add_column(
            heading,
            justify="right" if heading in ("BER", "SNR", "lost") else "left",
            no_wrap=heading not in ("class", "label"),
            min_width={"class": 11, "label": 5}.get(heading),
            overflow="fold",
        )
    for reading, label in readings:
        snr_db, _ = best_signal(reading)
        cells = [
            _local(reading.time),
            f"{reading.site}/{reading.device}",
            _answer(reading),
            reading.answered_by,
            f"{reading.ber:.1e}",
            "" if snr_db is None else f"{snr_db:.1f}",
            str(reading.lost),
        ]
        shown.add_row(*map(printable, [*cells, label or ""] if labelled else cells))
    return shown


def influx_line(reading: ReadingRecord, label: str | None) -> str:
    """Return a reading as a line of InfluxDB's line protocol, with its time in nanoseconds.

    Site, device and bundle are tags; classes are fields, since each tag value makes a series of its own.
    """
    snr_db, rssi_dbm = best_signal(reading)
    tags = {"site": reading.site, "device": str(reading.device), "bundle": reading.bundle}
    fields: dict[str, str | float | int | bool | None] = {
        "id": reading.id,
        "class": reading.label,
        "confidence": reading.confidence,
        "answered_by": reading.answered_by,
        "unsure": reading.unsure,
        "auth": reading.auth,
        "ber": reading.ber,
        "snr_db": snr_db,
        "rssi_dbm": rssi_dbm,
        "gateways": len({one.gateway for one in reading.receptions}),
        "lost": reading.lost,
        "lost_total": reading.lost_total,
        "duplicate": reading.duplicate,
        "label": label,
    }
    for name, answer in reading.tasks.items():
        fields |= {f"task_{name}": answer.label or NONE, f"task_{name}_confidence": answer.confidence}
    tag_set = "".join(f",{name}={_name(value)}" for name, value in tags.items() if value)
    field_set = ",".join(f"{_name(name)}={_field(value)}" for name, value in fields.items() if value is not None)
    return f"{MEASUREMENT}{tag_set} {field_set} {round(reading.time * 1e6)}000"


def _answer(reading: ReadingRecord) -> str:
    """Return class and confidence, of the bundle or of each task."""
    parts = [] if reading.label is None else [_with_confidence(reading.label, reading.confidence)]
    for name, answer in reading.tasks.items():
        parts.append(f"{name}: {_with_confidence(answer.label or NONE, answer.confidence)}")
    return ", ".join(parts)


def _with_confidence(label: str, confidence: float | None) -> str:
    return label if confidence is None else f"{label} {confidence:.0%}"


def _local(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "seconds")


def _name(text: str) -> str:
    """Return a tag value or a key with its special characters escaped.

    A backslash escapes only these characters, so one just before them, or at the end, has to be doubled.
    """
    text = re.sub(r"(\\+)(?=[,= ]|$)", r"\1\1", printable(text))
    return re.sub(r"([,= ])", r"\\\1", text)


def _field(value: str | float | int | bool) -> str:
    if isinstance(value, str):
        return '"' + printable(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value}i" if isinstance(value, int) else repr(value)
