"""From received frames to readings: the whole way of an image on the host."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from host.classify.ber import BerEstimator, payload_ber
from host.classify.combine import ImageBits
from host.classify.decoder import Decoder, Found
from host.receive.events import FeatureFrame
from host.receive.sources import LATE
from wire.bundle import Bundle


@dataclass(frozen=True, eq=False)
class Reading:
    """What an image turned out to show, by this frame and those of the same image before it."""

    frame: FeatureFrame
    found: Found
    ber: float  # of the link, as estimated with this frame
    symbols: np.ndarray  # (S,) as decoded, from all frames of this image so far
    frames: int  # of this image so far

    def as_json(self) -> dict:
        """What a JSON line says of it."""
        frame = self.frame
        return {
            "device": frame.device,
            "sequence": frame.sequence,
            "chunk": frame.chunk,
            "bundle": frame.bundle.name,
            "model_id": frame.bundle.model_id,
            "class": self.found.label,
            "index": self.found.index,
            "confidence": round(self.found.confidence, 4),
            "ber": float(f"{self.ber:.4g}"),
            "snr_db": frame.snr_db,
            "rssi_dbm": frame.rssi_dbm,
            "crc_ok": frame.crc_ok,
            "lost": frame.lost,
            "lost_total": frame.place.lost_so_far,
            "duplicate": frame.place.duplicate,
            "late": frame.place.late,
            "image_number": frame.image,
            "frames": self.frames,
            "received_bits": frame.received_bits,
            "payload": frame.payload.hex(),
        }


class Reader:
    """Classifies frames, with an estimate of the bit error rate for each device.

    Frames of the same image (same device, model and sequence number) are joined before decoding: chunks side by side,
    copies of a chunk by what each of their bits is worth.
    """

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        self._decoders = {bundle.model_id: Decoder(bundle) for bundle in bundles}
        self._links: dict[tuple[int, str], BerEstimator] = defaultdict(BerEstimator)
        self._images: dict[tuple[int, str], dict[int, ImageBits]] = defaultdict(dict)

    def read(self, frame: FeatureFrame) -> Reading:
        """Estimate, join, decode and classify."""
        source = (frame.device, frame.bundle.model_id)
        ber = self._links[source].update(frame)
        images = self._images[source]
        for old in [number for number in images if number < frame.image - LATE]:
            del images[old]
        image = images.setdefault(frame.image, ImageBits(frame.bundle))
        image.add(frame, payload_ber(frame, ber))
        symbols = image.symbols()
        found = self._decoders[source[1]].classify(symbols, image.ber())
        return Reading(frame, found, ber, symbols, image.frames)
