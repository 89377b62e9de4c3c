"""The API over a store: every answer is as the OpenAPI description says, and wrong requests get one clear line."""

import json
import re
import time
from dataclasses import replace

import pytest
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from host.errors import HostError
from host.serve.app import make_app
from host.serve.hub import Hub
from tests.host.serve.api_client import CHANGE, DEADLINE_S, DESCRIPTION, FakeActions, answered, refused
from tests.host.serve.garden import SITE, Garden
from wire.bundle import Bundle


def test_openapi_describes_every_route(client: TestClient) -> None:
    assert client.get("/openapi.json").json()["paths"].keys() == DESCRIPTION["paths"].keys()
    routes = set()
    for route in client.app.routes:  # type: ignore[attr-defined]
        if isinstance(route, Mount):
            routes.add((f"{route.path}/{{path}}", "get"))
        else:
            assert isinstance(route, Route)
            routes |= {
                (route.path.replace(":path", ""), method.lower()) for method in route.methods or () if method != "HEAD"
            }
    assert routes == {(path, method) for path, methods in DESCRIPTION["paths"].items() for method in methods}


def test_openapi_refers_to_schemas_that_exist_and_names_path_parameters() -> None:
    text = json.dumps(DESCRIPTION)
    schemas = DESCRIPTION["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) <= set(schemas)
    for path, methods in DESCRIPTION["paths"].items():
        for operation in methods.values():
            names = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert names == set(re.findall(r"{(\w+)}", path))


def test_devices_have_names_and_faults(client: TestClient, garden: Garden) -> None:
    found = answered(client.get("/api/devices"), "/api/devices")
    rows = {row["device"]: row for row in found["devices"]}
    assert len(rows) == 20
    assert (rows[3]["name"], rows[3]["area"], rows[20]["name"]) == ("Pond", "north", None)
    assert [number for number, row in rows.items() if row["clash"]] == [7]
    assert [number for number, row in rows.items() if row["silent_since"]] == [15]
    assert abs(found["time"] - time.time()) < DEADLINE_S
    assert answered(client.get("/api/devices?site=elsewhere"), "/api/devices")["devices"] == []


def test_history_covers_the_span(client: TestClient, garden: Garden) -> None:
    path = "/api/devices/{site}/{device}/history"
    query = {"since": str(garden.now - 86_400), "until": str(garden.now), "buckets": "24"}
    found = answered(client.get(f"/api/devices/{SITE}/3/history", params=query), path)
    assert 1 < len(found["buckets"]) <= 24
    assert sum(bucket["readings"] for bucket in found["buckets"]) == 72
    assert found["buckets"][0]["classes"][0]["task"] is None
    assert answered(client.get(f"/api/devices/{SITE}/12/history"), path)["buckets"][-2]["classes"]


def test_readings_are_paged_without_gap_or_repetition(client: TestClient) -> None:
    seen: list[str] = []
    before = None
    while before or not seen:
        query = {"device": "3", "limit": "30"} | ({"before": before} if before else {})
        page = answered(client.get("/api/readings", params=query), "/api/readings")
        seen += [reading["id"] for reading in page["readings"]]
        before = page["next"]
    assert len(seen) == len(set(seen)) == 72
    times = [reading["time"] for reading in page["readings"]]
    assert times == sorted(times, reverse=True)


def test_readings_are_filtered(client: TestClient, garden: Garden) -> None:
    since = garden.now - 7200
    query = {"site": SITE, "since": str(since), "label": "fox", "limit": "500"}
    found = answered(client.get("/api/readings", params=query), "/api/readings")["readings"]
    assert found
    assert all(reading["time"] >= since and reading["tasks"]["animals"]["label"] == "fox" for reading in found)
    labelled = answered(client.get("/api/readings?labelled=true&limit=500"), "/api/readings")["readings"]
    assert len(labelled) >= 65
    assert all(reading["human_label"] for reading in labelled)
    fox = answered(client.get("/api/readings?human_label=fox&limit=500"), "/api/readings")["readings"]
    assert {reading["human_label"] for reading in fox} == {"fox"}


def test_times_are_unix_or_iso_with_offset(client: TestClient, garden: Garden) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(garden.now - 3600))
    by_number, by_text = (
        client.get("/api/readings", params={"since": since, "limit": "500"}).json()["readings"]
        for since in (str(int(garden.now - 3600)), f"{moment}Z")
    )
    assert by_number == by_text != []


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/api/readings?limit=0", "limit is '0'"),
        ("/api/readings?limit=501", "1..500"),
        ("/api/readings?device=255", "0..254"),
        ("/api/readings?device=x", "device is 'x'"),
        ("/api/readings?device=%C2%B2", "0..254"),
        ("/api/readings?since=yesterday", "since is 'yesterday'"),
        ("/api/readings?since=nan", "since is 'nan'"),
        ("/api/readings?since=2026-11-30T12:00", "offset"),
        ("/api/readings?since=1e300", "since is '1e300'"),
        ("/api/readings?colour=blue", "there are before, device"),
        ("/api/readings?labelled=1", "true or false"),
        ("/api/statuses?gateway=1", "gateway is '1'"),
        ("/api/devices/garden/3/history?since=5&until=4", "not before until"),
        ("/api/devices/garden/x/history", "device is 'x'"),
        ("/api/export/readings.csv?limit=3", "there is no parameter 'limit'"),
        (f"/api/readings?label={'x' * 201}", "more than 200"),
    ],
)
def test_wrong_parameters_get_one_line(client: TestClient, path: str, part: str) -> None:
    assert part in refused(client.get(path), 400)


