"""Inputs of a site: threads that read serial ports, and packets of gateways from a broker."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from host.board.port_reader import PortEvents, PortReader, PortState
from host.errors import HostError
from host.gateway.subscriber import Delivery, Subscriber
from host.mqtt import topics
from host.mqtt.broker import Broker
from host.site.packets import GatewayPacket
from wire import BAUD

# A port that is open and silent for so long is reported as quiet: a board with a camera may rightly send nothing.
QUIET_NOTE_S = 600.0


class InputState(PortState):
    """What is known of an input, a port or another one: whether it is there, and when it was heard last."""

    def as_json(self, now: float) -> dict[str, object]:
        """Return name, state (open, quiet or lost), and a text for people. now: by time.monotonic()."""
        if not self.connected:
            return {"name": self.name, "state": "lost", "text": self.problem or "not open yet"}
        if self.heard is None:
            return {"name": self.name, "state": "quiet", "text": "open, nothing heard yet"}
        silence = now - self.heard
        state = "quiet" if silence >= QUIET_NOTE_S else "open"
        return {"name": self.name, "state": state, "text": f"last heard {silence:.0f} s ago"}


class PortInput(threading.Thread):
    """Thread that reads a port until `stopped`. `state` is current."""

    def __init__(
        self, url: str, events: PortEvents, stopped: threading.Event, baud: int = BAUD, dtr_rts: bool = True
    ) -> None:
        super().__init__(name=f"port {url}", daemon=True)
        self.state = InputState(url)
        self._events = events
        self._reader = PortReader(self.state, events, stopped, baud, dtr_rts)

    def run(self) -> None:
        """Read until stopped."""
        try:
            self._reader.run()
        except HostError as error:  # no port has such a name: waiting will not help
            self.state.problem = str(error)
            self._events.lost(str(error))


class BrokerInput:
    """Packets that gateways of a site publish. They stay at the broker until `settled`."""

    def __init__(self, site: str, broker: Broker, on_packet: Callable[[GatewayPacket], None]) -> None:
        self.state = InputState(f"gateways of {site} over MQTT")
        self._on_packet = on_packet
        self._deliveries: defaultdict[str, list[Delivery]] = defaultdict(list)  # by packet id
        self._lock = threading.Lock()
        self.subscriber = Subscriber(broker, f"serve-{site}-in", [topics.packets(site, "+")], self._take)

    def settled(self, ids: Iterable[str]) -> None:
        """Let the broker forget packets."""
        with self._lock:
            done = [delivery for one in ids for delivery in self._deliveries.pop(one, [])]
        if done:
            self.subscriber.acknowledge(done)

    def check(self) -> None:
        """Bring `state` up to date."""
        self.state.connected, self.state.problem = self.subscriber.online, self.subscriber.problem or ""

    def _take(self, packet: GatewayPacket, delivery: Delivery) -> None:
        self.state.heard = time.monotonic()
        with self._lock:
            self._deliveries[packet.id].append(delivery)
        self._on_packet(packet)
