"""The hub and the live feed: order, what a client that comes back has missed, and clients that are too slow."""

import asyncio
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from host.serve import hub as hub_module
from host.serve.app import make_app
from host.serve.hub import KEPT, WAITING, Hub, Subscription
from host.serve.settings import PageSettings
from host.site.records import EventRecord
from tests.host.serve.api_client import CHANGE, FakeActions
from tests.host.serve.fake_store import FakeStore
from tests.host.serve.server import RunningPage, serve
from tests.host.site.test_records import READING

DEADLINE_S = 30.0


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in a thread of its own: this one's event loop is Playwright's once a browser has been used."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, main).result()


def event(number: int) -> EventRecord:
    return EventRecord(f"e{number}", "home", float(number), "silent", f"text {number}")


async def next_texts(subscription: Subscription, count: int) -> list[str]:
    """Return the ids of the next records."""
    found: list[str] = []
    async with asyncio.timeout(DEADLINE_S):
        async for message in subscription.messages(DEADLINE_S):
            assert message is not None
            found.append(message.values()["id"])
            if len(found) == count:
                break
    return found


def test_subscribers_get_records_of_any_thread_in_order() -> None:
    async def watch() -> None:
        hub = Hub()
        first, second = hub.subscribe(), hub.subscribe()
        thread = threading.Thread(target=lambda: deque(map(hub.publish, map(event, range(200)))))
        thread.start()
        expected = [f"e{number}" for number in range(200)]
        assert await next_texts(first, 200) == await next_texts(second, 200) == expected
        thread.join()

    run(watch())


def test_subscriber_that_comes_back_gets_what_it_missed() -> None:
    async def watch() -> None:
        hub = Hub()
        hub.publish(event(1))
        first = hub.subscribe()
        for number in (2, 3, 4):
            hub.publish(event(number))
        messages = first.messages(DEADLINE_S)
        known = await anext(messages)
        assert known is not None
        back = hub.subscribe(known.id)
        assert back.complete
        assert await next_texts(back, 2) == ["e3", "e4"]

    run(watch())


@pytest.mark.parametrize("last_id", ["x", "-", "deadbeef-1", "BOOT-0", "BOOT-99999", "BOOT-" + "9" * 400, "BOOT-²"])
def test_subscriber_with_an_unknown_id_is_told_that_it_missed_something(last_id: str) -> None:
    async def watch() -> None:
        hub = Hub()
        for number in range(KEPT + 5):
            hub.publish(event(number))
        boot = hub._kept[-1].id.partition("-")[0]
        assert not hub.subscribe(last_id.replace("BOOT", boot)).complete
        assert hub.subscribe(f"{boot}-{KEPT + 5}").complete

    run(watch())


def test_slow_subscriber_is_dropped_and_delays_nobody() -> None:
    async def watch() -> None:
        hub = Hub()
        slow, fast = hub.subscribe(), hub.subscribe()
        for number in range(WAITING + 1):
            hub.publish(event(number))
            if number % 100 == 0:
                await next_texts(fast, min(number + 1, 100))
        assert slow.dropped
        assert not fast.dropped
        assert hub.subscribers == 1
        assert [message async for message in slow.messages(DEADLINE_S)] == []

    run(watch())


def test_close_ends_all_subscriptions() -> None:
    async def watch() -> None:
        hub = Hub()
        subscription = hub.subscribe()
        threading.Thread(target=hub.close).start()
        async with asyncio.timeout(DEADLINE_S):
            assert [message async for message in subscription.messages(DEADLINE_S)] == []
        async with asyncio.timeout(DEADLINE_S):
            assert [message async for message in hub.subscribe().messages(DEADLINE_S)] == []

    run(watch())


def test_silence_is_filled_with_heartbeats() -> None:
    async def watch() -> None:
        async with asyncio.timeout(DEADLINE_S):
            async for message in Hub().subscribe().messages(0.01):
                assert message is None
                break

    run(watch())


@pytest.fixture
def page() -> Iterator[RunningPage]:
    """The page of an empty store."""
    hub, store = Hub(), FakeStore()
    store.write([READING])
    with serve(make_app(store, hub, PageSettings(), FakeActions()), hub) as page:
        yield page


def lines_of(page: RunningPage, count: int, last_id: str | None = None) -> list[str]:
    """Open the feed, publish, and return its first lines."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with httpx.stream("GET", f"{page.url}/api/feed", headers=headers, timeout=DEADLINE_S) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines: list[str] = []
        for line in response.iter_lines():
            if not lines:
                page.hub.publish(READING)
            lines.append(line)
            if len(lines) == count:
                break
    return lines


def test_feed_sends_records_as_server_sent_events(page: RunningPage) -> None:
    retry, _, id_line, kind, data = lines_of(page, 5)
    assert retry.startswith("retry: ")
    assert kind == "event: reading"
    assert json.loads(data.removeprefix("data: ")) == json.loads(json.dumps(READING.as_json()))
    last_id = id_line.removeprefix("id: ")
    assert "event: reset" not in lines_of(page, 5, last_id)
    assert lines_of(page, 3, "unknown-1")[2] == "event: reset"


def test_feed_tells_all_of_a_new_label(page: RunningPage) -> None:
    with httpx.stream("GET", f"{page.url}/api/feed", timeout=DEADLINE_S) as response:
        lines = response.iter_lines()
        next(lines)
        path = f"{page.url}/api/readings/{READING.id}/label"
        assert httpx.put(path, json={"label": "fox"}, headers=CHANGE, timeout=DEADLINE_S).status_code == 200
        found = [next(lines) for _ in range(4)]
    assert found[2] == "event: label"
    assert json.loads(found[3].removeprefix("data: ")) == {"id": READING.id, "human_label": "fox"}


def test_feed_forgets_clients_that_leave(page: RunningPage) -> None:
    lines_of(page, 3)
    wait_for_no_subscriber(page.hub)


def test_feed_ends_for_a_client_that_does_not_read(page: RunningPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.serve.api.feed.SEND_S", 0.2)
    monkeypatch.setattr(hub_module, "WAITING", 10**9)
    address = page.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as client:
        client.sendall(f"GET /api/feed HTTP/1.1\r\nHost: {':'.join(address)}\r\n\r\n".encode())
        assert client.recv(12).startswith(b"HTTP/1.1 200")
        end = time.monotonic() + DEADLINE_S
        big = EventRecord("big", "home", 1.0, "silent", "x" * 100_000)
        while page.hub.subscribers:
            assert time.monotonic() < end, "the feed waits for ever"
            page.hub.publish(big)
            time.sleep(0.005)


def wait_for_no_subscriber(hub: Hub) -> None:
    end = time.monotonic() + DEADLINE_S
    while hub.subscribers:
        assert time.monotonic() < end, "a client that has left is still subscribed"
        time.sleep(0.02)
