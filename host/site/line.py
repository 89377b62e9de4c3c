"""Line of a site: the byte stream of a port, with the frames of a board and the packets of gateways."""

import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

from host.receive.board_text import TextWatch
from host.receive.events import AnswerFrame, ControlFrame, Event, FeatureFrame, Refused, UnknownModel
from host.receive.frames import FrameParser
from host.receive.radio import PacketUnpacker
from host.receive.stream import StreamReceiver
from host.site.events import EventLog
from host.site.packets import GatewayPacket
from wire.bundle import Bundle


class Owner(Protocol):
    """The site of a line."""

    name: str

    def take(self, packet: GatewayPacket) -> None:
        """Take a packet of a gateway."""

    def take_frame(self, frame: FeatureFrame | AnswerFrame, line: str) -> None:
        """Take an image's frame of a board on a line."""


class Line:
    """A port's byte stream. Its packets have ids that are never given again, as nobody delivers them twice.

    Call `flush` when the line has been silent for QUIET_S, `lost` when the port is gone and `found` when it is back.
    """

    def __init__(
        self,
        site: Owner,
        name: str,
        bundles: Sequence[Bundle],
        parser: FrameParser,
        log: EventLog,
        wall_clock: Callable[[], float],
    ) -> None:
        self.name = name
        self._site, self._log, self._wall_clock = site, log, wall_clock
        self._receiver = StreamReceiver(bundles, parser)
        self._gateways = PacketUnpacker()
        self._text = TextWatch()
        self._boot = secrets.token_hex(4)

    @property
    def garbage_bytes(self) -> int:
        """Bytes so far that belong to no frame."""
        return self._receiver.garbage_bytes

    @property
    def lost_packets(self) -> int:
        """Packets lost so far between gateways and host."""
        return self._gateways.lost

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._log.board_text(self.name, self._text.feed(data))
        self._handle(self._receiver.feed(data))

    def flush(self) -> None:
        """Settle the incomplete frame and line of text at the end of the stream, if there are any."""
        self._log.board_text(self.name, self._text.flush())
        self._handle(self._receiver.flush())

    def lost(self, reason: str) -> None:
        """Report that the port is gone. Silence on it counts for no device."""
        self.flush()
        self._log.port_lost(self.name, reason)

    def found(self) -> None:
        """Report that the port is back."""
        self._log.port_found(self.name)

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, FeatureFrame | AnswerFrame):
                self._site.take_frame(event, self.name)
            elif isinstance(event, ControlFrame):
                self._handle_control(event)
            elif isinstance(event, UnknownModel):
                self._log.unknown_model(event)
            elif isinstance(event, Refused):
                self._log.refused(event.device, event.reason)

    def _handle_control(self, event: ControlFrame) -> None:
        number = event.control.header.device
        packet = self._gateways.unpack(event.control)
        self._log.hear_control(event, self.name, packet is not None, number in self._gateways.clashing)
        if packet:
            gateway, now = f"{self.name}/{number}", self._wall_clock()
            self._site.take(
                GatewayPacket(
                    self._site.name,
                    gateway,
                    self._boot,
                    self._gateways.packets,
                    now,
                    packet.payload,
                    packet.crc_ok,
                    packet.snr_db,
                    packet.rssi_dbm,
                )
            )
