"""From a feature frame's bytes, whole or cut short, to an event: whose it is, what came of it, where it belongs."""

from collections.abc import Sequence

import numpy as np

from host.receive.events import FeatureFrame
from host.receive.headers import Headers, Match
from host.receive.sources import Source
from wire.frame import HEADER_BYTES, FeatureLayout, Header, check_crc
from wire.model import Model
from wire.payload import interleaver


class Frames:
    """Makes the events of one line or radio, and remembers its devices in `headers` and `sources`."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.headers = Headers(models)
        self.sources: dict[tuple[int, str], Source] = {}  # by device and model_id

    def owner(self, body: bytes, header: Header, size: int | None = None) -> tuple[Model | None, bool]:
        """Whose frame lies in `body`, and whether it is clean; None when several models are as likely, or none.

        Of several with the same model bits, it is the one for which the CRC-16 is right, else the one that this
        device has used before. size: only those whose frame has so many bytes.
        """
        choices = self.headers.models(header)
        if size is not None:
            choices = [model for model in choices if model.chunk_layout(header.chunk).size == size]
        clean = next((model for model in choices if is_clean(body, header, model)), None)
        if clean or len(choices) == 1:
            return clean or choices[0], clean is not None
        return next((b for b in choices if (header.device, b.model_id) in self.sources), None), False

    def event(
        self,
        body: bytes,
        match: Match,
        model: Model,
        crc_ok: bool,
        sync_flips: int | None = None,
        snr_db: float | None = None,
        rssi_dbm: float | None = None,
    ) -> FeatureFrame:
        """The event for a frame whose bytes, from the header on and as far as they came, are `body`."""
        header = match.header
        layout = model.chunk_layout(header.chunk)
        bits = payload_bits(body, layout)
        source = self.sources.setdefault((header.device, model.model_id), Source())
        place = source.note(header, bits, crc_ok)
        if crc_ok or source.received > 1:
            self.headers.know(header.device, header.model, source.newest % 32)
        return FeatureFrame(model, match, bits, sync_flips, len(body) >= layout.size, crc_ok, place, snr_db, rssi_dbm)


def is_clean(body: bytes, header: Header, model: Model) -> bool:
    """Whether the frame in `body` (from its header on) is whole and its CRC-16 right for this model.

    The header counts as corrected, so that this speaks of the payload alone.
    """
    size = model.chunk_layout(header.chunk).size
    if len(body) < size:
        return False
    return check_crc(header.encode() + body[HEADER_BYTES:size], model.number)


def payload_bits(body: bytes, layout: FeatureLayout) -> np.ndarray:
    """The payload of a frame, from its header on -> bits (n_bits,) int8 in payload order, -1 = not received."""
    bits = np.full(layout.n_bits, -1, np.int8)
    received = np.unpackbits(np.frombuffer(body[layout.payload], np.uint8))[: layout.n_bits]
    bits[interleaver(layout.n_bits)[: len(received)]] = received
    return bits
