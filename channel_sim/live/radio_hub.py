"""Simulated air: radios connect over TCP, and each packet reaches the others through a LoRa channel.

Messages are big-endian and begin with a letter:

    station -> hub  H  device 1, frequency Hz 4, bandwidth Hz 4, spreading factor 1, coding rate 1, preamble symbols 2,
                       bytes of every packet with implicit header, else 0: 1, sync word 1
                    S  length 1, packet: send it, and stop listening
                    L  listen
                    Z  stop listening
    hub -> station  Y  answer to H: settings accepted
                    N  length 1, text: settings rejected
                    D  answer to S: packet sent
                    R  CRC correct 1, RSSI in quarters of a dBm 2, SNR in quarters of a dB 2, length 1, packet

Packets do not collide. A station receives a packet if it listens before the packet ends.
"""

import contextlib
import copy
import heapq
import selectors
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from channel_sim.channels.channel import ChannelError
from channel_sim.channels.lora import LoRa
from channel_sim.live.background import Background
from wire.frame import HEADER_BYTES
from wire.replies.status import parse_status_packet
from wire.secure.frames import TAGGED_HEADER_BYTES

HELLO = struct.Struct(">BIIBBHBB")
RECEIVED = struct.Struct(">cBhhB")
READ_BYTES = 1 << 16
# A station that does not read misses packets beyond this.
MAX_UNREAD_BYTES = 1 << 16
OnReception = Callable[[int, int, bytes, bytes], None]


@dataclass
class Counts:
    """Counts of the packets of one device. Receptions count once per packet and listening station."""

    sent: int = 0
    answers: int = 0  # among those sent: packets that are a header, and perhaps its tag
    statuses: int = 0  # among those sent: status frames
    clean: int = 0  # the CRC of the radio was correct
    damaged: int = 0  # the CRC was wrong; the payload was handed over
    lost: int = 0  # the header of the radio was damaged
    air_s: float = 0.0


@dataclass
class _Station:
    """A connected radio and its settings."""

    line: socket.socket
    device: int = 0
    tuned: tuple = ()  # stations hear each other if these are equal
    implicit_bytes: int = 0
    preamble_symbols: int = 8
    listens: bool = False
    received: bytearray = field(default_factory=bytearray)
    unread: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True)
class _Packet:
    """A packet on the air; `number` counts the packets of its sender."""

    sender: _Station
    number: int
    tuned: tuple
    payload: bytes


