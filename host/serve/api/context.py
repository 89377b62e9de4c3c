"""What all routes of the application share."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from host.serve.api.lessons import Lessons
from host.serve.hub import Hub
from host.serve.interface import Actions, ReadingStore
from host.serve.settings import PageSettings


@dataclass(frozen=True)
class Context:
    """Store, live records, actions and settings of one application."""

    store: ReadingStore
    hub: Hub
    settings: PageSettings
    actions: Actions
    lessons: Lessons
    wall_clock: Callable[[], float]


def context_of(request: Request) -> Context:
    """Return the context of a request's application."""
    context = request.app.state.context
    assert isinstance(context, Context)
    return context
