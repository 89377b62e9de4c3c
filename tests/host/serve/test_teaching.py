"""Lessons through the API: their progress, figures and failures."""

import time

import pytest
from starlette.testclient import TestClient

from host.errors import HostError
from host.serve.interface import Lesson
from host.site.records import Json
from tests.host.serve.api_client import CHANGE, DEADLINE_S, FakeActions, answered, refused

LESSON = {"model_id": "21d04358", "task": "animals", "labels": ["fox", "deer", "fox"], "without": ["a"], "mode": "add"}


def teach(client: TestClient, lesson: Json) -> Json:
    """Teach, and return the state at the end."""
    started = answered(client.post("/api/teach", json=lesson, headers=CHANGE), "/api/teach", 202)
    assert started["state"] == "running"
    end = time.monotonic() + DEADLINE_S
    while (state := answered(client.get("/api/teach"), "/api/teach"))["state"] == "running":
        assert time.monotonic() < end, "the lesson does not end"
        time.sleep(0.01)
    return state


def test_teach_reports_figures(client: TestClient, actions: FakeActions) -> None:
    actions.failure = None
    state = teach(client, LESSON)
    assert (state["state"], state["task"], state["report"]) == ("done", "animals", {"accuracy": 0.9})
    assert actions.lessons[-1] == Lesson("21d04358", "animals", ("fox", "deer"), ("a",), "add")


@pytest.mark.parametrize(
    ("failure", "error"),
    [(HostError("too few images"), "too few images"), (RuntimeError("bug"), "its log says why")],
)
def test_teach_reports_failures(client: TestClient, actions: FakeActions, failure: Exception, error: str) -> None:
    actions.failure = failure
    state = teach(client, LESSON)
    assert state["state"] == "failed"
    assert error in state["error"]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"task": "../x"}, "task's name"), ({"task": 3}, "have to be texts"), ({"labels": []}, "labels is empty"),
        ({"labels": [1]}, "not a list of texts"), ({"mode": "twice"}, "new, add, replace"), ({"x": 1}, "no field 'x'"),
    ],
)  # fmt: skip
def test_wrong_lessons_get_one_line(client: TestClient, change: Json, part: str) -> None:
    assert part in refused(client.post("/api/teach", json=LESSON | change, headers=CHANGE), 400)
