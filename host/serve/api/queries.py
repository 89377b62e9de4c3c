"""Parameters of requests: which readings and events, and which span of time."""

import math
from collections.abc import Set
from datetime import datetime
from typing import Any

from starlette.requests import Request

from host.serve.api.responses import ApiError
from host.serve.stored import ReadingQuery, RecordQuery, StatusQuery
from wire.checks import shown

MAX_LIMIT = 500  # readings of one answer
MAX_BUCKETS = 500
BUCKETS = 120
DAY_S = 86_400.0
YEAR_9999 = 253_402_300_800.0  # later times have no ISO 8601
MAX_TEXT = 200  # characters

SPAN_NAMES = frozenset({"site", "device", "since", "until"})
PAGE_NAMES = frozenset({"before", "limit"})
LABEL_NAMES = frozenset({"label", "human_label", "labelled"})
HISTORY_NAMES = frozenset({"since", "until", "buckets"})


def reading_query(request: Request) -> ReadingQuery:
    """Return the readings of a page that a request asks for. Raises ApiError."""
    check_names(request, SPAN_NAMES | LABEL_NAMES | PAGE_NAMES)
    return _reading_query(request)


def export_query(request: Request) -> ReadingQuery:
    """Return the readings that an export asks for, which has no pages. Raises ApiError."""
    check_names(request, SPAN_NAMES | LABEL_NAMES)
    return _reading_query(request)


def event_query(request: Request) -> RecordQuery:
    """Return the events that a request asks for. Raises ApiError."""
    check_names(request, SPAN_NAMES | PAGE_NAMES)
    return RecordQuery(**_span_and_page(request))


def status_query(request: Request) -> StatusQuery:
    """Return the statuses that a request asks for. Raises ApiError."""
    check_names(request, SPAN_NAMES | PAGE_NAMES | {"gateway"})
    return StatusQuery(**_span_and_page(request), gateway=flag(request, "gateway"))


def span(request: Request, now: float) -> tuple[float, float, int]:
    """Return start and end, Unix times in seconds, and the number of buckets of a history. Raises ApiError."""
    check_names(request, HISTORY_NAMES)
    until = _time(request, "until")
    until = now if until is None else until
    since = _time(request, "since")
    since = until - DAY_S if since is None else since
    if since >= until:
        raise ApiError(f"since is {since:.0f}, which is not before until, {until:.0f}")
    return since, until, _count(request, "buckets", BUCKETS, MAX_BUCKETS)


def check_names(request: Request, names: Set[str]) -> None:
    """Raise ApiError for a parameter that does not exist, so that a misspelt one is not ignored."""
    wrong = next((name for name in request.query_params if name not in names), None)
    if wrong is not None:
        known = f"there are {', '.join(sorted(names))}" if names else "this has none"
        raise ApiError(f"there is no parameter {shown(wrong)}: {known}")


def device_number(text: str | None) -> int | None:
    """Return a device number, None if there is none. Raises ApiError."""
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and int(text) <= 254):
        raise ApiError(f"device is {shown(text)}, not a number within 0..254")
    return int(text)


def flag(request: Request, name: str) -> bool | None:
    """Return whether a parameter is true or false, None if it is missing. Raises ApiError."""
    text = request.query_params.get(name)
    if text not in (None, "true", "false"):
        raise ApiError(f"{name} is {shown(text)}, not true or false")
    return None if text is None else text == "true"


def _reading_query(request: Request) -> ReadingQuery:
    label, human_label = _text(request, "label"), _text(request, "human_label")
    labelled = bool(flag(request, "labelled"))
    return ReadingQuery(**_span_and_page(request), label=label, human_label=human_label, labelled=labelled)


def _span_and_page(request: Request) -> dict[str, Any]:
    return {
        "site": _text(request, "site"),
        "device": device_number(request.query_params.get("device")),
        "since": _time(request, "since"),
        "until": _time(request, "until"),
        "before": _text(request, "before"),
        "limit": _count(request, "limit", 50, MAX_LIMIT),
    }


def _text(request: Request, name: str) -> str | None:
    text = request.query_params.get(name)
    if text is not None and len(text) > MAX_TEXT:
        raise ApiError(f"{name} has more than {MAX_TEXT} characters")
    return text


def _count(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most):
        raise ApiError(f"{name} is {shown(text)}, not a number within 1..{most}")
    return int(text)


def _time(request: Request, name: str) -> float | None:
    """Return a Unix time in seconds, given as such or in ISO 8601 with an offset."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = _iso_seconds(text)
    if not math.isfinite(seconds) or not 0 <= seconds < YEAR_9999:
        raise ApiError(
            f"{name} is {shown(text)}: give seconds since 1970, or a time with its offset, 2026-11-30T12:00:00Z"
        )
    return seconds


def _iso_seconds(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else math.nan
    except (ValueError, OverflowError):
        return math.nan
