"""Fixtures of the page: its own site of 20 devices on a real socket, and one Chromium for all tests of a worker."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.host.serve.garden import Garden
from tests.host.serve.page.screens import DEADLINE_MS, Scheme, chromium, garden_page, window
from tests.host.serve.server import RunningPage
from wire.bundle import Bundle

expect.set_options(timeout=DEADLINE_MS)

Opened = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with chromium() as browser:
        yield browser


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
