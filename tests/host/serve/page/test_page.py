"""The page in Chromium: live updates, labels, lessons, keyboard, hostile texts, accessibility, a host that is gone."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import host.serve
from host.serve.app import make_app
from host.serve.hub import Hub
from host.serve.settings import DeviceName, PageSettings
from host.serve.stored import ReadingQuery
from host.site.records import AnyRecord, TaskAnswer
from tests.host.serve.api_client import FakeActions
from tests.host.serve.fake_store import FakeStore
from tests.host.serve.garden import SITE, Garden
from tests.host.serve.page.conftest import Opened
from tests.host.serve.page.screens import garden_page, wait_until, window
from tests.host.serve.server import RunningPage, serve

MAX_BYTES = 200_000  # of all static files
STATIC = Path(host.serve.__file__).parent / "static"
HOSTILE = '<img src=x onerror="window.hacked=1">"\'&\u202e</script><script>window.hacked=1</script>'


def publish(garden: Garden, page: RunningPage, *records: AnyRecord) -> None:
    """Store and publish records, as a host does."""
    garden.store.write(records)
    for record in records:
        page.hub.publish(record)


def test_devices_change_without_reload(opened: Opened, served: RunningPage, own_garden: Garden) -> None:
    with opened("#/devices") as page:
        page.evaluate("window.mark = 1")
        row = page.locator(f'tr[data-key="{SITE}/1"]')
        reading = replace(own_garden.reading(1, time.time()), label="heron", confidence=0.875, lost_total=77)
        publish(own_garden, served, reading, own_garden.status(1, time.time(), 2.95))
        expect(row).to_contain_text("heron")
        expect(row).to_contain_text("87.5 %")
        expect(row).to_contain_text("≥ 77")
        expect(row).to_contain_text("battery low")
        expect(row.locator("time")).to_have_text("now")
        publish(own_garden, served, own_garden.event("silent", "nothing from device 1", 1, time.time()))
        expect(row).to_contain_text("silent")
        expect(page.locator("#announcer")).to_have_text("nothing from device 1")
        publish(own_garden, served, replace(reading, id="new", device=99))
        expect(page.locator(f'tr[data-key="{SITE}/99"]')).to_contain_text("device 99")
        assert page.evaluate("window.mark") == 1


def test_devices_are_filtered_and_sorted(opened: Opened) -> None:
    with opened("#/devices") as page:
        rows = page.locator("tbody tr")
        page.get_by_label("Filter devices").fill("wood")
        expect(rows).to_have_count(5)
        page.get_by_label("only with faults").check()
        expect(rows).to_have_count(3)
        page.get_by_label("Filter devices").fill("no such device")
        expect(page.get_by_text("No device is like this.")).to_be_visible()
        page.get_by_label("Filter devices").fill("wood")
        page.get_by_role("button", name="BER").click()
        expect(page.locator("th[aria-sort=descending]")).to_have_text("BER")
        expect(rows.first).to_contain_text("Salt lick")


def test_live_feed_is_newest_first_and_pauses(opened: Opened, served: RunningPage, own_garden: Garden) -> None:
    with opened("#/live") as page:
        first = page.locator("tbody tr").first
        reading = own_garden.reading(2, time.time())
        publish(own_garden, served, replace(reading, label="one"))
        expect(first).to_contain_text("one")
        publish(own_garden, served, replace(reading, label="two"), own_garden.status(2, time.time(), 4.0))
        expect(first).to_contain_text("status")
        row = page.locator(f'tr[data-id="{reading.id}"]')
        expect(row).to_contain_text("two")
        page.get_by_role("button", name="Pause").click()
        publish(own_garden, served, replace(own_garden.reading(2, time.time()), label="three"))
        expect(page.get_by_text("1 newer record waiting")).to_be_visible()
        expect(page.get_by_text("three")).to_have_count(0)
        page.get_by_role("button", name="Continue").click()
        expect(first).to_contain_text("three")


def test_reading_shows_receptions_symbols_and_preview(opened: Opened, own_garden: Garden) -> None:
    reading = own_garden.store.reading(f"{SITE}-12-50")
    assert reading is not None
    with opened(f"#/reading/{reading.id}") as page:
        expect(page.locator("h1")).to_contain_text(reading.tasks["animals"].label or "none of these")
        expect(page.locator("table tbody tr")).to_have_count(len(reading.receptions))
        missing = sum(symbol < 0 for symbol in reading.symbols)
        expect(page.locator(".heatmap .symbol")).to_have_count(384 - missing)
        expect(page.locator(".heatmap .missing")).to_have_count(missing)
        wait_until(page, "document.querySelector('.preview').naturalWidth === 64")


def test_label_is_saved_and_seen_by_others(opened: Opened, own_garden: Garden) -> None:
    id = next(iter(own_garden.store.devices())).reading.id  # type: ignore[union-attr]
    with opened("#/live") as other, opened(f"#/reading/{id}") as page:
        page.get_by_label("What was it?").fill("badger")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved as badger.")).to_be_visible()
        assert own_garden.store.labels_of([id]) == {id: "badger"}
        expect(page.get_by_role("button", name="badger")).to_have_attribute("aria-pressed", "true")
        expect(other.locator(f'tr[data-id="{id}"]')).to_contain_text("label: badger")
        page.get_by_role("button", name="fox").click()
        expect(page.get_by_text("Saved as fox.")).to_be_visible()
        page.get_by_role("button", name="Remove label").click()
        expect(page.get_by_text("Label removed.")).to_be_visible()
        assert own_garden.store.labels_of([id]) == {}


def test_history_has_ranges_and_figures(opened: Opened) -> None:
    with opened(f"#/device/{SITE}/3") as page:
        expect(page.locator(".chart .readout")).to_have_text("72 readings, 0 lost", use_inner_text=True)
        page.get_by_role("button", name="hour").click()
        expect(page.locator(".chart .readout")).to_have_text("3 readings, 0 lost", use_inner_text=True)
        page.get_by_text("Figures as a table").click()
        expect(page.locator(".chart tbody tr")).to_have_count(3)
        page.get_by_role("button", name="month").click()
        expect(page.locator(".chart .readout")).to_have_text("72 readings, 0 lost", use_inner_text=True)
        page.get_by_role("button", name="Show older readings").click()
        expect(page.locator("table.cards tbody tr")).to_have_count(60)


def test_device_is_forgotten_after_a_question(opened: Opened, served: RunningPage, own_garden: Garden) -> None:
    row = f'tr[data-key="{SITE}/16"]'
    with opened("#/devices") as other, opened(f"#/device/{SITE}/16") as page:
        expect(other.locator(row)).to_contain_text("Yard")
        forget = page.get_by_role("button", name="Forget this device")
        forget.click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(page.locator("h1")).to_have_text("Yard")
        forget.click()
        page.get_by_role("dialog").get_by_role("button", name="Forget").click()
        expect(page.locator("h1")).to_have_text("Devices")
        expect(page.locator("#announcer")).to_have_text("Yard is forgotten")
        expect(page.locator("tr[data-key]").first).to_be_visible()
        expect(page.locator(row)).to_have_count(0)
        expect(other.locator(row)).to_have_count(0)
        page.goto(f"/#/device/{SITE}/16")
        expect(page.locator("table.cards tbody tr").first).to_be_visible()
        expect(forget).to_be_hidden()
        publish(own_garden, served, own_garden.reading(16, time.time()))
        expect(other.locator(row)).to_be_visible()
        expect(forget).to_be_visible()


def test_task_is_taught_from_the_page(opened: Opened) -> None:
    with opened("#/teach") as page:
        teach = page.get_by_role("button", name="Teach", exact=True)
        page.get_by_label("nothing").uncheck()
        page.get_by_label("deer").uncheck()
        expect(teach).to_be_disabled()
        expect(page.get_by_text("A task needs at least 2 classes")).to_be_visible()
        page.get_by_label("deer").check()
        page.get_by_text("choose one by one").first.click()
        page.locator(".picks input").first.uncheck()
        expect(page.get_by_text("2 classes, 40 readings.")).to_be_visible()
        page.get_by_label("Name of the task").fill("beasts")
        teach.click()
        expect(page.get_by_role("heading", name="Task beasts is taught")).to_be_visible()
        expect(page.locator(".report table").first.locator("tbody tr")).to_have_count(2)
        page.reload()
        expect(page.get_by_role("heading", name="Task beasts is taught")).to_be_visible()
        page.get_by_label("Name of the task").fill("beasts")
        page.get_by_label("replace it").check()
        page.get_by_role("button", name="Teach", exact=True).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()


def test_failed_lesson_says_why(opened: Opened, own_garden: Garden) -> None:
    store = own_garden.store
    deer = [reading.id for reading, label in store.stream(ReadingQuery(labelled=True)) if label == "deer"]
    with opened("#/teach") as page:
        for id in deer:  # somebody else removes these labels meanwhile
            store.set_label(id, None)
        try:
            page.get_by_label("Name of the task").fill("late")
            page.get_by_role("button", name="Teach", exact=True).click()
            expect(page.get_by_role("alert")).to_contain_text("no reading of this bundle has the label 'deer' any more")
        finally:
            for id in deer:
                store.set_label(id, "deer")


def test_hostile_texts_are_only_shown(opened: Opened, own_garden: Garden) -> None:
    store, hub = FakeStore(), Hub()
    label = HOSTILE[:64]
    reading = replace(
        own_garden.reading(12, time.time()), id='a"><b>/..?#%', site=HOSTILE, label=HOSTILE, bundle=HOSTILE,
        confidence=0.5, tasks={HOSTILE: TaskAnswer(HOSTILE, 0, 0.5)}, auth=HOSTILE, frame="features",
        answered_by=HOSTILE, lost=1, lost_certainty=HOSTILE, lost_total_certainty="__proto__",
    )  # fmt: skip
    reading = replace(reading, receptions=(replace(reading.receptions[0], gateway=HOSTILE),))
    event = replace(own_garden.event(HOSTILE, HOSTILE, 12, time.time()), site=HOSTILE)
    status = replace(own_garden.status(12, time.time(), 3.5), site=HOSTILE, reset_cause=HOSTILE, mode=HOSTILE)
    store.write([reading, event, status])
    store.set_label(reading.id, label)
    settings = PageSettings(title=HOSTILE, names={(HOSTILE, 12): DeviceName(HOSTILE, HOSTILE)})
    with serve(make_app(store, hub, settings, FakeActions()), hub) as hostile, opened("#/devices", hostile) as page:
        page.on("dialog", lambda dialog: pytest.fail("a dialog opened"))
        expect(page.locator("tbody tr")).to_contain_text("<img src=x onerror=")
        expect(page.locator("tbody tr").first).to_contain_text("\\u202e")
        for path in ("#/live", "#/teach", "#/events"):
            page.goto(f"/{path}")
            expect(page.locator("main")).to_contain_text("onerror")
        page.goto("/#/live")
        for record in (reading, event, status):
            hub.publish(record)
        expect(page.locator("tr.status")).to_have_count(1)
        page.locator("tr[data-id] .time").last.click()
        expect(page.get_by_label("What was it?")).to_have_value(label)
        expect(page.locator("main")).to_contain_text("onerror")
        page.locator(".crumb a").last.click()
        expect(page.locator("h1")).to_contain_text("onerror")
        expect(page.locator(".legend li")).to_have_count(1)
        assert page.evaluate(
            "[window.hacked, document.querySelectorAll('[onerror], main script, [src=x]').length]"
        ) == [None, 0]


def test_empty_page_says_what_to_do(opened: Opened) -> None:
    hub = Hub()
    app = make_app(FakeStore(), hub, PageSettings(), FakeActions())
    with serve(app, hub) as empty, opened("#/devices", empty) as page:
        expect(page.get_by_text("No device heard yet.")).to_be_visible()
        page.goto("/#/live")
        expect(page.get_by_text("Nothing received yet.")).to_be_visible()
        page.goto("/#/teach")
        expect(page.get_by_text("No reading of general64 is labelled yet.")).to_be_visible()
        page.goto("/#/events")
        expect(page.get_by_text("No event yet.")).to_be_visible()
        page.goto("/#/device/home/3")
        expect(page.get_by_text("No reading is kept.")).to_be_visible()


def test_page_tells_that_the_host_is_gone_and_comes_back(browser: Browser, own_garden: Garden) -> None:
    with garden_page(own_garden) as first, window(browser, first) as page:
        page.goto("/#/devices")
        expect(page.locator("#connection")).to_have_text("live")
        page.context.set_offline(True)
        first.hub.close()
        expect(page.locator("#connection")).to_have_text("offline")
        expect(page.locator("#announcer")).to_have_text("The connection to the host is lost")
        page.evaluate("location.hash = '#/live'")
        expect(page.get_by_text("the host does not answer")).to_be_visible()


def test_static_files_are_small() -> None:
    sizes = {file.name: file.stat().st_size for file in STATIC.rglob("*") if file.is_file()}
    print(f"{len(sizes)} static files, {sum(sizes.values())} bytes")
    assert 20_000 < sum(sizes.values()) <= MAX_BYTES
