"""Routes about bundles, their tasks, and the teaching of new ones."""

from dataclasses import asdict

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from host.errors import HostError
from host.serve.api.context import context_of
from host.serve.api.queries import check_names
from host.serve.api.responses import ApiError, json_body
from host.serve.interface import Lesson, Mode
from host.tasks.task import check_name
from wire.checks import shown

MODES: tuple[Mode, ...] = ("new", "add", "replace")
LESSON_NAMES = frozenset({"model_id", "task", "labels", "without", "mode"})


def tasks(request: Request) -> Response:
    """Answer with the bundles and their tasks."""
    check_names(request, frozenset())
    return JSONResponse({"bundles": [asdict(bundle) for bundle in context_of(request).actions.bundles()]})


async def teach(request: Request) -> Response:
    """Start a lesson."""
    check_names(request, frozenset())
    lesson = lesson_of(await json_body(request))
    progress = await run_in_threadpool(context_of(request).lessons.start, lesson)
    return JSONResponse(progress.as_json(), 202)


def lesson(request: Request) -> Response:
    """Answer with the progress of the latest lesson."""
    check_names(request, frozenset())
    return JSONResponse(context_of(request).lessons.progress.as_json())


def lesson_of(values: dict[str, object]) -> Lesson:
    """Return the lesson that a body asks for. Raises ApiError."""
    wrong = next((name for name in values if name not in LESSON_NAMES), None)
    if wrong is not None:
        raise ApiError(f"there is no field {shown(wrong)}: there are {', '.join(sorted(LESSON_NAMES))}")
    model_id, task = values.get("model_id"), values.get("task")
    if not isinstance(model_id, str) or not isinstance(task, str):
        raise ApiError(f"model_id and task have to be texts; they are {shown(model_id)} and {shown(task)}")
    try:
        check_name(task)
    except HostError as error:
        raise ApiError(str(error)) from None
    mode = next((mode for mode in MODES if mode == values.get("mode", "new")), None)
    if mode is None:
        raise ApiError(f"mode is {shown(values.get('mode'))}, not one of {', '.join(MODES)}")
    labels, without = (_texts(values, name) for name in ("labels", "without"))
    if not labels:
        raise ApiError("labels is empty or missing: name the labels to teach as classes")
    return Lesson(model_id, task, labels, without, mode)


def _texts(values: dict[str, object], name: str) -> tuple[str, ...]:
    """Return the different texts of a list, none of them if it is missing. Raises ApiError."""
    texts = values.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ApiError(f"{name} is {shown(texts)}, not a list of texts")
    return tuple(dict.fromkeys(texts))