def test_unknown_paths_and_readings_are_not_found(client: TestClient) -> None:
    assert refused(client.get("/api/nothing"), 404) == "there is no /api/nothing"
    assert "no reading 'x'" in refused(client.get("/api/readings/x"), 404)
    assert "has no method POST" in refused(client.post("/api/readings", headers=CHANGE), 405)


def test_reading_has_its_preview(client: TestClient) -> None:
    path = f"/api/readings/{SITE}-12-5"
    reading = answered(client.get(path), "/api/readings/{id}")
    assert len(reading["symbols"]) == 384
    preview = client.get(f"{path}/preview.png")
    assert (preview.status_code, preview.headers["content-type"], preview.content) == (200, "image/png", b"\x89PNG")
    answers = [one for one in client.get("/api/readings?device=3").json()["readings"] if not one["symbols"]]
    assert "no previews" in refused(client.get(f"/api/readings/{answers[0]['id']}/preview.png"), 404)


def test_label_is_set_and_removed(client: TestClient, garden: Garden) -> None:
    path, described = f"/api/readings/{SITE}-2-9/label", "/api/readings/{id}/label"
    saved = answered(client.put(path, json={"label": "  wood pigeon "}, headers=CHANGE), described)
    assert saved == {"id": f"{SITE}-2-9", "human_label": "wood pigeon"}
    assert client.get(f"/api/readings/{SITE}-2-9").json()["human_label"] == "wood pigeon"
    rows = answered(client.get("/api/labels"), "/api/labels")["labels"]
    assert [row["count"] for row in rows if row["label"] == "wood pigeon"] == [1]
    assert answered(client.delete(path, headers=CHANGE), described)["human_label"] is None
    assert "wood pigeon" not in client.get("/api/labels").text


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"{", "not JSON"), (b"[1]", "not a JSON object"), (b"{}", "label is None"), (b'{"label": " "}', "1 to 64"),
        (b'{"label": "a\\u202eb"}', "printable"), (json.dumps({"label": "x" * 65}).encode(), "1 to 64"),
        (b"[" * 100_000, "not JSON"),
    ],
)  # fmt: skip
def test_wrong_labels_get_one_line(client: TestClient, body: bytes, part: str) -> None:
    headers = {"Content-Type": "application/json", **CHANGE}
    assert part in refused(client.put(f"/api/readings/{SITE}-2-8/label", content=body, headers=headers), 400)


