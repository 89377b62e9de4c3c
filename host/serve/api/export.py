"""Routes that export readings and labels as files."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from host.serve.api.context import context_of
from host.serve.api.queries import MAX_LIMIT, READING_NAMES, check_names, reading_query
from host.serve.api.readings import with_labels
from host.serve.interface import ReadingQuery, ReadingStore
from host.site.records import Json

COLUMNS = (
    "id", "time", "site", "device", "bundle", "image_number", "frame", "label", "confidence", "answered_by", "unsure",
    "auth", "ber", "payload_ber", "crc_ok", "gateways", "snr_db", "rssi_dbm", "lost", "lost_certainty", "lost_total",
    "lost_total_certainty", "duplicate", "late", "unexpected", "human_label",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a text that begins so
WHOLE = READING_NAMES - {"before", "limit"}


def readings_csv(request: Request) -> Response:
    """Answer with all readings of a query as CSV, newest first."""
    return _file(_csv_of(_pages(request)), "readings.csv", "text/csv")


def readings_jsonl(request: Request) -> Response:
    """Answer with all readings of a query as JSON lines, newest first."""
    lines = ("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in page) for page in _pages(request))
    return _file(lines, "readings.jsonl", "application/x-ndjson")


def labels_csv(request: Request) -> Response:
    """Answer with the labels of all readings as CSV."""
    check_names(request, frozenset())
    rows = [(row.id, row.label) for row in context_of(request).store.labels()]
    return _file([_csv_lines([("id", "label"), *rows])], "labels.csv", "text/csv")


def _file(parts: Iterable[str], name: str, media_type: str) -> Response:
    return StreamingResponse(
        parts, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _pages(request: Request) -> Iterator[list[Json]]:
    """Return the readings of a request's query, page by page, so that no export has to fit into memory."""
    check_names(request, WHOLE)
    return _read_pages(context_of(request).store, replace(reading_query(request), limit=MAX_LIMIT))


def _read_pages(store: ReadingStore, query: ReadingQuery) -> Iterator[list[Json]]:
    while page := store.readings(query):
        yield with_labels(page, store)
        if len(page) < query.limit:
            return
        query = replace(query, before=page[-1].id)


def _csv_of(pages: Iterable[list[Json]]) -> Iterator[str]:
    yield _csv_lines([COLUMNS])
    for page in pages:
        yield _csv_lines(map(_cells, page))


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


def _csv_lines(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
