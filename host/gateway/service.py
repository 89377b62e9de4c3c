"""`inkling gateway`: packets of lines and forwarders to a buffer on disk, and from there to a broker."""

import json
import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host.errors import HostError
from host.gateway.buffer import PacketBuffer
from host.gateway.line import LineReader
from host.gateway.semtech import ForwardedPacket, SemtechServer
from host.mqtt import topics
from host.mqtt.broker import Broker
from host.mqtt.sender import MemoryOutbox, Sender
from host.site.packets import GatewayPacket
from wire import BAUD
from wire.control import Packet

log = logging.getLogger(__name__)

COUNTS_S = 60.0
FLUSH_S = 2.0  # at the end, for what the broker can still take; the rest stays on disk
POLL_S = 0.1
MAX_DATAGRAM_BYTES = 1 << 16
UDP_BUFFER_BYTES = 1 << 20  # several hundred datagrams, while the disk is slow


@dataclass(frozen=True)
class GatewaySettings:
    """Settings of `inkling gateway`."""

    site: str
    name: str
    buffer: Path
    buffer_bytes: int
    buffer_s: float
    ports: Sequence[str] = ()
    baud: int = BAUD
    dtr_rts: bool = True
    udp: tuple[str, int] | None = None  # address to listen on for Semtech packet forwarders
    forwarders: Mapping[str, str] = field(default_factory=dict)  # name by EUI of 16 lower-case hex digits

    def __post_init__(self) -> None:
        topics.check_name(self.site, "site")
        topics.check_name(self.name, "name")
        for name in self.forwarders.values():
            topics.check_name(name, "forwarder")
        names = [*self.line_names, *self.forwarders.values()]
        if len(set(names)) < len(names):
            raise HostError(f"two gateways would have one name: {', '.join(sorted(names))}")
        if not self.ports and self.udp is None:
            raise HostError("nothing to receive from: pass --port or --semtech-udp")

    @property
    def client(self) -> str:
        """The name of this process at the broker."""
        return f"gateway-{self.site}-{self.name}"

    @property
    def line_names(self) -> list[str]:
        """The names of the gateways on the ports."""
        return [self.name] if len(self.ports) == 1 else [f"{self.name}-{n}" for n in range(1, len(self.ports) + 1)]