class RadioHub(Background):
    """A hub that simulates the air. `with RadioHub(LoRa(-9.0)) as hub:` runs it in a thread, on `hub.port`.

    channel: stations must use its spreading factor, coding rate, bandwidth and header mode. snr_db: SNR of the packets
    of some devices, in place of that of the channel. fast: packets take no time. The damage of the n-th packet of a
    device at another device depends only on the seed and these numbers. on_reception is called in the hub's thread for
    each packet that a station gets: with the devices of sender and receiver, the packet as sent, and as received.

    Raises OSError if the port is in use, ChannelError for a negative seed.
    """

    def __init__(
        self,
        channel: LoRa,
        seed: int = 0,
        port: int = 0,
        snr_db: Mapping[int, float] | None = None,
        fast: bool = False,
        on_reception: OnReception = lambda sender, receiver, sent, received: None,
    ) -> None:
        if seed < 0:
            raise ChannelError(f"the seed must be at least 0, got {seed}")
        self._channel, self._seed, self._fast = channel, seed, fast
        self._on_reception = on_reception
        self._snr_db = dict(snr_db or {})
        self._devices: dict[int, Counts] = {}
        self._due: list[tuple[float, int, _Packet]] = []  # packets on the air, by their end
        self._order = 0  # of packets that end at the same time
        self._stations: list[_Station] = []
        self._server = socket.create_server(("127.0.0.1", port))
        self._server.setblocking(False)
        self.port: int = self._server.getsockname()[1]
        super().__init__()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)

    @property
    def devices(self) -> dict[int, Counts]:
        """Counts per device so far."""
        return dict(sorted(self._devices.items()))

    def close(self) -> None:
        """Disconnect all stations."""
        for station in self._stations:
            station.line.close()
        self._selector.close()
        self._server.close()
        super().close()

    def run(self) -> None:
        """Deliver packets until `stop` is called."""
        while True:
            timeout = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, events in self._selector.select(timeout):
                if key.fileobj is self._wake:
                    return
                if key.fileobj is self._server:
                    self._accept()
                else:
                    self._serve(key.data, events)
            while self._due and self._due[0][0] <= time.monotonic():
                self._arrive(heapq.heappop(self._due)[-1])

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            line, _ = self._server.accept()
            line.setblocking(False)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            station = _Station(line)
            self._stations.append(station)
            self._selector.register(line, selectors.EVENT_READ, station)

    def _serve(self, station: _Station, events: int) -> None:
        """Read and write without waiting; remove a station that has disconnected or sent an invalid message."""
        try:
            if events & selectors.EVENT_WRITE:
                del station.unread[: station.line.send(station.unread)]
            if events & selectors.EVENT_READ:
                data = station.line.recv(READ_BYTES)
                if not data:
                    raise ConnectionError
                station.received += data
                while self._handle(station):
                    pass
        except BlockingIOError:
            pass
        except (OSError, ValueError):
            self._stations.remove(station)
            self._selector.unregister(station.line)
            station.line.close()
            return
        self._watch(station)

    def _handle(self, station: _Station) -> bool:
        """Handle the first complete message. Return False if there is none. Raises ChannelError if it is invalid."""
        received = station.received
        letter, size = received[:1], 1
        if letter == b"H":
            size += HELLO.size
        elif letter == b"S":
            size += 1 + (received[1] if len(received) > 1 else 1)
        elif letter not in (b"L", b"Z", b""):
            raise ChannelError("unknown message")
        if len(received) < size or not received:
            return False
        body = bytes(received[1:size])
        del received[:size]
        if letter == b"H":
            self._tune(station, *HELLO.unpack(body))
        elif letter == b"S":
            self._send(station, body[1:])
        else:
            station.listens = letter == b"L"
        return True

    def _tune(
        self, station: _Station, device: int, frequency_hz: int, bandwidth_hz: int, sf: int, coding_rate: int,
        preamble_symbols: int, implicit_bytes: int, sync_word: int,
    ) -> None:  # fmt: skip
        channel = self._channel
        hub_settings = _settings(channel.sf, channel.coding_rate, channel.bandwidth_hz, channel.explicit_header)
        radio_settings = _settings(sf, coding_rate, bandwidth_hz, not implicit_bytes)
        station.listens, station.device = False, device
        station.implicit_bytes, station.preamble_symbols = implicit_bytes, max(6, preamble_symbols)
        station.tuned = (frequency_hz, sync_word, implicit_bytes) if hub_settings == radio_settings else ()
        if hub_settings == radio_settings:
            self._queue(station, b"Y")
        else:
            text = f"the simulated air uses {hub_settings}, the radio {radio_settings}".encode()
            self._queue(station, b"N" + bytes((len(text),)) + text)

    def _send(self, station: _Station, packet: bytes) -> None:
        if not (station.tuned and packet and station.implicit_bytes in (0, len(packet))):
            raise ChannelError("the radio cannot send this packet")
        station.listens = False
        air_s = self._tuned_channel(station).air_time_s(len(packet))
        counts = self._devices.setdefault(station.device, Counts())
        counts.sent += 1
        counts.answers += len(packet) in (HEADER_BYTES, TAGGED_HEADER_BYTES)
        counts.statuses += parse_status_packet(packet) is not None
        counts.air_s += air_s
        self._order += 1
        on_air = _Packet(station, counts.sent, station.tuned, packet)
        heapq.heappush(self._due, (time.monotonic() + air_s * (not self._fast), self._order, on_air))

    def _tuned_channel(self, sender: _Station) -> LoRa:
        """Return the channel for the packets of this sender."""
        channel = copy.copy(self._channel)
        channel.preamble_symbols = sender.preamble_symbols
        channel.snr_db = np.asarray(self._snr_db.get(sender.device, channel.snr_db), np.float64)
        return channel

    def _arrive(self, packet: _Packet) -> None:
        """Deliver a packet that has ended to all listening stations, each with its own noise."""
        sender, counts = packet.sender, self._devices[packet.sender.device]
        for station in self._stations:
            if not station.listens or station.tuned != packet.tuned:
                continue
            rng = np.random.default_rng([self._seed, sender.device, packet.number, station.device])
            reception = self._tuned_channel(sender).receive(packet.payload, rng)
            if reception is None:
                counts.lost += 1
                continue
            counts.clean += reception.crc_ok
            counts.damaged += not reception.crc_ok
            quarters = round(4 * reception.rssi_dbm), round(4 * reception.snr_db)
            head = RECEIVED.pack(b"R", reception.crc_ok, *quarters, len(reception.payload))
            if self._queue(station, head + reception.payload):
                self._on_reception(sender.device, station.device, packet.payload, reception.payload)
        if sender in self._stations:
            self._queue(sender, b"D")

    def _queue(self, station: _Station, message: bytes) -> bool:
        """Return False if the station has too much to read already."""
        if len(station.unread) >= MAX_UNREAD_BYTES:
            return False
        station.unread += message
        self._watch(station)
        return True

    def _watch(self, station: _Station) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if station.unread else 0)
        self._selector.modify(station.line, events, station)


def _settings(sf: int, coding_rate: int, bandwidth_hz: float, explicit_header: bool) -> str:
    header = "explicit" if explicit_header else "implicit"
    return f"SF{sf}, 4/{coding_rate}, {bandwidth_hz / 1e3:g} kHz, {header} header"
