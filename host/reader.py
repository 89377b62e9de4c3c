"""From received frames to readings: the whole way of an image on the host."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from host.ber import BerEstimator
from host.decode import Decoder, Found
from host.events import FeatureFrame
from wire.bundle import Bundle


@dataclass(frozen=True, eq=False)
class Reading:
    """What one frame turned out to show."""

    frame: FeatureFrame
    found: Found
    ber: float  # as estimated with this frame
    symbols: np.ndarray  # (S,) as decoded: also those of the same image's chunk just before

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
            "crc_ok": frame.crc_ok,
            "lost": frame.lost,
            "duplicate": frame.duplicate,
            "received_bits": frame.received_bits,
            "payload": frame.payload.hex(),
        }


class Reader:
    """Classifies frames, with an estimate of the bit error rate for each device.

    A chunk that directly follows another one of the same device, model and sequence number continues the same
    image: both are decoded together.
    """

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        self._decoders = {bundle.model_id: Decoder(bundle) for bundle in bundles}
        self._links: dict[tuple[int, str], BerEstimator] = defaultdict(BerEstimator)
        self._last: dict[tuple[int, str], Reading] = {}

    def read(self, frame: FeatureFrame) -> Reading:
        """Estimate, decode and classify one frame."""
        source = (frame.device, frame.bundle.model_id)
        ber = self._links[source].update(frame)
        symbols, last = frame.symbols, self._last.get(source)
        if last and last.frame.sequence == frame.sequence and last.frame.chunk != frame.chunk:
            symbols = np.where(symbols < 0, last.symbols, symbols)
        found = self._decoders[source[1]].classify(symbols, ber)
        self._last[source] = Reading(frame, found, ber, symbols)
        return self._last[source]
