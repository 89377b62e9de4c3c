"""Routes about devices: their state, their history, their statuses, and events."""

from collections.abc import Sequence, Set
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from host.serve.api.context import Context, context_of
from host.serve.api.queries import (
    MAX_LIMIT,
    check_names,
    device_number,
    event_query,
    flag,
    span,
    status_query,
)
from host.serve.api.responses import ApiError
from host.serve.stored import DeviceRow, RecordQuery
from host.site.records import Json, Record
from wire.checks import shown

CLASH_S = 86_400  # for which two boards with one number are shown as a clash


def devices(request: Request) -> Response:
    """Answer with all devices and gateways, and the time of the host's clock, from which "last seen" counts."""
    check_names(request, {"site"})
    context = context_of(request)
    now = context.wall_clock()
    rows = context.store.devices(request.query_params.get("site"))
    events = context.store.events(RecordQuery(since=now - CLASH_S, limit=MAX_LIMIT))
    clashes = {(event.site, event.device, bool(event.gateway)) for event in events if event.event == "clash"}
    return JSONResponse({"time": now, "devices": [_device_json(row, context, clashes) for row in rows]})


def forget(request: Request) -> Response:
    """Remove a device or gateway from the list, until it is heard again."""
    check_names(request, {"gateway"})
    context, (site, device), gateway = context_of(request), _device_of(request), bool(flag(request, "gateway"))
    if not any((row.number, row.gateway) == (device, gateway) for row in context.store.devices(site)):
        raise ApiError(f"site {shown(site)} has no {'gateway' if gateway else 'device'} {device}", 404)
    context.store.forget_device(site, device, gateway)
    if not gateway:
        context.actions.withdraw(site, device)
    values: Json = {"site": site, "device": device, "gateway": gateway}
    context.hub.announce("forgotten", lambda: values)
    return JSONResponse(values)


def history(request: Request) -> Response:
    """Answer with what a device sent over a span of time, in buckets."""
    context = context_of(request)
    since, until, buckets = span(request, context.wall_clock())
    site, device = _device_of(request)
    rows = context.store.history(site, device, since, until, buckets)
    return JSONResponse({"since": since, "until": until, "buckets": [asdict(row) for row in rows]})


def statuses(request: Request) -> Response:
    """Answer with statuses of devices and gateways, newest first."""
    query = status_query(request)
    return _page_of("statuses", context_of(request).store.statuses(query), query)


def events(request: Request) -> Response:
    """Answer with events, newest first."""
    query = event_query(request)
    return _page_of("events", context_of(request).store.events(query), query)


def _page_of(name: str, found: Sequence[Record], query: RecordQuery) -> Response:
    more = found[-1].id if len(found) == query.limit else None
    return JSONResponse({name: [record.as_json() for record in found], "next": more})


def _device_of(request: Request) -> tuple[str, int]:
    """Return site and number of the device in a request's path. Raises ApiError."""
    device = device_number(request.path_params["device"])
    assert device is not None, "the path has it"
    return request.path_params["site"], device


def _device_json(row: DeviceRow, context: Context, clashes: Set[tuple[str, int | None, bool]]) -> Json:
    known = None if row.gateway else context.settings.names.get((row.site, row.number))
    return {
        "site": row.site,
        "device": row.number,
        "gateway": row.gateway,
        "name": known.name if known else None,
        "area": known.area if known else None,
        "first_seen": row.first_seen,
        "last_seen": row.last_seen,
        "readings": row.readings,
        "silent_since": row.silent_since,
        "clash": (row.site, row.number, row.gateway) in clashes,
        "reading": row.reading.as_json() if row.reading else None,
        "status": row.status.as_json() if row.status else None,
    }
