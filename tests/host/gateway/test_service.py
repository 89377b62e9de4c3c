"""From boards and forwarders through a real broker to a subscriber; each of them comes and goes."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from host.errors import HostError
from host.gateway.service import GatewayService
from host.mqtt import topics
from host.mqtt.broker import Broker
from host.site.packets import GatewayPacket
from tests.support.lines import unused_port
from tests.support.mqtt.broker import Mosquitto, listening, running, wait_until
from tests.support.mqtt.forwarder import EUI, Forwarder, push_data, received
from tests.support.mqtt.gateway_line import fake_gateway
from tests.support.mqtt.gateways import Received, serving, settings, subscribing

COUNTS = topics.gateway_counts("home", "north")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with running(tmp_path) as broker:
        yield broker


def payloads(found: Received) -> list[int]:
    """Return the numbers in the payloads, in the order in which the packets first arrived."""
    return [int(packet.payload) for packet in found.by_id().values()]


def test_packets_arrive_in_order_damaged_ones_too(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with (
        fake_gateway() as (board, url),
        serving(settings(tmp_path, url), mosquitto) as service,
        subscribing(mosquitto) as found,
    ):
        for number in range(200):
            board.receive(b"%d" % number, crc_ok=number % 3 > 0)
        wait_until(lambda: len(found.packets) == 200)
        wait_until(lambda: service.buffer.waiting == 0)
    assert payloads(found) == list(range(200)) and len(found.by_id()) == 200
    first, second = found.packets[:2]
    assert (first.site, first.gateway, first.number, first.crc_ok, second.crc_ok) == ("home", "north", 0, False, True)
    assert (first.snr_db, first.rssi_dbm) == (-8.5, -124.25)


@pytest.mark.parametrize("killed", [False, True])
def test_nothing_is_lost_while_the_broker_is_away(mosquitto: Mosquitto, tmp_path: Path, killed: bool) -> None:
    """A broker that is killed loses what it has acknowledged and not passed on, so it passes on all before that."""
    with (
        fake_gateway() as (board, url),
        serving(settings(tmp_path, url), mosquitto) as service,
        subscribing(mosquitto) as found,
    ):
        for number in range(100):
            board.receive(b"%d" % number)
        if killed:
            wait_until(lambda: len(found.packets) == 100 and service.buffer.waiting == 0)
            found.subscriber.synchronize()
            mosquitto.save()  # the subscription
            mosquitto.kill()
        else:
            wait_until(lambda: len(found.packets) >= 10)
            mosquitto.stop()
        wait_until(lambda: not service.sender.online)
        for number in range(100, 300):
            board.receive(b"%d" % number)
        wait_until(lambda: service.received == 300)
        assert service.buffer.waiting >= 200
        mosquitto.start()
        wait_until(lambda: len(found.by_id()) == 300)
        wait_until(lambda: service.buffer.waiting == 0)
    assert sorted(payloads(found)) == list(range(300))
    assert payloads(found)[-200:] == list(range(100, 300))


def test_packets_on_disk_are_sent_by_the_next_process(mosquitto: Mosquitto, tmp_path: Path) -> None:
    mosquitto.kill()
    with fake_gateway() as (board, url), serving(settings(tmp_path, url), mosquitto) as service:
        for number in range(50):
            board.receive(b"%d" % number)
        wait_until(lambda: service.received == 50)
    mosquitto.start()
    with (
        subscribing(mosquitto) as found,
        fake_gateway() as (board, url),
        serving(settings(tmp_path, url), mosquitto),
    ):
        board.receive(b"50")
        wait_until(lambda: len(found.packets) == 51)
    assert payloads(found) == list(range(51))
    assert len({packet.boot for packet in found.packets}) == 2


def test_port_that_disappears_is_waited_for(
    mosquitto: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        fake_gateway() as (board, url),
        serving(settings(tmp_path, url), mosquitto),
        subscribing(mosquitto) as found,
    ):
        board.receive(b"0")
        wait_until(lambda: len(found.packets) == 1)
        board.hang_up()
        wait_until(lambda: f"lost {url}" in caplog.text)
        board.receive(b"1")
        wait_until(lambda: len(found.packets) == 2)
    assert caplog.text.count("waiting for it to come back") == 1 and f"{url} is back" in caplog.text


def test_several_ports_are_several_gateways(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with ExitStack() as stack:
        boards = [stack.enter_context(fake_gateway()) for _ in range(2)]
        urls = [url for _, url in boards]
        stack.enter_context(serving(settings(tmp_path, *urls, unused_port()), mosquitto))
        found = stack.enter_context(subscribing(mosquitto))
        for board, _ in boards:
            board.receive(b"7")
        wait_until(lambda: len(found.packets) == 2)
    assert sorted((packet.gateway, packet.number) for packet in found.packets) == [("north-1", 0), ("north-2", 0)]


def test_counts_and_presence_are_retained(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with fake_gateway() as (board, url), serving(settings(tmp_path, url), mosquitto) as service:
        board.receive(b"7")
        board.receive(b"8")
        wait_until(lambda: service.received == 2)
        with listening(mosquitto, topics.online("gateway-home-north")) as listener:
            wait_until(lambda: listener.last(topics.online("gateway-home-north")) == b"online")
    with listening(mosquitto, "inkling/#") as listener:
        wait_until(lambda: listener.last(topics.online("gateway-home-north")) == b"offline")
        wait_until(lambda: listener.last(COUNTS))
        counts = json.loads(listener.last(COUNTS) or b"")
    assert (counts["received"], counts["waiting"], counts["dropped"], counts["unheard"]) == (2, 0, 0, 2)
    (line,) = counts["lines"]
    assert (line["port"], line["gateway"], line["packets"], line["lost"]) == (url, "north", 2, 0)


def test_boards_and_wrong_baud_rates_on_a_line_are_named_once(
    mosquitto: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with fake_gateway() as (board, url), serving(settings(tmp_path, url), mosquitto):
        for _ in range(5):
            board.say(bytes.fromhex("1acffc1d") + bytes(60))  # an undamaged sync word and the header of device 0
            board.say(b"U" * 600)
        wait_until(lambda: "no frame" in caplog.text and "frames of its own" in caplog.text)
    assert caplog.text.count("frames of its own") == 1 and caplog.text.count("check the baud rate (115200)") == 1


def test_forwarders_are_gateways(mosquitto: Mosquitto, tmp_path: Path) -> None:
    named = settings(tmp_path, ports=(), udp=("127.0.0.1", 0), forwarders={EUI.hex(): "roof"})
    with serving(named, mosquitto) as service, subscribing(mosquitto) as found:
        assert service.udp_port
        forwarders = [Forwarder(service.udp_port), Forwarder(service.udp_port, bytes(8))]
        for forwarder in forwarders:
            forwarder.pull()
            datagram = forwarder.send(received(b"one", stat=-1), received(b"two"))
            forwarder.exchange(datagram, 1)
            forwarder.throw(b"garbage")
            forwarder.send(stat={"rxnb": 2})
        wait_until(lambda: len(found.packets) == 4)
        counts = service.counts()["semtech"]
        for forwarder in forwarders:
            forwarder.close()
    assert [(packet.gateway, packet.number, packet.payload, packet.crc_ok) for packet in found.packets] == [
        (name, number, payload, number == 1)
        for name in ("roof", "0" * 16)
        for number, payload in enumerate((b"one", b"two"))
    ]
    assert counts["malformed"] == 2 and counts["duplicates"] >= 2
    assert counts["forwarders"][EUI.hex()] == {"gateway": "roof", "packets": 2, "damaged": 1}


def test_packet_is_on_disk_before_it_is_acknowledged(mosquitto: Mosquitto, tmp_path: Path) -> None:
    mosquitto.kill()
    with serving(settings(tmp_path, ports=(), udp=("127.0.0.1", 0)), mosquitto) as service:
        forwarder = Forwarder(service.udp_port or 0)
        for number in range(20):
            forwarder.send(received(b"%d" % number))
            assert service.buffer.waiting == number + 1
        forwarder.close()


def test_acknowledged_packets_alone_are_forgotten_by_the_broker(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A decoder that is killed leaves its packets to the next one of its name."""
    with fake_gateway() as (board, url), serving(settings(tmp_path, url), mosquitto):
        with subscribing(mosquitto, acknowledges=False) as first:
            for number in range(100):
                board.receive(b"%d" % number)
            wait_until(lambda: len(first.packets) == 100)
            first.subscriber.acknowledge(first.deliveries[:40])
            first.subscriber.synchronize()
        for number in range(100, 120):  # while no decoder runs
            board.receive(b"%d" % number)
        with subscribing(mosquitto) as second:
            wait_until(lambda: len(second.packets) == 80)
            second.subscriber.synchronize()
    assert payloads(second) == list(range(40, 120))
    with subscribing(mosquitto) as third:
        third.subscriber.synchronize()  # the broker sends what it has before that
    assert third.packets == []


