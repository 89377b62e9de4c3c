"""The page for everyone: axe-core, the keyboard, narrow screens, both colour schemes."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from host.serve.app import make_app
from host.serve.hub import Hub
from host.serve.settings import PageSettings
from tests.host.serve.api_client import FakeActions
from tests.host.serve.fake_store import FakeStore
from tests.host.serve.garden import SITE, Garden
from tests.host.serve.page.conftest import Opened
from tests.host.serve.page.screens import Scheme, window
from tests.host.serve.server import serve

VIEWS = (
    "#/devices", "#/live", f"#/device/{SITE}/12", f"#/reading/{SITE}-12-5", "#/teach", "#/events",
)  # fmt: skip
# Two frames after a change of the width, charts have been drawn anew. Rows of a table are alike: a few will do.
SHORTEN = """async () => {
  for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
  for (const body of document.querySelectorAll("tbody")) [...body.rows].slice(5).map((row) => row.remove());
}"""
AUDIT = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
}"""


@pytest.mark.slow
def test_views_are_accessible_and_fit_a_phone(opened: Opened) -> None:
    with opened("") as page:
        page.evaluate(Axe().axe_script)
        for path in VIEWS:
            page.evaluate("(path) => { document.querySelector('main').replaceChildren(); location.hash = path }", path)
            expect(page.locator("h1")).to_be_visible()
            for details in page.locator("details > summary").all()[:1]:
                details.click()
            check_view(page, path)


def check_view(page: Page, path: str) -> None:
    """Check both colour schemes, at both widths; the page has axe."""
    schemes: tuple[tuple[int, Scheme], ...] = ((1280, "light"), (360, "dark"))
    for width, scheme in schemes:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.evaluate(SHORTEN)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} is too wide"
        assert page.evaluate(AUDIT) == [], f"{path}, {scheme}"


def test_keyboard_reaches_everything(opened: Opened, own_garden: Garden) -> None:
    with opened("#/devices") as page:
        page.keyboard.press("Tab")
        skip = page.locator(".skip")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        tab_to(page, "Beehive 1")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Beehive 1")
        expect(page.locator("main")).to_be_focused()
        tab_to(page, "week")
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="week")).to_have_attribute("aria-pressed", "true")
        link = page.locator("table.cards tbody a").first
        id = page.locator("table.cards tbody tr").first.get_attribute("data-id")
        tab_to(page, link.inner_text())
        page.keyboard.press("Enter")
        expect(page.get_by_label("What was it?")).to_be_visible()
        while page.evaluate("document.activeElement.id") != "label":
            page.keyboard.press("Tab")
        page.keyboard.type("hornet")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Saved as hornet.")).to_be_visible()
        assert id and own_garden.store.labels_of([id]) == {id: "hornet"}
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
        own_garden.store.set_label(id, None)


def tab_to(page: Page, text: str) -> None:
    """Press Tab until the focus is on this text."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == text:
            return
    raise AssertionError(f"{text} cannot be reached by Tab")


def test_token_opens_the_page(opened: Opened, browser: Browser) -> None:
    hub, settings = Hub(), PageSettings(token="correct-horse-battery")
    with serve(make_app(FakeStore(), hub, settings, FakeActions()), hub) as page, window(browser, page) as shown:
        shown.goto("/#/live")
        shown.evaluate(Axe().axe_script)
        check_view(shown, "/login")
        shown.get_by_label("Token of this host").fill("wrong")
        shown.get_by_role("button", name="Log in").click()
        expect(shown.get_by_role("alert")).to_have_text("This is not the token.")
        shown.get_by_label("Token of this host").fill("correct-horse-battery")
        shown.keyboard.press("Enter")
        expect(shown.locator("#connection")).to_have_text("live")
        assert shown.evaluate("document.cookie") == "", "scripts cannot read the cookie"
        shown.get_by_role("button", name="Log out").click()
        expect(shown.get_by_label("Token of this host")).to_be_visible()
