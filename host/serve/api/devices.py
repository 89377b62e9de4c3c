"""Routes about devices: their state, their history, and events."""

import time
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from host.serve.api.context import Context, context_of
from host.serve.api.queries import check_names, device_number, event_query, span
from host.serve.interface import DeviceRow
from host.site.records import Json


def devices(request: Request) -> Response:
    """Answer with all devices, and the time of the host's clock, from which "last seen" counts."""
    check_names(request, {"site"})
    context = context_of(request)
    rows = context.store.devices(request.query_params.get("site"))
    return JSONResponse({"time": time.time(), "devices": [_device_json(row, context) for row in rows]})


def history(request: Request) -> Response:
    """Answer with what a device sent over a span of time, in buckets."""
    since, until, buckets = span(request)
    site, device = request.path_params["site"], device_number(request.path_params["device"])
    assert device is not None, "the path has it"
    rows = context_of(request).store.history(site, device, since, until, buckets)
    return JSONResponse({"since": since, "until": until, "buckets": [asdict(row) for row in rows]})


def events(request: Request) -> Response:
    """Answer with events, newest first."""
    query = event_query(request)
    found = context_of(request).store.events(query)
    more = found[-1].id if len(found) == query.limit else None
    return JSONResponse({"events": [event.as_json() for event in found], "next": more})


def _device_json(row: DeviceRow, context: Context) -> Json:
    known = context.settings.names.get((row.site, row.device))
    named = {"name": known.name if known else None, "area": known.area if known else None}
    return asdict(row) | named
