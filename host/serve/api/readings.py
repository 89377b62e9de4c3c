"""Routes about readings: lists, one reading, its preview, and the labels that people give."""

from collections.abc import Sequence
from dataclasses import asdict

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from host.serve.api.context import context_of
from host.serve.api.queries import check_names, reading_query
from host.serve.api.responses import ApiError, json_body
from host.serve.interface import MAX_LABEL, ReadingStore
from host.site.records import Json, ReadingRecord
from wire.checks import shown

PREVIEW_AGE_S = 3600  # that a browser may keep a preview: a later frame of the image may improve it


def readings(request: Request) -> Response:
    """Answer with readings, newest first."""
    query = reading_query(request)
    context = context_of(request)
    found = context.store.readings(query)
    more = found[-1].id if len(found) == query.limit else None
    return JSONResponse({"readings": _with_labels(found, context.store), "next": more})


def reading(request: Request) -> Response:
    """Answer with one reading."""
    store = context_of(request).store
    return JSONResponse(_with_labels([_reading_of(request)], store)[0])


def preview(request: Request) -> Response:
    """Answer with a PNG file that shows what a reading may have seen."""
    found = _reading_of(request)
    picture = context_of(request).actions.preview(found)
    if picture is None:
        raise ApiError(f"bundle {found.bundle} has no previews, or this reading has no symbols", 404)
    return Response(picture, media_type="image/png", headers={"Cache-Control": f"private, max-age={PREVIEW_AGE_S}"})


async def set_label(request: Request) -> Response:
    """Give a reading a label."""
    check_names(request, frozenset())
    label = checked_label((await json_body(request)).get("label"))
    return await run_in_threadpool(_label, request, label)


def remove_label(request: Request) -> Response:
    """Take the label of a reading away."""
    check_names(request, frozenset())
    return _label(request, None)


def labels(request: Request) -> Response:
    """Answer with the labels that people gave, and how often."""
    check_names(request, frozenset())
    return JSONResponse({"labels": [asdict(row) for row in context_of(request).store.labels()]})


def checked_label(label: object) -> str:
    """Return a label without spaces around it. Raises ApiError."""
    if not isinstance(label, str):
        raise ApiError(f"label is {shown(label)}, not a text")
    label = label.strip()
    if not 1 <= len(label) <= MAX_LABEL or not label.isprintable():
        raise ApiError(f"label is {shown(label)}: it has to have 1 to {MAX_LABEL} printable characters")
    return label


def _with_labels(found: Sequence[ReadingRecord], store: ReadingStore) -> list[Json]:
    """Return the JSON objects of readings with the labels that people gave them."""
    given = store.labels_of([one.id for one in found])
    return [one.as_json() | {"human_label": given.get(one.id)} for one in found]


def _label(request: Request, label: str | None) -> Response:
    context, found = context_of(request), _reading_of(request)
    context.store.set_label(found.id, label)
    values: Json = {"id": found.id, "human_label": label}
    context.hub.announce("label", lambda: values)
    return JSONResponse(values)


def _reading_of(request: Request) -> ReadingRecord:
    id = request.path_params["id"]
    found = context_of(request).store.reading(id)
    if found is None:
        raise ApiError(f"there is no reading {shown(id)}: it was never received, or is no longer kept", 404)
    return found
