"""Inputs of a site: threads that read serial ports, and packets of gateways from a broker."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from host.board.port import Port
from host.errors import HostError, PortError
from host.gateway.subscriber import Delivery, Subscriber
from host.mqtt import topics
from host.mqtt.broker import Broker
from host.site.packets import GatewayPacket
from wire import BAUD
from wire.frame import QUIET_S

RETRY_S = 1.0
POLL_S = 0.1
# A port that is open and silent for so long is reported as quiet: a board with a camera may rightly send nothing.
QUIET_NOTE_S = 600.0


@dataclass
class InputState:
    """What is known of an input: whether it is there, and when it was heard last."""

    name: str
    connected: bool = False
    heard: float | None = None  # when something arrived last, by time.monotonic()
    problem: str = ""  # why it is not connected

    def as_json(self, now: float) -> dict[str, object]:
        """Return name, state (open, quiet or lost), and a text for people. now: by time.monotonic()."""
        if not self.connected:
            return {"name": self.name, "state": "lost", "text": self.problem or "not open yet"}
        if self.heard is None:
            return {"name": self.name, "state": "quiet", "text": "open, nothing heard yet"}
        silence = now - self.heard
        state = "quiet" if silence >= QUIET_NOTE_S else "open"
        return {"name": self.name, "state": state, "text": f"last heard {silence:.0f} s ago"}


@dataclass(frozen=True)
class PortEvents:
    """What a PortReader calls, in its thread: `data` with b"" after a silence, `lost` with the reason, `found`."""

    data: Callable[[bytes], None]
    lost: Callable[[str], None]
    found: Callable[[], None]


class PortReader(threading.Thread):
    """Reader of one port, which waits for it while it is missing."""

    def __init__(
        self, url: str, events: PortEvents, stopped: threading.Event, baud: int = BAUD, dtr_rts: bool = True
    ) -> None:
        super().__init__(name=f"port {url}", daemon=True)
        self.state = InputState(url)
        self._events, self._stopped = events, stopped
        self._url, self._baud, self._dtr_rts = url, baud, dtr_rts

    def run(self) -> None:
        """Read until stopped."""
        while not self._stopped.is_set():
            try:
                with Port(self._url, self._baud, self._dtr_rts) as port:
                    self.state.connected = True
                    if self.state.problem:
                        self.state.problem = ""
                        self._events.found()
                    self._read(port)
            except HostError as error:
                self.state.connected = False
                if self.state.problem != str(error):
                    self.state.problem = str(error)
                    self._events.lost(str(error))
                if not isinstance(error, PortError):  # no port has such a name: waiting will not help
                    return
                self._stopped.wait(RETRY_S)

    def _read(self, port: Port) -> None:
        last, flushed = time.monotonic(), True
        while not self._stopped.is_set():
            data = port.read(POLL_S)
            now = time.monotonic()
            if data:
                self.state.heard = last = now
                self._events.data(data)
                flushed = False
            elif not flushed and now - last >= QUIET_S:
                self._events.data(b"")
                flushed = True


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
