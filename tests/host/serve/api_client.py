"""Requests of the tests to the API, and actions without networks behind it."""

from typing import Any

import httpx

from host.serve.api.openapi import description
from host.serve.interface import BundleInfo, Lesson
from host.site.records import Json, ReadingRecord
from tests.host.serve.schema import faults

CHANGE = {"X-Inkling": "1"}
DESCRIPTION = description("1")
DEADLINE_S = 30.0


class FakeActions:
    """Actions without networks."""

    def __init__(self) -> None:
        self.lessons: list[Lesson] = []
        self.failure: Exception | None = None
        self.state = "ok"
        self.withdrawn: list[tuple[str, int]] = []

    def bundles(self) -> list[BundleInfo]:
        return [BundleInfo("general64", "21d04358", (), 8, 384, True, True, {"animals": ("fox", "deer")})]

    def teach(self, lesson: Lesson, on_step: Any) -> Json:  # noqa: ANN401
        on_step("fitting")
        self.lessons.append(lesson)
        if self.failure:
            raise self.failure
        return {"accuracy": 0.9}

    def preview(self, reading: ReadingRecord) -> bytes | None:
        return b"\x89PNG" if reading.symbols else None

    def withdraw(self, site: str, device: int) -> None:
        self.withdrawn.append((site, device))

    def health(self) -> Json:
        return {"status": self.state, "inputs": [{"name": "tty", "state": "open", "text": ""}]}


def answered(response: httpx.Response, path: str, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON of an answer, which must be as described."""
    assert response.status_code == status, response.text
    described = DESCRIPTION["paths"][path][response.request.method.lower()]["responses"]
    schema = described.get(str(status), described["default"])["content"]["application/json"]["schema"]
    assert faults(response.json(), schema, DESCRIPTION) == []
    return response.json()


def refused(response: httpx.Response, status: int) -> str:
    """Return the line of an error."""
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    assert "\n" not in response.json()["error"]
    return str(response.json()["error"])
