"""OpenAPI description of the API."""

from collections.abc import Mapping
from typing import Any

from host.serve.api.lessons import Progress
from host.serve.api.queries import BUCKETS, MAX_BUCKETS, MAX_LIMIT
from host.serve.api.responses import JSON_TYPE
from host.serve.api.schemas import NAME, lists, objects, reference, schemas
from host.serve.interface import MAX_LABEL, BundleInfo, Lesson
from host.serve.stored import HistoryBucket, LabelRow
from host.site.records import EventRecord, Json, StatusRecord

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
DEVICE: Json = {"type": "integer", "minimum": 0, "maximum": 254}
TIME_NOTE = "Unix time in seconds, or ISO 8601 with an offset"

_PARAMETERS: Mapping[str, tuple[str, Json]] = {
    "site": ("site", TEXT),
    "device": ("device number", DEVICE),
    "since": (f"{TIME_NOTE}, included", TEXT),
    "until": (f"{TIME_NOTE}, excluded", TEXT),
    "label": ("class that the bundle or a task shows", TEXT),
    "human_label": ("label that a person gave", TEXT),
    "labelled": ("only readings that people labelled", {"enum": ["true", "false"], "default": "false"}),
    "gateway": ("true: of a gateway, false: of a device", {"enum": ["true", "false"]}),
    "before": ("`next` of the page before", TEXT),
    "limit": (
        "number of items of a page", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 50},
    ),
    "buckets": (
        "number of spans of time, at most: they may be longer, of whole hours",
        {"type": "integer", "minimum": 1, "maximum": MAX_BUCKETS, "default": BUCKETS},
    ),
    "id": ("id of a reading", TEXT),
}  # fmt: skip
_CHANGE = {
    "name": "X-Inkling", "in": "header", "required": False, "schema": TEXT,
    "description": "any value; needed for a change, unless the request has a bearer token",
}  # fmt: skip
_HEALTH = {
    "type": "object",
    "properties": {
        "status": {"enum": ["ok", "degraded"]},
        "inputs": lists(objects(name=TEXT, state=TEXT, text=TEXT)),
    },
    "required": ["status"],
}
_NEXT = {"type": ["string", "null"], "description": "for `before`, if there may be more"}


