"""Fixtures of the page: a site of 20 devices, its page on a real socket, and one Chromium for all tests of a worker."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.testclient import TestClient

from host.serve.app import make_app
from host.serve.hub import Hub
from tests.host.serve.api_client import FakeActions
from tests.host.serve.garden import BUNDLES, Garden
from tests.host.serve.screens import DEADLINE_MS, Scheme, chromium, garden_page, window
from tests.host.serve.server import RunningPage
from wire.bundle import Bundle, load

expect.set_options(timeout=DEADLINE_MS)

Opened = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="session")
def general(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A copy of the general bundle, to which tests add tasks."""
    return load(Path(shutil.copytree(BUNDLES / "general64", tmp_path_factory.mktemp("bundle") / "general64")))


@pytest.fixture(scope="session")
def garden(general: Bundle) -> Garden:
    """Records of an invented site, up to now. Tests that change them add records and labels of their own."""
    return Garden(time.time(), general.path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def actions() -> FakeActions:
    return FakeActions()


@pytest.fixture(scope="module")
def client(garden: Garden, actions: FakeActions) -> Iterator[TestClient]:
    app = make_app(garden.store, Hub(), garden.settings, actions)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def own_garden(general: Bundle) -> Garden:
    """Records that the tests of the page may change."""
    return Garden(time.time(), general.path)


@pytest.fixture(scope="module")
def served(own_garden: Garden) -> Iterator[RunningPage]:
    """The page of these records."""
    with garden_page(own_garden) as page:
        yield page


@pytest.fixture
def opened(browser: Browser, served: RunningPage) -> Opened:
    """Opens a window that must stay without errors and ask no other host for anything."""

    @contextmanager
    def open_window(
        path: str, page: RunningPage = served, width: int = 1280, scheme: Scheme = "light"
    ) -> Iterator[Page]:
        errors: list[str] = []
        with window(browser, page, width, scheme) as shown:
            shown.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
            shown.on("pageerror", lambda error: errors.append(str(error)))
            shown.on("request", lambda request: _check_host(request.url, page.url, errors))
            shown.goto(f"/{path}")
            expect(shown.locator("#connection")).to_have_text("live")
            yield shown
            assert errors == []

    return open_window


def _check_host(url: str, own: str, errors: list[str]) -> None:
    if not url.startswith((f"{own}/", "data:")):
        errors.append(f"request to {url}")
