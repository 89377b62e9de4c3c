"""The application: all routes of the page and of its API."""

import time
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from host.errors import HostError
from host.serve import access
from host.serve.api import devices, export, feed, readings, responses, teaching
from host.serve.api.context import Context, context_of
from host.serve.api.lessons import Lessons
from host.serve.api.openapi import description
from host.serve.hub import Hub
from host.serve.interface import Actions, ReadingStore
from host.serve.settings import PageSettings

STATIC = Path(__file__).parent / "static"


def make_app(
    store: ReadingStore, hub: Hub, settings: PageSettings, actions: Actions, wall_clock: Callable[[], float] = time.time
) -> Starlette:
    """Return the ASGI application.

    A server waits for live feeds to end before it stops: close the hub first.
    """
    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(access.Access, settings=settings)],
        exception_handlers={
            HostError: responses.on_host_error,
            HTTPException: responses.on_http_error,
            Exception: responses.on_failure,
        },
    )
    app.state.context = Context(store, hub, settings, actions, Lessons(actions), wall_clock)
    return app


def _routes() -> list[BaseRoute]:
    return [
        Route("/", _page),
        Route("/login", _login, methods=["GET", "POST"]),
        Route("/logout", access.logout, methods=["POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
        Route("/health", _health),
        Route("/openapi.json", _openapi),
        Route("/api/about", _about),
        Route("/api/devices", devices.devices),
        Route("/api/devices/{site:path}/{device}/history", devices.history),
        Route("/api/devices/{site:path}/{device}", devices.forget, methods=["DELETE"]),
        Route("/api/statuses", devices.statuses),
        Route("/api/readings", readings.readings),
        Route("/api/readings/{id:path}/preview.png", readings.preview),
        Route("/api/readings/{id:path}/label", readings.set_label, methods=["PUT"]),
        Route("/api/readings/{id:path}/label", readings.remove_label, methods=["DELETE"]),
        Route("/api/readings/{id:path}", readings.reading),  # an id may be anything, even with a slash in it
        Route("/api/labels", readings.labels),
        Route("/api/events", devices.events),
        Route("/api/feed", feed.feed),
        Route("/api/tasks", teaching.tasks),
        Route("/api/teach", teaching.lesson),
        Route("/api/teach", teaching.teach, methods=["POST"]),
        Route("/api/export/readings.csv", export.readings_csv),
        Route("/api/export/readings.jsonl", export.readings_jsonl),
        Route("/api/export/labels.csv", export.labels_csv),
    ]


def _page(_: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def _login(request: Request) -> Response:
    return await access.login(request, context_of(request).settings)


def _about(request: Request) -> Response:
    settings = context_of(request).settings
    return JSONResponse({"title": settings.title, "version": settings.version, "token": settings.token is not None})


def _health(request: Request) -> Response:
    """Answer whether all is well. A supervisor may ask without a token; what is wrong is for those who have it."""
    context = context_of(request)
    health = context.actions.health()
    status = 200 if health["status"] == "ok" else 503
    known = access.is_known(request, context.settings)
    return JSONResponse(health if known else {"status": health["status"]}, status)


def _openapi(request: Request) -> Response:
    return JSONResponse(description(context_of(request).settings.version))
