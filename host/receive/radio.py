"""Frames in a radio's packets (LoRa), from a radio at the host or from gateways on a serial line.

The radio finds and delimits packets, so they have no sync word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from host.keys.policy import DevicePolicy
from host.receive.clash import ClashDetector
from host.receive.events import ControlFrame, Event, ImageFrame, Refused, UnknownModel
from host.receive.frames import FrameParser
from host.receive.sources import Source
from wire.control import REPLY_BIT, Control, Opcode, Packet
from wire.frame import HEADER_BYTES, FrameType, Header
from wire.model import Model
from wire.replies.status import parse_status_packet

PACKET_COUNTS = 256  # a gateway numbers its packets modulo this


class PacketReceiver:
    """Receiver of a radio's packets, including those with a wrong CRC.

    The length of a packet is reliable (LoRa drops a packet whose own header is damaged): a packet as long as a header
    is an answer, one with the header of a reply is a status frame, and another one whose length fits no chunk is
    foreign. Pass the `parser` of a StreamReceiver if the same devices can be heard there, else the policies of devices
    with a key: of these, only secured frames are accepted.
    """

    def __init__(
        self,
        models: Sequence[Model],
        parser: FrameParser | None = None,
        policies: Mapping[int, DevicePolicy] | None = None,
    ) -> None:
        self._parser = parser or FrameParser(models, policies=policies)
        self.foreign = 0  # packets that are not a frame of a known model
        self.damaged_statuses = 0  # packets with the header of a status frame, whose CRC-32 is wrong

    @property
    def sources(self) -> dict[tuple[int, str], Source]:
        """The senders, by device and model_id."""
        return self._parser.sources

    def take(self, packet: bytes, snr_db: float | None = None, rssi_dbm: float | None = None) -> Event | None:
        """Return the event in a packet, or None. `snr_db` and `rssi_dbm` are the radio's measurements, if any."""
        damaged = self.damaged_statuses
        event = self._event(packet, snr_db, rssi_dbm) if len(packet) >= HEADER_BYTES else None
        self.foreign += not isinstance(event, ImageFrame | ControlFrame | Refused) and self.damaged_statuses == damaged
        return event

    def _event(self, packet: bytes, snr_db: float | None, rssi_dbm: float | None) -> Event | None:
        match = self._parser.decode_packet(packet)
        if match is None:
            return None
        if match.header.type == FrameType.REPLY:
            return self._status(packet, match.header, snr_db, rssi_dbm)
        if self._parser.headers.has_unknown_model(match.header):
            return UnknownModel(match.header)
        if refusal := self._parser.gate.refusal(match):
            return Refused(match.header.device, refusal)
        if match.header.type == FrameType.ANSWER:
            return self._parser.parse_answer(match, None, snr_db, rssi_dbm)
        model, clean = self._parser.find_model(packet, match, len(packet))
        if model is None:
            return None
        return self._parser.parse(packet, match, model, clean, None, snr_db, rssi_dbm)

    def _status(
        self, packet: bytes, header: Header, snr_db: float | None, rssi_dbm: float | None
    ) -> ControlFrame | None:
        """Return the event for a status frame, whose header is corrected; None, and count it, if it is damaged."""
        control = parse_status_packet(header.encode() + packet[HEADER_BYTES:])
        if control is None:
            self.damaged_statuses += 1
            return None
        return self._parser.control_event(control, snr_db, rssi_dbm)


class PacketUnpacker:
    """The gateways on one serial line: unpacks their control frames, and counts what is lost on the line.

    The restart of a gateway looks like losses, as that of a sender does. A repeated packet counts once. Two gateways
    with one number look like many losses, and the number is then in `clashing`.
    """

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, bytes]] = {}  # number and data of the newest packet, by gateway
        self._boards: dict[int, ClashDetector] = {}  # by gateway
        self.packets = 0
        self.lost = 0  # between gateway and host, from the gaps in the numbers

    @property
    def clashing(self) -> set[int]:
        """The numbers that two gateways seem to have."""
        return {gateway for gateway, boards in self._boards.items() if boards.found}

    def unpack(self, control: Control) -> Packet | None:
        """Return the radio packet in a PACKET; None for other control frames and for repeated packets."""
        if control.opcode != Opcode.PACKET | REPLY_BIT or len(control.data) < Packet.FORMAT.size:
            return None
        gateway = control.header.device
        last, data = self._last.get(gateway, (control.request - 1, b""))
        if (last, data) == (control.request, control.data):
            return None
        # An equal number of another packet is a second gateway's, or a restarted one's.
        self.lost += (control.request - last - 1) % PACKET_COUNTS if control.request != last else 0
        self._last[gateway] = control.request, control.data
        self._boards.setdefault(gateway, ClashDetector(PACKET_COUNTS)).record(control.request)
        self.packets += 1
        return Packet.unpack(control.data)


class Gateways(PacketUnpacker):
    """The gateways on one serial line: turns their control frames into the events of the radio packets inside."""

    def __init__(self, receiver: PacketReceiver) -> None:
        super().__init__()
        self._receiver = receiver

    @property
    def foreign(self) -> int:
        """Packets that are not a frame of a known model."""
        return self._receiver.foreign

    @property
    def damaged_statuses(self) -> int:
        """Packets with the header of a status frame, whose CRC-32 is wrong."""
        return self._receiver.damaged_statuses

    def take(self, control: Control) -> Event | None:
        """Return the event in a PACKET; None for other control frames and for foreign or repeated packets."""
        packet = self.unpack(control)
        if packet is None:
            return None
        event = self._receiver.take(packet.payload, packet.snr_db, packet.rssi_dbm)
        return replace(event, gateway=control.header.device) if isinstance(event, ControlFrame) else event
