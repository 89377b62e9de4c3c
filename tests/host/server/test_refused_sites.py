"""Sites that a decoder refuses: the others go on, and nothing is lost until too many packets wait."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from host.errors import HostError
from host.gateway.subscriber import Delivery
from host.keys.key_file import KeyFile
from host.mqtt import topics
from host.mqtt.broker import Broker
from host.mqtt.sender import MemoryOutbox, Sender
from host.server import refused_sites
from host.server.decoding import Decoder, DecodeSettings
from host.server.refused_sites import MOST_HELD, RETRY_S, RefusedSites
from host.site.engine import Site
from host.site.packets import GatewayPacket
from host.site.records import AnyRecord
from tests.host.server.test_decode import Readings
from tests.support.mqtt.broker import Mosquitto, wait_until
from wire.bundle import Bundle

SYMBOLS = np.arange(128) % 8


def packet(site: str, number: int, payload: bytes = b"") -> GatewayPacket:
    """Return a packet of a site."""
    return GatewayPacket(site, "north", "b", number, time.time(), payload, True, -5.0)


def test_hold_keeps_the_newest_packets_and_acknowledges_the_others(caplog: pytest.LogCaptureFixture) -> None:
    done: list[Delivery] = []
    sites = RefusedSites(done.extend)
    for site in ("barn", "cabin"):
        sites.refuse(site, "its state is damaged")
    for number in range(MOST_HELD + 3):
        sites.hold(packet("barn" if number < 9 else "cabin", number), [Delivery(1, number)])
    assert (done, sites.lost) == ([Delivery(1, number) for number in range(3)], 3)
    assert [one.packet.number for one in sites.accept("barn")] == [*range(3, 9)]
    assert len(sites.accept("cabin")) == MOST_HELD - 6 and len(sites) == 0
    warnings = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert [one for one in warnings if "again" in one] == [
        "site barn is decoded again; 3 of its packets were lost",
        "site cabin is decoded again; 0 of its packets were lost",
    ]
    assert len(warnings) == 3 and "more than 500" in warnings[0]


def test_hold_takes_a_packet_that_is_delivered_again_once() -> None:
    sites = RefusedSites(lambda deliveries: None)
    sites.refuse("barn", "its state is damaged")
    for connection in (1, 2):
        sites.hold(packet("barn", 5), [Delivery(connection, 7)])
    assert [one.deliveries for one in sites.accept("barn")] == [[Delivery(1, 7), Delivery(2, 7)]]


def test_refuse_logs_each_problem_once_and_waits_between_attempts(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    sites = RefusedSites(lambda deliveries: None, lambda: now)
    assert sites.is_due("barn") and sites.due() == []
    for problem in ("no key", "no key", "no state"):
        sites.refuse("barn", problem)
        assert not sites.is_due("barn") and sites.due() == []
        now += RETRY_S
        assert sites.is_due("barn") and sites.due() == ["barn"]
    assert [one.getMessage().split("; ")[0] for one in caplog.records] == [
        "site barn is not decoded: no key",
        "site barn is not decoded: no state",
    ]


def test_hold_loses_nothing_of_a_site_that_is_tried_again_at_once() -> None:
    sites = RefusedSites(lambda deliveries: None)
    sites.fail("barn", "decoder.onnx has been stopped")
    for number in range(MOST_HELD + 3):
        sites.hold(packet("barn", number), [Delivery(1, number)])
    sites.refuse("barn", "its state is damaged")
    assert sites.lost == 0
    sites.hold(packet("barn", MOST_HELD + 3), [Delivery(1, MOST_HELD + 3)])
    assert sites.lost == 4 and len(sites.accept("barn")) == MOST_HELD


def test_fail_tries_a_site_again_at_once_but_not_twice_in_a_row() -> None:
    now = 0.0
    sites = RefusedSites(lambda deliveries: None, lambda: now)
    due = []
    for pause_s in (0.0, 1.0, RETRY_S, 1.0, RETRY_S - 1):
        now += pause_s
        sites.fail("barn", "decoder.onnx has been stopped")
        due.append(sites.is_due("barn"))
        sites.accept("barn")
    assert due == [True, False, True, False, False]


@contextmanager
def decoding(settings: DecodeSettings, broker: Mosquitto) -> Iterator[Decoder]:
    """Run a decoder in a thread until the block ends; its failure is one of the test."""
    decoder, failures = Decoder(settings, Broker.of(broker.url)), []

    def run() -> None:
        try:
            with decoder.lock():
                decoder.run()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: decoder.subscriber.online, "the decoder is online")
        yield decoder
    finally:
        decoder.stopped.set()
        thread.join(60.0)
    assert failures == [] and not thread.is_alive()


@pytest.fixture
def send(broker: Mosquitto, bundle: Bundle) -> Iterator[Callable[[str, int], None]]:
    """A function that sends an image of a site, given its number."""
    outbox = MemoryOutbox(100_000)
    sender = Sender(Broker.of(broker.url), "test-gateways", [outbox])
    sender.start()

    def send_image(site: str, number: int) -> None:
        content = packet(site, number, bundle.frame(SYMBOLS, 3, number % 32, sync=False)).as_json()
        outbox.put(topics.packets(site, "north"), json.dumps(content).encode())
        sender.wake()

    yield send_image
    sender.close()


def test_decode_goes_on_without_sites_whose_files_are_damaged_and_loses_nothing(
    tmp_path: Path,
    broker: Mosquitto,
    bundle: Bundle,
    send: Callable[[str, int], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refused_sites, "RETRY_S", 0.3)
    state, keys = tmp_path / "state", tmp_path / "keys"
    state.mkdir()
    keys.mkdir()
    (state / "barn.sqlite3").write_bytes(b"damaged " * 1000)
    (keys / "cabin.json").write_text("{")
    (keys / "cabin.json").chmod(0o600)
    readings = Readings(broker)
    settings = DecodeSettings(0, 1, [bundle], state, keys)
    images = {(site, number) for site in ("barn", "cabin", "dock") for number in range(5)}

    def refusals(site: str) -> list[str]:
        return [line for line in map(str, caplog.messages) if line.startswith(f"site {site} is not decoded")]

    with decoding(settings, broker) as decoder:
        for number in range(5):
            for site in ("barn", "cabin", "dock"):
                send(site, number)
        wait_until(lambda: len(readings.images()) == 5, "the third site is decoded")
        assert {site for site, _ in readings.images()} == {"dock"}
        wait_until(lambda: bool(refusals("barn") and refusals("cabin")), "the others are refused")
    assert str(state / "barn.sqlite3") in refusals("barn")[0] and "delete it to begin anew" in refusals("barn")[0]
    assert str(keys / "cabin.json") in refusals("cabin")[0]
    assert len(refusals("barn")) == len(refusals("cabin")) == 1, "one line each, however often they are tried"
    with decoding(settings, broker) as decoder:  # the broker still has what was not decoded
        wait_until(lambda: len(refusals("barn")) == len(refusals("cabin")) == 2, "they are refused again")
        (state / "barn.sqlite3").unlink()
        KeyFile(keys / "cabin.json").save()
        wait_until(lambda: readings.images() == images, f"{sorted(readings.images())}")
        assert (decoder.lost, len(readings.by_id)) == (0, len(images))
    readings.close()


def test_decode_begins_a_site_anew_that_fails_while_it_is_decoded(
    tmp_path: Path,
    broker: Mosquitto,
    bundle: Bundle,
    send: Callable[[str, int], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poll = Site.poll
    failed: list[object] = []

    def failing(site: Site) -> list[AnyRecord]:
        if site.name == "barn" and len(site._groups) and not failed:
            failed.append(site._groups.flush())
            raise HostError("decoder.onnx has been stopped")
        return poll(site)

    monkeypatch.setattr(Site, "poll", failing)
    readings = Readings(broker)
    with decoding(DecodeSettings(0, 1, [bundle], tmp_path / "state"), broker):
        for number in range(5):
            send("barn", number)
        wait_until(lambda: readings.images() == {("barn", number) for number in range(5)}, "all images are read")
    readings.close()
    assert failed and len(readings.by_id) == 5
    assert sum("site barn is not decoded: decoder.onnx has been stopped" in line for line in caplog.messages) == 1


def test_decode_refuses_tasks_that_are_missing(tmp_path: Path, bundle: Bundle) -> None:
    settings = DecodeSettings(0, 1, [bundle], tmp_path / "state", tasks=["animals"])
    with pytest.raises(HostError, match="animals"):
        Decoder(settings, Broker.of("mqtt://127.0.0.1:1"))


def test_decode_refuses_a_folder_of_keys_that_is_missing(tmp_path: Path, bundle: Bundle) -> None:
    settings = DecodeSettings(0, 1, [bundle], tmp_path / "state", tmp_path / "keys")
    with pytest.raises(HostError, match="no folder of key files"):
        Decoder(settings, Broker.of("mqtt://127.0.0.1:1"))
