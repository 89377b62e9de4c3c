"""Access: tokens, cookies, names of the host, and other sites' pages."""

import pytest
from starlette.testclient import TestClient

from host.errors import HostError
from host.serve.app import make_app
from host.serve.hub import Hub
from host.serve.settings import PageSettings
from tests.host.serve.api_client import CHANGE, FakeActions, refused
from tests.host.serve.fake_store import FakeStore

TOKEN = "correct-horse-battery"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def client_of(token: str | None = TOKEN, base: str = "http://192.168.1.7:8080") -> TestClient:
    settings = PageSettings(hosts=frozenset({"cam.example"}), token=token)
    app = make_app(FakeStore(), Hub(), settings, FakeActions())
    return TestClient(app, base_url=base, follow_redirects=False)


def test_token_opens_the_api() -> None:
    client = client_of()
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Cookie": f"inkling={TOKEN}"}):
        response = client.get("/api/devices", headers=headers)
        assert "token" in refused(response, 401)
        assert response.headers["www-authenticate"] == "Bearer"
    assert client.get("/api/devices", headers=BEARER).status_code == 200


def test_every_route_but_login_health_and_static_files_needs_the_token() -> None:
    client = client_of()
    for route in client.app.routes:  # type: ignore[attr-defined]
        path = route.path.replace(":path", "").replace("{", "").replace("}", "")
        method = "GET" if "GET" in (getattr(route, "methods", None) or "GET") else next(iter(route.methods))
        response = client.request(method, path, headers=CHANGE)
        if path == "/":
            assert (response.status_code, response.headers["location"]) == (303, "/login")
        elif path in ("/login", "/health"):
            assert response.status_code == 200
        elif path == "/static":
            assert client.get("/static/style.css").status_code == 200
        else:
            assert response.status_code == 401, path


def test_login_sets_a_cookie_that_does_not_tell_the_token() -> None:
    client = client_of()
    assert "Token of this host" in client.get("/login").text
    wrong = client.post("/login", data={"token": "guess"})
    assert (wrong.status_code, "This is not the token" in wrong.text, wrong.cookies) == (401, True, {})
    right = client.post("/login", data={"token": TOKEN})
    assert (right.status_code, right.headers["location"]) == (303, "/")
    cookie = right.headers["set-cookie"]
    assert TOKEN not in cookie
    assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in cookie.split(";")}
    assert client.get("/api/devices").status_code == 200
    assert client.get("/").status_code == 200
    gone = client.post("/logout", headers=CHANGE)
    assert (gone.status_code, client.get("/api/devices").status_code) == (204, 401)


def test_login_cookie_is_secure_over_https_and_void_with_another_token() -> None:
    secure = client_of(base="https://192.168.1.7").post("/login", data={"token": TOKEN})
    assert "secure" in secure.headers["set-cookie"].lower()
    client = client_of()
    client.post("/login", data={"token": TOKEN})
    other = client_of("another-correct-horse")
    other.cookies = client.cookies
    assert other.get("/api/devices").status_code == 401


def test_login_is_bounded_and_void_without_a_token() -> None:
    refused(client_of().post("/login", content=b"token=" + b"x" * 5000), 413)
    assert client_of(None).get("/login").headers["location"] == "/"


def test_health_tells_strangers_only_the_status() -> None:
    client = client_of()
    assert client.get("/health").json() == {"status": "ok"}
    assert "inputs" in client.get("/health", headers=BEARER).json()


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "192.168.1.7", "cam.example:80"])
def test_own_names_and_addresses_are_served(host: str) -> None:
    assert client_of(None).get("/api/devices", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1", "@"])
def test_other_names_are_refused(host: str) -> None:
    for path in ("/", "/api/devices", "/static/main.js", "/health"):
        refused(client_of(None).get(path, headers={"Host": host}), 421)


def test_changes_from_other_sites_are_refused() -> None:
    client, path = client_of(None, "http://127.0.0.1:8080"), "/api/readings/x/label"
    own = {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin", **CHANGE}
    assert client.put(path, json={"label": "a"}, headers=own).status_code == 404, "there is no such reading"
    assert "X-Inkling" in refused(client.put(path, json={"label": "a"}), 403)
    for stranger in (
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    ):  # fmt: skip
        assert "another site" in refused(client.put(path, json={"label": "a"}, headers={**CHANGE, **stranger}), 403)
    assert client_of().put(path, json={"label": "a"}, headers=BEARER).status_code == 404, "the token is enough"


def test_login_from_other_sites_is_refused() -> None:
    refused(client_of().post("/login", data={"token": TOKEN}, headers={"Origin": "http://evil.example"}), 403)


def test_responses_carry_the_headers_that_keep_strangers_out() -> None:
    client = client_of(None)
    for path in ("/", "/login", "/api/devices", "/api/nothing", "/static/main.js"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store")
        assert "access-control-allow-origin" not in headers


def test_static_files_do_not_lead_out_of_their_folder() -> None:
    client = client_of(None)
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/views/../../app.py"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("token", ["short", "", "mit ümlaut und lang genug"])
def test_settings_refuse_weak_tokens(token: str) -> None:
    with pytest.raises(HostError, match="16 ASCII"):
        PageSettings(token=token)
