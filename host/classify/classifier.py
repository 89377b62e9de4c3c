"""The classifier: from received frames to readings, as every command and benchmark runs it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from host.classify.ber import BerEstimator, payload_ber
from host.classify.combine import ImageBits
from host.classify.decoder import Decoder, Prediction
from host.receive.events import FeatureFrame
from host.receive.sources import LATE
from wire.bundle import Bundle


@dataclass(frozen=True, eq=False)
class Reading:
    """The class of an image, by this frame and the frames of the same image before it."""

    frame: FeatureFrame
    prediction: Prediction
    ber: float  # of the link, as estimated with this frame
    payload_ber: float  # as given to the decoder
    symbols: np.ndarray  # (S,) as decoded, from all frames of this image so far
    frames: int  # of this image so far

    def as_json(self) -> dict[str, Any]:
        """Return the fields of a JSON line."""
        frame = self.frame
        return {
            "device": frame.device,
            "sequence": frame.sequence,
            "chunk": frame.chunk,
            "bundle": frame.model.name,
            "model_id": frame.model.model_id,
            "class": self.prediction.label,
            "index": self.prediction.index,
            "confidence": round(self.prediction.confidence, 4),
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


class LogitsModel(Protocol):
    """A decoder as the classifier uses it; `batch` is the number of images that it decodes fastest together."""

    batch: int
    classes: Sequence[str]

    def logits(self, symbols: np.ndarray, ber: np.ndarray) -> np.ndarray:
        """Map symbols (N, S), -1 = not received, and bit error rates (N,) to logits (N, classes)."""


@dataclass(frozen=True, eq=False)
class _Joined:
    """A frame with the evidence of its image so far."""

    frame: FeatureFrame
    ber: float
    payload_ber: float
    symbols: np.ndarray
    frames: int


class Classifier:
    """Classifies frames, with an estimate of the bit error rate for each device.

    Frames of the same image (same device, model and sequence number) are combined before decoding: chunks side by
    side, copies of a chunk by the log-likelihood of each bit.
    """

    def __init__(self, decoders: Mapping[str, LogitsModel]) -> None:
        """Use these decoders, by model_id."""
        self._decoders = decoders
        self._links: dict[tuple[int, str], BerEstimator] = defaultdict(BerEstimator)
        self._images: dict[tuple[int, str], dict[int, ImageBits]] = defaultdict(dict)

    @classmethod
    def of(cls, bundles: Iterable[Bundle]) -> "Classifier":
        """Return a classifier of these bundles. Raises HostError when a decoder cannot be run."""
        return cls({bundle.model_id: Decoder(bundle) for bundle in bundles})

    def read(self, frame: FeatureFrame) -> Reading:
        """Estimate, combine, decode and classify one frame."""
        return self.read_all([frame])[0]

    def read_all(self, frames: Sequence[FeatureFrame]) -> list[Reading]:
        """Estimate, combine, decode and classify frames in the order of their arrival; decoded in batches."""
        joined = [self._join(frame) for frame in frames]
        readings: list[Reading | None] = [None] * len(joined)
        by_model: dict[str, list[int]] = defaultdict(list)
        for position, item in enumerate(joined):
            by_model[item.frame.model.model_id].append(position)
        for model_id, positions in by_model.items():
            symbols = np.array([joined[i].symbols for i in positions])
            ber = np.array([joined[i].payload_ber for i in positions])
            for i, prediction in zip(positions, self.decode(model_id, symbols, ber), strict=True):
                item = joined[i]
                readings[i] = Reading(item.frame, prediction, item.ber, item.payload_ber, item.symbols, item.frames)
        return [reading for reading in readings if reading is not None]

    def decode(self, model_id: str, symbols: np.ndarray, ber: np.ndarray) -> list[Prediction]:
        """Classify symbols (N, S), -1 = not received, at bit error rates (N,), in batches."""
        decoder = self._decoders[model_id]
        predictions: list[Prediction] = []
        for first in range(0, len(symbols), decoder.batch):
            part = slice(first, first + decoder.batch)
            logits = decoder.logits(symbols[part], ber[part]).astype(np.float64)
            weights = np.exp(logits - logits.max(axis=1, keepdims=True))
            confidences = weights / weights.sum(axis=1, keepdims=True)
            for row, index in zip(confidences, logits.argmax(axis=1).tolist(), strict=True):
                predictions.append(Prediction(index, decoder.classes[index], float(row[index])))
        return predictions

    def _join(self, frame: FeatureFrame) -> _Joined:
        source = (frame.device, frame.model.model_id)
        ber = self._links[source].update(frame)
        images = self._images[source]
        for old in [number for number in images if number < frame.image - LATE]:
            del images[old]
        image = images.setdefault(frame.image, ImageBits(frame.model))
        image.add(frame, payload_ber(frame, ber))
        return _Joined(frame, ber, image.ber(), image.symbols(), image.frames)