def test_delivery_of_an_earlier_connection_acknowledges_nothing(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with fake_gateway() as (board, url), serving(settings(tmp_path, url), mosquitto):
        with subscribing(mosquitto, acknowledges=False) as found:
            board.receive(b"0")
            wait_until(lambda: len(found.packets) == 1)
            mosquitto.stop()
            mosquitto.start()
            wait_until(lambda: found.subscriber.connections == 2 and len(found.packets) == 2)
            assert found.deliveries[0] != found.deliveries[1]
            found.subscriber.acknowledge(found.deliveries[:1])
        with subscribing(mosquitto) as second:
            wait_until(lambda: len(second.packets) == 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda packet: b"no JSON",
        lambda packet: b"[" * 100_000,
        lambda packet: json.dumps({**packet.as_json(), "site": "other"}).encode(),
        lambda packet: json.dumps({**packet.as_json(), "payload": "?"}).encode(),
    ],
)
def test_what_is_no_packet_is_counted_and_dropped(
    mosquitto: Mosquitto, change: Callable[[GatewayPacket], bytes]
) -> None:
    packet = GatewayPacket("home", "north", "b00t", 3, 1.5, b"payload")
    with subscribing(mosquitto) as found, listening(mosquitto, "unused") as sender:
        sender.send(topics.packets("home", "north"), change(packet))
        sender.send(topics.packets("home", "north"), json.dumps(packet.as_json()).encode())
        wait_until(lambda: found.packets)
    assert (found.packets, found.subscriber.malformed) == ([packet], 1)


