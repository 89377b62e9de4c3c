"""Packets from the broker, for a host that classifies: each stays at the broker until it is acknowledged."""

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from paho.mqtt.client import MQTTMessage

from host.errors import HostError
from host.mqtt import topics
from host.mqtt.broker import Broker
from host.mqtt.connection import Connection
from host.site.packets import GatewayPacket
from wire.checks import ContentError

log = logging.getLogger(__name__)

SESSION_S = 86400  # the broker keeps packets for a subscriber that is away for so long
# Packets that the broker sends ahead of their acknowledgement: those of one settle window, and more. The broker may
# have a lower limit of its own.
WINDOW = 2000


class Delivery(NamedTuple):
    """Names a packet to the broker, as long as the connection stands over which it arrived."""

    connection: int
    number: int


class AcknowledgedSubscriber(Connection):
    """Subscriber whose messages stay at the broker until they are acknowledged.

    Until then, the broker sends a message again after each reconnection, also to another process of this name.
    """

    def __init__(self, broker: Broker, client: str, filters: Iterable[str]) -> None:
        super().__init__(broker, client, subscriptions=tuple(filters), session_s=SESSION_S, window=WINDOW)
        self._done: deque[Delivery] = deque()
        self.malformed = 0

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """Let the broker forget messages. From any thread; deliveries of an earlier connection are ignored."""
        self._done.extend(deliveries)
        self.wake()

    def _delivery(self, message: MQTTMessage) -> Delivery:
        return Delivery(self.connections, message.mid)

    def _refuse(self, what: str, error: Exception) -> None:
        """Count a message that is not what it should be, and log the first one."""
        if not self.malformed:
            log.warning("a message on %s is no %s: %s", topics.ROOT, what, error)
        self.malformed += 1

    def _work(self) -> None:
        while self._done:
            delivery = self._done.popleft()
            if delivery.connection == self.connections:
                self._paho.ack(delivery.number, 1)

    def _has_work(self) -> bool:
        return bool(self._done)


class Subscriber(AcknowledgedSubscriber):
    """Receiver of the packets of some slots. Its name, with the broker's session, outlasts the process.

    on_packet gets each packet with its delivery, in the connection's thread. Acknowledge a delivery when nothing of the
    packet can be lost any more. A packet may arrive twice, with equal `id`. What is no packet is counted and dropped.

    filters: of the slots, from `topics.packet_filters`. A session keeps its filters: for other partitions, use another
    name.
    """

    def __init__(
        self, broker: Broker, client: str, filters: Iterable[str], on_packet: Callable[[GatewayPacket, Delivery], None]
    ) -> None:
        super().__init__(broker, client, filters)
        self._on_packet = on_packet

    def _received(self, message: MQTTMessage) -> None:
        delivery = self._delivery(message)
        try:
            packet = parse_message(message.topic, bytes(message.payload))
        except ContentError as error:
            self._refuse("packet", error)
            self._done.append(delivery)
            return
        self._on_packet(packet, delivery)


def parse_message(topic: str, payload: bytes) -> GatewayPacket:
    """Return the packet in a message. Raises ContentError if it is none, or not of the site and gateway of its topic.

    The broker's permissions are by topic, so that no gateway can speak for another site.
    """
    try:
        content = json.loads(payload.decode())
    except (ValueError, RecursionError) as error:
        raise ContentError(f"it is not JSON ({error})") from None
    packet = GatewayPacket.from_json(content)
    if topic != topics.packets(packet.site, packet.gateway):
        raise ContentError("its topic is not that of its site and gateway")
    try:  # a site's name becomes that of a file
        topics.check_name(packet.site, "site")
        topics.check_name(packet.gateway, "gateway")
    except HostError as error:
        raise ContentError(str(error)) from None
    return packet
