"""Feature frames out of a radio's packets (LoRa): the radio finds and delimits them, and they bring no sync word."""

from collections.abc import Sequence

from host.receive.events import Event, FeatureFrame, UnknownModel
from host.receive.frames import Frames
from host.receive.sources import Source
from wire.frame import HEADER_BYTES
from wire.model import Model


class PacketReceiver:
    """Hand it a radio's packets as they come, those with a wrong CRC too; it gives back what each holds.

    Packets have a length that the radio vouches for (LoRa: it drops a packet whose own header is damaged): one
    that fits no chunk is not ours. frames: shared with a Receiver by which the same devices may be heard.
    """

    def __init__(self, models: Sequence[Model], frames: Frames | None = None) -> None:
        self._frames = frames or Frames(models)
        self.strangers = 0  # packets that were no frame of any model

    @property
    def sources(self) -> dict[tuple[int, str], Source]:
        """What is known of each sender, by device and model_id."""
        return self._frames.sources

    def take(self, packet: bytes, snr_db: float | None = None, rssi_dbm: float | None = None) -> Event | None:
        """The feature frame in a packet, or None. snr_db, rssi_dbm: as the radio measured them, where it does."""
        event = self._event(packet, snr_db, rssi_dbm) if len(packet) > HEADER_BYTES else None
        self.strangers += not isinstance(event, FeatureFrame)
        return event

    def _event(self, packet: bytes, snr_db: float | None, rssi_dbm: float | None) -> Event | None:
        match = self._frames.headers.read_packet(packet[:HEADER_BYTES], len(packet))
        if match is None:
            return None
        if self._frames.headers.unknown(match.header):
            return UnknownModel(match.header)
        model, clean = self._frames.owner(packet, match.header, len(packet))
        if model is None:
            return None
        return self._frames.event(packet, match, model, clean, None, snr_db, rssi_dbm)
