"""Semtech's packet forwarder protocol over UDP, versions 1 and 2: the uplink, without downlink.

PROTOCOL.TXT of github.com/Lora-net/packet_forwarder describes it. A forwarder hands over packets with a wrong CRC only
if it is set to (docs/mqtt.md).
"""

import base64
import binascii
import hashlib
import json
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from wire.checks import is_int
from wire.lora import MAX_PACKET_BYTES

VERSIONS = (1, 2)
PUSH_DATA, PUSH_ACK, PULL_DATA, PULL_ACK, TX_ACK = 0, 1, 2, 4, 5
START_BYTES, EUI_BYTES = 4, 8  # version, token, identifier; then the forwarder's EUI
CRC_STATES = {1: True, -1: False, 0: None}
MAX_FORWARDERS = 64
REMEMBERED = 256  # datagrams of each forwarder, to recognize repetitions
# A forwarder with a GPS receiver knows the time better than this machine; one whose clock is wrong does not.
MAX_CLOCK_ERROR_S = 60.0


@dataclass(frozen=True)
class ForwardedPacket:
    """A radio packet as a forwarder handed it over."""

    eui: str  # of the forwarder, 16 hex digits
    time: float  # Unix time in seconds
    payload: bytes
    crc_ok: bool | None  # None: the packet has no CRC
    snr_db: float | None
    rssi_dbm: float | None


@dataclass
class Forwarder:
    """Counts of one packet forwarder."""

    packets: int = 0
    damaged: int = 0  # of them, with a wrong CRC
    _datagrams: OrderedDict[bytes, None] = field(default_factory=OrderedDict, repr=False)  # digests of the newest ones

    def is_new(self, datagram: bytes) -> bool:
        """Return False for a datagram that the network has delivered already.

        It is equal byte by byte: its token is random, and its packets have the times of their reception.
        """
        digest = hashlib.blake2b(datagram, digest_size=16).digest()
        if digest in self._datagrams:
            return False
        self._datagrams[digest] = None
        if len(self._datagrams) > REMEMBERED:
            self._datagrams.popitem(last=False)
        return True


class SemtechServer:
    """The server's side of the protocol, from datagram to packets and acknowledgement. Does no input or output.

    At most MAX_FORWARDERS are remembered. Anything may arrive: what is malformed is counted.
    """

    def __init__(self) -> None:
        self.forwarders: OrderedDict[str, Forwarder] = OrderedDict()  # by EUI; the one heard last is the last
        self.datagrams = 0
        self.malformed = 0  # datagrams, or single packets in one
        self.duplicates = 0  # datagrams
        self.other_radio = 0  # packets that are not LoRa

    def take(self, datagram: bytes, now: float) -> tuple[list[ForwardedPacket], bytes | None]:
        """Return the packets in a datagram, and its acknowledgement, if it has one. now: Unix time in seconds."""
        self.datagrams += 1
        kind = datagram[3] if len(datagram) >= START_BYTES and datagram[0] in VERSIONS else None
        if kind == TX_ACK:  # of a downlink, which is not ours
            return [], None
        if kind not in (PUSH_DATA, PULL_DATA) or len(datagram) < START_BYTES + EUI_BYTES:
            self.malformed += 1
            return [], None
        forwarder = self._forwarder(datagram[START_BYTES : START_BYTES + EUI_BYTES].hex())
        if kind == PULL_DATA:
            return [], datagram[:3] + bytes((PULL_ACK,))
        acknowledgement = datagram[:3] + bytes((PUSH_ACK,))
        if not forwarder.is_new(datagram):
            self.duplicates += 1
            return [], acknowledgement
        return self._packets(datagram, forwarder, now), acknowledgement

    def _forwarder(self, eui: str) -> Forwarder:
        forwarder = self.forwarders.setdefault(eui, Forwarder())
        self.forwarders.move_to_end(eui)
        if len(self.forwarders) > MAX_FORWARDERS:
            self.forwarders.popitem(last=False)
        return forwarder

    def _packets(self, datagram: bytes, forwarder: Forwarder, now: float) -> list[ForwardedPacket]:
        try:
            content = json.loads(datagram[START_BYTES + EUI_BYTES :].decode())
            received = content.get("rxpk", [])
            entries = [*received] if isinstance(received, list) else [None]
        except (ValueError, RecursionError, AttributeError):  # not JSON, endless nesting, no object
            self.malformed += 1
            return []
        packets = []
        for entry in entries:
            if isinstance(entry, dict) and entry.get("modu", "LORA") != "LORA":
                self.other_radio += 1
            elif packet := _packet(datagram[START_BYTES : START_BYTES + EUI_BYTES].hex(), entry, now):
                packets.append(packet)
            else:
                self.malformed += 1
        forwarder.packets += len(packets)
        forwarder.damaged += sum(packet.crc_ok is False for packet in packets)
        return packets


def _packet(eui: str, entry: Any, now: float) -> ForwardedPacket | None:  # noqa: ANN401 - whatever JSON holds
    """Return the packet in an element of `rxpk`; None if it is malformed."""
    if not isinstance(entry, dict) or not isinstance(entry.get("data"), str):
        return None
    data, state = entry["data"], entry.get("stat", 0)
    try:
        payload = base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    if not is_int(state) or state not in CRC_STATES or len(payload) > MAX_PACKET_BYTES:
        return None
    if entry.get("size", len(payload)) != len(payload):
        return None
    crc_ok = CRC_STATES[state]
    return ForwardedPacket(
        eui, _time(entry.get("time"), now), payload, crc_ok, _number(entry.get("lsnr")), _number(entry.get("rssi"))
    )


def _number(value: object) -> float | None:
    """Return a measurement in dB or dBm; None if it is none."""
    if not (is_int(value) or isinstance(value, float)) or not -1000 < value < 1000:
        return None
    return float(value) if math.isfinite(value) else None


def _time(text: object, now: float) -> float:
    """Return the time of reception by the forwarder, if it is credible, else `now`."""
    try:
        given = datetime.fromisoformat(text if isinstance(text, str) else "")
        seconds = (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return now
    return seconds if abs(seconds - now) <= MAX_CLOCK_ERROR_S else now