class GatewayService:
    """All that one process of `inkling gateway` does. Raises HostError if the buffer or the address is in use."""

    def __init__(self, settings: GatewaySettings, broker: Broker) -> None:
        self.settings = settings
        self.stopped = threading.Event()
        self._socket = bind(settings.udp) if settings.udp else None
        self.buffer = PacketBuffer(settings.buffer, settings.buffer_bytes, settings.buffer_s)
        self._states = MemoryOutbox(most=1)
        self.sender = Sender(broker, settings.client, [self._states, self.buffer])
        self.received = 0
        self._boot = secrets.token_hex(8)
        self._numbers: dict[str, int] = {}  # of the next packet, by gateway
        self._lock = threading.Lock()  # of these
        self._started = time.monotonic()
        self._semtech = SemtechServer()
        self._failure: BaseException | None = None
        self.lines = [
            LineReader(url, self._line_taker(name), self.stopped, settings.baud, settings.dtr_rts)
            for url, name in zip(settings.ports, settings.line_names, strict=True)
        ]

    @property
    def udp_port(self) -> int | None:
        """The port on which packet forwarders are heard."""
        return self._socket.getsockname()[1] if self._socket else None

    def run(self) -> None:
        """Receive and send until `stopped`, then send what can be sent. Raises HostError as LineReader.run does."""
        work = [line.run for line in self.lines] + ([self._listen] if self._socket else [])
        threads = [threading.Thread(target=self._guard, args=(one,), daemon=True) for one in work]
        self.sender.start()
        for thread in threads:
            thread.start()
        due = 0.0
        while not self.stopped.wait(POLL_S) and self.sender.alive:
            if time.monotonic() >= due:
                due = time.monotonic() + COUNTS_S
                self._post_counts()
        if not self.stopped.is_set():
            self._failure = HostError("the connection to the broker ended by a fault of this program, shown above")
        self.stopped.set()
        for thread in threads:
            thread.join(1.0)  # one that opens a port may be blocked
        self._post_counts()
        self.close(FLUSH_S)
        if self._failure:
            raise self._failure

    def close(self, flush_s: float = 0.0) -> None:
        """Send what can be sent in this time, and let go of broker, file and address."""
        self.sender.close(flush_s)
        self.buffer.close()
        if self._socket:
            self._socket.close()

    def summary(self) -> str:
        """Return one line on everything received."""
        dropped = self.buffer.dropped + self.buffer.not_stored
        lost = sum(reader.line.lost for reader in self.lines)
        return (
            f"{self.received} packets received, {self.buffer.waiting} wait on disk"
            f"{f', {dropped} dropped' if dropped else ''}"
            f"{f', {lost} lost between board and this machine' if lost else ''}"
        )

    def counts(self) -> dict[str, Any]:
        """Return what is published each minute (docs/mqtt.md)."""
        now = time.monotonic()
        return {
            "kind": "gateway",
            "site": self.settings.site,
            "gateway": self.settings.name,
            "client": self.settings.client,
            "time": round(time.time(), 3),
            "uptime_s": round(now - self._started),
            "received": self.received,
            "waiting": self.buffer.waiting,
            "dropped": self.buffer.dropped,
            "not_stored": self.buffer.not_stored,
            "refused": self.sender.refused,
            "unheard": self.sender.unheard,
            "connections": self.sender.connections,
            "lines": [
                {
                    "port": reader.url,
                    "gateway": name,
                    "connected": reader.state.connected,
                    "silent_s": None if reader.state.heard is None else round(now - reader.state.heard),
                    "packets": reader.line.packets,
                    "lost": reader.line.lost,
                    "board_frames": reader.line.board_frames,
                    "garbage_bytes": reader.line.garbage_bytes,
                    "errors": reader.line.errors,
                }
                for reader, name in zip(self.lines, self.settings.line_names, strict=True)
            ],
            "semtech": {
                "datagrams": self._semtech.datagrams,
                "malformed": self._semtech.malformed,
                "duplicates": self._semtech.duplicates,
                "other_radio": self._semtech.other_radio,
                "forwarders": {
                    eui: {"gateway": self._forwarder_name(eui), "packets": one.packets, "damaged": one.damaged}
                    for eui, one in list(self._semtech.forwarders.items())
                },
            }
            if self._socket
            else None,
        }

    def _guard(self, work: Callable[[], None]) -> None:
        """Run the work of a thread; a failure ends the service."""
        try:
            work()
        except BaseException as error:  # raised again by `run`
            self._failure = self._failure or error
            self.stopped.set()

    def _line_taker(self, name: str) -> Callable[[list[Packet], float], None]:
        def take(packets: list[Packet], now: float) -> None:
            self._add(
                [
                    self._packet(name, now, packet.payload, packet.crc_ok, packet.snr_db, packet.rssi_dbm)
                    for packet in packets
                ]
            )

        return take

    def _listen(self) -> None:
        """Receive datagrams until stopped. A packet is on disk before its datagram is acknowledged."""
        assert self._socket
        self._socket.settimeout(POLL_S)
        while not self.stopped.is_set():
            try:
                datagram, sender = self._socket.recvfrom(MAX_DATAGRAM_BYTES)
                packets, acknowledgement = self._semtech.take(datagram, time.time())
                if packets:
                    self._add([self._forwarded(packet) for packet in packets])
                if acknowledgement:
                    self._socket.sendto(acknowledgement, sender)
            except TimeoutError:
                pass
            except OSError as error:  # of the acknowledgement: the network, or a forged sender
                log.debug("%s", error)

    def _forwarder_name(self, eui: str) -> str:
        return self.settings.forwarders.get(eui, eui)

    def _forwarded(self, one: ForwardedPacket) -> GatewayPacket:
        name = self._forwarder_name(one.eui)
        return self._packet(name, one.time, one.payload, one.crc_ok, one.snr_db, one.rssi_dbm)

    def _packet(
        self,
        gateway: str,
        now: float,
        payload: bytes,
        crc_ok: bool | None,
        snr_db: float | None,
        rssi_dbm: float | None,
    ) -> GatewayPacket:
        with self._lock:
            number = self._numbers.get(gateway, 0)
            self._numbers[gateway] = number + 1
        return GatewayPacket(
            self.settings.site, gateway, self._boot, number, round(now, 6), payload, crc_ok, snr_db, rssi_dbm
        )

    def _add(self, packets: list[GatewayPacket]) -> None:
        self.buffer.add(packets)
        with self._lock:
            self.received += len(packets)
        self.sender.wake()

    def _post_counts(self) -> None:
        topic = topics.gateway_counts(self.settings.site, self.settings.name)
        self._states.put(topic, json.dumps(self.counts()).encode(), retain=True)
        self.sender.wake()


def bind(address: tuple[str, int]) -> socket.socket:
    """Return a UDP socket on an address. Raises HostError if that is impossible."""
    host, port = address
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER_BYTES)
            listener.bind(place)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise HostError(f"cannot listen on UDP {host}:{port}: {error.strerror}") from None
    return listener
