"""`inkling gateway` in this process, and a subscriber to its packets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from host.gateway.service import GatewayService, GatewaySettings
from host.gateway.subscriber import Delivery, Subscriber
from host.mqtt import topics
from host.mqtt.broker import Broker
from host.site.packets import GatewayPacket
from tests.support.mqtt.broker import WAIT_S, Mosquitto


def settings(folder: Path, *ports: str, **more: object) -> GatewaySettings:
    values = GatewaySettings("home", "north", folder / "buffer", 10_000_000, 3600.0, ports or ("loop://",))
    return replace(values, **more)  # type: ignore[arg-type]


@contextmanager
def serving(values: GatewaySettings, broker: Mosquitto) -> Iterator[GatewayService]:
    """Run a service."""
    service = GatewayService(values, Broker.of(broker.url))
    failures: list[BaseException] = []

    def run() -> None:
        try:
            service.run()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield service
    finally:
        service.stopped.set()
        thread.join(WAIT_S)
        assert not thread.is_alive() and failures == []


class Synchronous(Subscriber):
    """A subscriber that can wait until the broker has all its acknowledgements."""

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - those of Subscriber
        super().__init__(*arguments)
        self._asked, self._answered_sync = threading.Event(), threading.Event()

    def synchronize(self) -> None:
        """Send a message after the acknowledgements, and wait for its own."""
        self._answered_sync.clear()
        self._asked.set()
        self.wake()
        assert self._answered_sync.wait(WAIT_S)

    def _work(self) -> None:
        super()._work()
        if self._asked.is_set():
            self._asked.clear()
            self._sync = self._publish("synchronize", b"")

    def _acknowledged(self, number: int, reason: object) -> None:
        if number == getattr(self, "_sync", None):
            self._answered_sync.set()


class Received:
    """A subscriber that keeps packets, and acknowledges them at once or when it is told."""

    def __init__(self, broker: Mosquitto, client: str = "decode-0-of-1", acknowledges: bool = True) -> None:
        self.packets: list[GatewayPacket] = []
        self.deliveries: list[Delivery] = []
        self._acknowledges = acknowledges
        self.subscriber = Synchronous(Broker.of(broker.url), client, topics.packet_filters(), self._take)
        self.subscriber.start()
        assert self.subscriber.first_attempt(WAIT_S) is None

    def _take(self, packet: GatewayPacket, delivery: Delivery) -> None:
        self.packets.append(packet)
        self.deliveries.append(delivery)
        if self._acknowledges:
            self.subscriber.acknowledge([delivery])

    def by_id(self) -> dict[str, GatewayPacket]:
        """Return the packets, those delivered twice once; of these, all must be equal."""
        found: dict[str, GatewayPacket] = {}
        for packet in list(self.packets):
            assert found.setdefault(packet.id, packet) == packet
        return found


@contextmanager
def subscribing(broker: Mosquitto, **options: bool) -> Iterator[Received]:
    """Run such a subscriber."""
    found = Received(broker, **options)  # type: ignore[arg-type]
    try:
        yield found
    finally:
        found.subscriber.close(2.0)
