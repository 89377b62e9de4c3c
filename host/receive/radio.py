"""Feature and answer frames in a radio's packets (LoRa), from a radio at the host or from gateways on a serial line.

The radio finds and delimits packets, so they have no sync word.
"""

from collections.abc import Sequence

from host.receive.events import Event, ImageFrame, UnknownModel
from host.receive.frames import FrameParser
from host.receive.sources import Source
from wire.control import REPLY_BIT, Control, Opcode, Packet
from wire.frame import HEADER_BYTES, FrameType
from wire.model import Model

PACKET_COUNTS = 256  # a gateway numbers its packets modulo this


class PacketReceiver:
    """Receiver of a radio's packets, including those with a wrong CRC.

    The length of a packet is reliable (LoRa drops a packet whose own header is damaged): a packet as long as a header
    is an answer, and one whose length fits no chunk is foreign. Pass the `parser` of a StreamReceiver if the same
    devices can be heard there.
    """

    def __init__(self, models: Sequence[Model], parser: FrameParser | None = None) -> None:
        self._parser = parser or FrameParser(models)
        self.foreign = 0  # packets that are not a frame of a known model

    @property
    def sources(self) -> dict[tuple[int, str], Source]:
        """The senders, by device and model_id."""
        return self._parser.sources

    def take(self, packet: bytes, snr_db: float | None = None, rssi_dbm: float | None = None) -> Event | None:
        """Return the event in a packet, or None. `snr_db` and `rssi_dbm` are the radio's measurements, if any."""
        event = self._event(packet, snr_db, rssi_dbm) if len(packet) >= HEADER_BYTES else None
        self.foreign += not isinstance(event, ImageFrame)
        return event

    def _event(self, packet: bytes, snr_db: float | None, rssi_dbm: float | None) -> Event | None:
        match = self._parser.headers.decode_packet(packet[:HEADER_BYTES], len(packet))
        if match is None:
            return None
        if self._parser.headers.has_unknown_model(match.header):
            return UnknownModel(match.header)
        if match.header.type == FrameType.ANSWER:
            return self._parser.parse_answer(match, None, snr_db, rssi_dbm)
        model, clean = self._parser.find_model(packet, match.header, len(packet))
        if model is None:
            return None
        return self._parser.parse(packet, match, model, clean, None, snr_db, rssi_dbm)


class Gateways:
    """The gateways on one serial line: turns their control frames into the events of the radio packets inside.

    The restart of a gateway looks like losses, as that of a sender does. A repeated packet counts once.
    """

    def __init__(self, receiver: PacketReceiver) -> None:
        self._receiver = receiver
        self._last: dict[int, int] = {}  # number of the newest packet, by gateway
        self.packets = 0
        self.lost = 0  # between gateway and host, from the gaps in the numbers

    @property
    def foreign(self) -> int:
        """Packets that are not a frame of a known model."""
        return self._receiver.foreign

    def take(self, control: Control) -> Event | None:
        """Return the event in a PACKET; None for other control frames and for foreign or repeated packets."""
        if control.opcode != Opcode.PACKET | REPLY_BIT or len(control.data) < Packet.FORMAT.size:
            return None
        gateway = control.header.device
        last = self._last.get(gateway, control.request - 1)
        if last == control.request:
            return None
        self.lost += (control.request - last - 1) % PACKET_COUNTS
        self._last[gateway] = control.request
        self.packets += 1
        packet = Packet.unpack(control.data)
        return self._receiver.take(packet.payload, packet.snr_db, packet.rssi_dbm)