def test_bodies_are_bounded_and_typed(client: TestClient) -> None:
    path = f"/api/readings/{SITE}-2-8/label"
    assert "application/json" in refused(client.put(path, content=b"label=fox", headers=CHANGE), 415)
    headers = {"Content-Type": "application/json", **CHANGE}
    assert "1048576 bytes" in refused(client.put(path, content=b" " * ((1 << 20) + 1), headers=headers), 413)


def test_statuses_are_listed(client: TestClient) -> None:
    found = answered(client.get("/api/statuses?device=3&limit=20"), "/api/statuses")
    rest = answered(client.get("/api/statuses", params={"device": "3", "before": found["next"]}), "/api/statuses")
    times = [status["time"] for status in (*found["statuses"], *rest["statuses"])]
    assert len(times) == 24 and times == sorted(times, reverse=True) and rest["next"] is None
    assert answered(client.get("/api/statuses?gateway=true"), "/api/statuses")["statuses"] == []
    assert len(client.get("/api/statuses?gateway=false&limit=9").json()["statuses"]) == 9


def test_device_is_forgotten_until_it_is_heard_again(general: Bundle) -> None:
    garden, hub, actions = Garden(time.time(), general.path), Hub(), FakeActions()
    client = TestClient(make_app(garden.store, hub, garden.settings, actions), base_url="http://127.0.0.1")
    described = "/api/devices/{site}/{device}"

    def listed() -> list[tuple[int, bool]]:
        return [(row["device"], row["gateway"]) for row in client.get("/api/devices").json()["devices"]]

    garden.store.write([replace(garden.status(3, garden.now, 4.0), id="gateway", gateway=True)])
    assert (3, False) in listed() and (3, True) in listed()
    path = f"/api/devices/{SITE}/3"
    expected = {"site": SITE, "device": 3, "gateway": False}
    assert answered(client.delete(path, headers=CHANGE), described) == expected
    assert (3, False) not in listed() and (3, True) in listed()
    assert actions.withdrawn == [(SITE, 3)]
    assert f"site '{SITE}' has no device 3" in refused(client.delete(path, headers=CHANGE), 404)
    assert len(client.get("/api/readings?device=3&limit=500").json()["readings"]) == 72, "its readings stay"
    assert answered(client.delete(f"{path}?gateway=true", headers=CHANGE), described)["gateway"]
    assert (3, True) not in listed() and actions.withdrawn == [(SITE, 3)]
    garden.store.write([garden.reading(3, garden.now)])
    assert (3, False) in listed()


def test_events_are_listed(client: TestClient) -> None:
    found = answered(client.get("/api/events?limit=2"), "/api/events")
    assert [event["event"] for event in found["events"]] == ["clash", "silent"]
    rest = answered(client.get("/api/events", params={"before": found["next"]}), "/api/events")
    assert [event["event"] for event in rest["events"]] == ["port-back", "port-lost", "refused"]
    assert rest["next"] is None


def test_tasks_are_listed(client: TestClient) -> None:
    (bundle,) = answered(client.get("/api/tasks"), "/api/tasks")["bundles"]
    assert bundle["tasks"] == {"animals": ["fox", "deer"]}


def test_health_tells_degraded_by_status(client: TestClient, actions: FakeActions) -> None:
    assert answered(client.get("/health"), "/health")["status"] == "ok"
    actions.state = "degraded"
    try:
        assert client.get("/health").status_code == 503
    finally:
        actions.state = "ok"


def test_unexpected_failures_get_one_line(
    garden: Garden, actions: FakeActions, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(garden.store, Hub(), garden.settings, actions)
    client = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
    monkeypatch.setattr(garden.store, "readings", lambda query: 1 / 0)
    assert "log" in refused(client.get("/api/readings"), 500)

    def busy(_: object) -> None:
        raise HostError("store readings.sqlite3 is locked by another program")

    monkeypatch.setattr(garden.store, "readings", busy)
    assert "locked" in refused(client.get("/api/readings"), 503)


def test_about_says_whether_a_token_is_needed(client: TestClient) -> None:
    assert answered(client.get("/api/about"), "/api/about") == {
        "title": "Inkling", "version": "0.1.0", "token": False,
    }  # fmt: skip
