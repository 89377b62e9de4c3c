"""Routes that export readings and labels as files."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from host.serve.api.context import context_of
from host.serve.api.queries import check_names, export_query
from host.serve.stored import ReadingQuery
from host.store.csv_lines import COLUMNS, csv_line, reading_line
from host.tasks.readings import LABELS_HEADER
from wire.files import to_json

PART_LINES = 500


def readings_csv(request: Request) -> Response:
    """Answer with all readings of a query as CSV, the oldest first."""
    found = context_of(request).store.stream(export_query(request))
    lines = (reading_line(reading, label) for reading, label in found)
    return _file(chain([csv_line(COLUMNS)], lines), "readings.csv", "text/csv")


def readings_jsonl(request: Request) -> Response:
    """Answer with all readings of a query as JSON lines, the oldest first."""
    found = context_of(request).store.stream(export_query(request))
    lines = (to_json({**reading.as_json(), "human_label": label}) + "\n" for reading, label in found)
    return _file(lines, "readings.jsonl", "application/x-ndjson")


def labels_csv(request: Request) -> Response:
    """Answer with the id and label of each labelled reading as CSV."""
    check_names(request, frozenset())
    found = context_of(request).store.stream(ReadingQuery(labelled=True))
    lines = (csv_line((reading.id, label)) for reading, label in found)
    return _file(chain([csv_line((LABELS_HEADER, "class"))], lines), "labels.csv", "text/csv")


def _file(lines: Iterable[str], name: str, media_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_joined(lines), media_type=media_type, headers=headers)


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Join lines to larger parts: each part passes through a thread."""
    lines = iter(lines)
    while part := "".join(islice(lines, PART_LINES)):
        yield part