def description(version: str) -> Json:
    """Return the description of all routes."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Inkling", "version": version or "0", "license": {"name": "Apache-2.0"}},
        "paths": _paths(),
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "inkling"},
            },
        },
        "security": [{"token": []}, {"cookie": []}, {}],
    }


def _paths() -> Json:
    reading, span = {"$ref": "#/components/schemas/LabelledReading"}, ("site", "device", "since", "until")
    which = (*span, "label", "human_label", "labelled")
    labelled = objects(id=TEXT, human_label=NAME)
    return {
        "/": {"get": _file("the page", "text/html")},
        "/login": {
            "get": _file("form for the token", "text/html"),
            "post": _file("set a cookie from the form's token", "text/html"),
        },
        "/logout": {"post": _operation("remove the cookie", None, status=204, parameters=[_CHANGE])},
        "/static/{path}": {"get": _file("file of the page", "*/*", "path")},
        "/health": {
            "get": _operation("whether all inputs work; 503 if not. Without the token, `status` only", _HEALTH)
        },
        "/openapi.json": {"get": _operation("this description", {"type": "object"})},
        "/api/about": {
            "get": _operation(
                "title, version, and whether a token is needed",
                objects(title=TEXT, version=TEXT, token={"type": "boolean"}),
            )
        },
        "/api/devices": {
            "get": _operation(
                "state of all devices and gateways",
                objects(time=NUMBER, devices=lists({"$ref": "#/components/schemas/Device"})), "site",
            )
        },
        "/api/devices/{site}/{device}/history": {
            "get": _operation(
                "what a device sent over a span of time, by default the last day",
                objects(since=NUMBER, until=NUMBER, buckets=lists(reference(HistoryBucket))),
                "since", "until", "buckets", path=("site", "device"),
            )
        },
        "/api/devices/{site}/{device}": {
            "delete": _operation(
                "remove a device, or with `gateway` a gateway, from the list until it is heard again, and withdraw a "
                "device from Home Assistant; its readings stay",
                objects(site=TEXT, device=DEVICE, gateway={"type": "boolean"}),
                "gateway", path=("site", "device"), parameters=[_CHANGE],
            )
        },
        "/api/statuses": {
            "get": _operation(
                "status frames, newest first", objects(statuses=lists(reference(StatusRecord)), next=_NEXT),
                *span, "gateway", "before", "limit",
            )
        },
        "/api/readings": {
            "get": _operation(
                "readings, newest first", objects(readings=lists(reading), next=_NEXT),
                *which, "before", "limit",
            )
        },
        "/api/readings/{id}": {"get": _operation("one reading", reading, path=("id",))},
        "/api/readings/{id}/preview.png": {
            "get": _file("what a reading may have seen, reconstructed from its symbols", "image/png", "id")
        },
        "/api/readings/{id}/label": {
            "put": _operation(
                "give a reading a label", labelled, path=("id",), parameters=[_CHANGE],
                body=objects(label={"type": "string", "minLength": 1, "maxLength": MAX_LABEL}),
            ),
            "delete": _operation("take the label away", labelled, path=("id",), parameters=[_CHANGE]),
        },
        "/api/labels": {
            "get": _operation("labels that people gave, and how often", objects(labels=lists(reference(LabelRow)))),
        },
        "/api/events": {
            "get": _operation(
                "events, newest first", objects(events=lists(reference(EventRecord)), next=_NEXT),
                *span, "before", "limit",
            )
        },
        "/api/feed": {
            "get": _file(
                "server-sent events `reading`, `status` and `event` (a record), `label` (id and human_label), "
                "`forgotten` (site, device and gateway), and `reset` (the client has missed something). The header "
                "Last-Event-ID continues an earlier feed",
                "text/event-stream",
            )
        },
        "/api/tasks": {
            "get": _operation("bundles and their tasks", objects(bundles=lists(reference(BundleInfo))))
        },
        "/api/teach": {
            "get": _operation("progress of the latest lesson", reference(Progress)),
            "post": _operation(
                "teach a task from labelled readings, in the background", reference(Progress), status=202,
                parameters=[_CHANGE], body=reference(Lesson),
            ),
        },
        "/api/export/readings.csv": {"get": _file("all readings of a query", "text/csv", query=which)},
        "/api/export/readings.jsonl": {"get": _file("all readings of a query", "application/x-ndjson", query=which)},
        "/api/export/labels.csv": {"get": _file("id and label of each labelled reading", "text/csv")},
    }  # fmt: skip


def _operation(
    summary: str,
    schema: Json | None,
    *query: str,
    path: tuple[str, ...] = (),
    parameters: list[Json] | None = None,
    status: int = 200,
    body: Json | None = None,
    media_type: str = JSON_TYPE,
) -> Json:
    answer: Json = {"description": summary}
    if schema is not None:
        answer["content"] = {media_type: {"schema": schema}}
    error = {
        "description": "one line that says what is wrong",
        "content": _json_of({"$ref": "#/components/schemas/Error"}),
    }
    found: Json = {
        "summary": summary,
        "parameters": [
            *(_parameter(name, "path") for name in path),
            *(_parameter(name, "query") for name in query),
            *(parameters or []),
        ],
        "responses": {str(status): answer, "default": error},
    }
    if body is not None:
        found["requestBody"] = {"required": True, "content": _json_of(body)}
    return found


def _file(summary: str, media_type: str, *path: str, query: tuple[str, ...] = ()) -> Json:
    return _operation(summary, TEXT, *query, path=path, media_type=media_type)


def _parameter(name: str, place: str) -> Json:
    text, schema = _PARAMETERS.get(name, (name, TEXT))
    return {"name": name, "in": place, "required": place == "path", "description": text, "schema": schema}


def _json_of(schema: Json) -> dict[str, Any]:
    return {JSON_TYPE: {"schema": schema}}
