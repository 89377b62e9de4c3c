"""Routes that export readings and labels as files."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from host.serve.api.context import context_of
from host.serve.api.queries import check_names, export_query
from host.serve.stored import ReadingQuery
from host.site.records import Json

COLUMNS = (
    "id", "time", "site", "device", "bundle", "image_number", "frame", "label", "confidence", "answered_by", "unsure",
    "auth", "ber", "payload_ber", "crc_ok", "gateways", "snr_db", "rssi_dbm", "lost", "lost_certainty", "lost_total",
    "lost_total_certainty", "duplicate", "late", "unexpected", "human_label",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a text that begins so
PART_LINES = 500


def readings_csv(request: Request) -> Response:
    """Answer with all readings of a query as CSV, the oldest first."""
    lines = (_csv_line(_cells(reading)) for reading in _readings(request))
    return _file(chain([_csv_line(COLUMNS)], lines), "readings.csv", "text/csv")


def readings_jsonl(request: Request) -> Response:
    """Answer with all readings of a query as JSON lines, the oldest first."""
    lines = (json.dumps(reading, ensure_ascii=False) + "\n" for reading in _readings(request))
    return _file(lines, "readings.jsonl", "application/x-ndjson")


def labels_csv(request: Request) -> Response:
    """Answer with the id and label of each labelled reading as CSV."""
    check_names(request, frozenset())
    found = context_of(request).store.stream(ReadingQuery(labelled=True))
    lines = (_csv_line((reading.id, label)) for reading, label in found)
    return _file(chain([_csv_line(("id", "label"))], lines), "labels.csv", "text/csv")


def _file(lines: Iterable[str], name: str, media_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_joined(lines), media_type=media_type, headers=headers)


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Join lines to larger parts: each part passes through a thread."""
    lines = iter(lines)
    while part := "".join(islice(lines, PART_LINES)):
        yield part


def _readings(request: Request) -> Iterator[Json]:
    """Return the readings of a request's query, one by one, so that no export has to fit into memory."""
    found = context_of(request).store.stream(export_query(request))
    return (reading.as_json() | {"human_label": label} for reading, label in found)


def _cells(reading: Json) -> list[object]:
    best: Json = max(
        reading["receptions"], key=lambda one: -1e9 if one["snr_db"] is None else one["snr_db"], default={}
    )
    values = reading | {
        "time": datetime.fromtimestamp(reading["time"], UTC).isoformat(timespec="milliseconds"),
        "gateways": " ".join(dict.fromkeys(one["gateway"] for one in reading["receptions"])),
        "snr_db": best.get("snr_db"),
        "rssi_dbm": best.get("rssi_dbm"),
    }
    return [values[name] for name in COLUMNS]


def _csv_line(values: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(_cell, values))
    return text.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
