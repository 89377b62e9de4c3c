"""Chromium, and pictures of the page: `python -m tests.host.serve.page.screens` writes those of docs/."""

import io
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from host.serve.actions import BundleActions
from host.serve.app import make_app
from host.serve.hub import Hub
from tests.host.serve.garden import BUNDLES, Garden
from tests.host.serve.server import RunningPage, serve
from tests.support import ROOT

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
NOW = 1_796_119_200.0  # 2026-12-01T10:00:00Z: pictures are the same whenever they are made
DEADLINE_MS = 30_000
COLOURS = 256  # of a picture, which makes its file small
Scheme = Literal["light", "dark"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a headless Chromium with a profile of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def garden_page(garden: Garden, clock: float | None = None) -> Iterator[RunningPage]:
    """Serve the page of a garden."""
    hub = Hub()
    inputs = [
        {"name": "/dev/ttyUSB0", "state": "open", "text": "last byte 2 s ago"},
        {"name": "mqtt", "state": "open", "text": "3 gateways"},
    ]
    actions = BundleActions(
        garden.bundles,
        garden.store,
        lambda bundle, task: None,
        lambda site, device: None,
        lambda: {"status": "ok", "inputs": inputs},
    )
    more = {} if clock is None else {"wall_clock": lambda: clock}
    with serve(make_app(garden.store, hub, garden.settings, actions, **more), hub) as page:
        yield page


@contextmanager
def window(
    browser: Browser,
    served: RunningPage,
    width: int = 1280,
    scheme: Scheme = "light",
    height: int = 900,
    clock: float | None = None,
) -> Iterator[Page]:
    """Open a window. clock: the time that its clock always shows."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, timezone_id="UTC", locale="en-GB",
        base_url=served.url, reduced_motion="reduce",
    )  # fmt: skip
    context.set_default_timeout(DEADLINE_MS)
    try:
        opened = context.new_page()
        if clock is not None:
            opened.clock.set_fixed_time(clock * 1000)
        yield opened
    finally:
        context.close()


def wait_until(page: Page, condition: str) -> None:
    """Wait until a JavaScript expression is true, which Playwright's own function cannot do without `eval`."""
    end = time.monotonic() + DEADLINE_MS / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"still not true: {condition}"
        time.sleep(0.05)


PICTURES: dict[str, tuple[str, int, int, Scheme]] = {
    "serve-devices": ("/#/devices", 1180, 760, "light"),
    "serve-reading": ("/#/reading/garden-11-61", 1180, 900, "dark"),
    "serve-phone": ("/#/devices", 390, 800, "light"),
}


def main() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        general = Path(shutil.copytree(BUNDLES / "general64", Path(folder) / "general64"))
        garden = Garden(NOW, general)
        with chromium() as browser, garden_page(garden, NOW) as served:
            for name, (path, width, height, scheme) in PICTURES.items():
                with window(browser, served, width, scheme, height, NOW) as page:
                    page.goto(path)
                    page.locator("#connection[data-state=live]").wait_for()
                    wait_until(page, "[...document.images].every((image) => image.complete)")
                    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                    shot.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(
                        ROOT / "docs" / f"{name}.png", optimize=True
                    )


if __name__ == "__main__":
    main()