def test_address_in_use_is_reported(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with serving(settings(tmp_path, ports=(), udp=("127.0.0.1", 0)), mosquitto) as service:
        port = service.udp_port or 0
        with pytest.raises(HostError, match=f"cannot listen on UDP 127.0.0.1:{port}: Address already in use"):
            GatewayService(
                settings(tmp_path, ports=(), udp=("127.0.0.1", port), buffer=tmp_path / "other"),
                Broker.of(mosquitto.url),
            )


def test_settings_refuse_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="pass --port or --semtech-udp"):
        settings(tmp_path, ports=())
    with pytest.raises(HostError, match="two gateways would have one name: north, north"):
        settings(tmp_path, udp=("127.0.0.1", 0), forwarders={EUI.hex(): "north"})
    with pytest.raises(HostError, match="site 'a/b' is no name"):
        settings(tmp_path, site="a/b")


def test_push_data_of_both_versions_is_taken(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with (
        serving(settings(tmp_path, ports=(), udp=("127.0.0.1", 0)), mosquitto) as service,
        subscribing(mosquitto) as found,
    ):
        forwarder = Forwarder(service.udp_port or 0)
        for version in (1, 2):
            forwarder.exchange(push_data(received(b"%d" % version), version=version), 1)
        wait_until(lambda: len(found.packets) == 2)
        forwarder.close()
    assert payloads(found) == [1, 2]
