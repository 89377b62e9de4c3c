"""Answers of the API, and the bodies of its requests."""

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from host.errors import HostError
from wire.text import printable

MAX_BODY = 1 << 20  # bytes: a lesson of 20,000 readings
JSON_TYPE = "application/json"


class ApiError(HostError):
    """A request that cannot be answered, with its HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def problem(message: str, status: int) -> Response:
    """Return an error as JSON: one line that says what is wrong."""
    return JSONResponse({"error": printable(message)}, status)


async def on_host_error(_: Request, error: Exception) -> Response:
    """Answer with what a store or an action cannot do."""
    return problem(str(error), error.status if isinstance(error, ApiError) else 503)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer with an error of the routing: no such path, or another method."""
    assert isinstance(error, HTTPException)
    text = {404: f"there is no {request.url.path}", 405: f"{request.url.path} has no method {request.method}"}
    response = problem(text.get(error.status_code, error.detail), error.status_code)
    response.headers.update(error.headers or {})
    return response


async def on_failure(*_: object) -> Response:
    """Answer in place of an exception that nobody expected; the server logs it."""
    return problem("the host failed to answer this: its log says why", 500)


async def json_body(request: Request) -> dict[str, Any]:
    """Return the JSON object in a request's body. Raises ApiError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_TYPE:
        raise ApiError(f"the body has to be {JSON_TYPE}, and the header Content-Type has to say so", 415)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise ApiError(f"the body has more than {MAX_BODY} bytes", 413)
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError("the body is not JSON") from None
    if not isinstance(values, dict):
        raise ApiError("the body is not a JSON object")
    return values
