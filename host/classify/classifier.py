"""Classifier: from received frames to readings, as commands and benchmarks run it."""

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
    """Reading of an image, from this frame and the earlier frames of the same image."""

    frame: FeatureFrame
    prediction: Prediction
    ber: float  # of the link, estimated up to this frame
    payload_ber: float  # given to the decoder
    symbols: np.ndarray  # (S,) given to the decoder, -1 = not received
    frames: int  # number of frames of this image so far

    def as_json(self) -> dict[str, Any]:
        """Return the fields of the reading's JSON line."""
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
            "image_number": frame.image_number,
            "frames": self.frames,
            "received_bits": frame.received_bits,
            "payload": frame.payload.hex(),
        }


class LogitsModel(Protocol):
    """Interface of a decoder. `batch` is the number of images that it decodes fastest together."""

    @property
    def batch(self) -> int: ...

    @property
    def classes(self) -> Sequence[str]: ...

    def logits(self, symbols: np.ndarray, ber: np.ndarray) -> np.ndarray:
        """Map symbols (N, S), -1 = not received, and bit error rates (N,) to logits (N, classes)."""


@dataclass(frozen=True, eq=False)
class _Combined:
    """A frame, and the combination of its image's frames so far."""

    frame: FeatureFrame
    ber: float
    payload_ber: float
    symbols: np.ndarray
    frames: int


class Classifier:
    """Classifier of frames, with a bit error rate estimate per device and model.

    Frames of one image (same device, model and sequence number) are combined before decoding: chunks side by side,
    copies of a chunk by the log-likelihood ratio of each bit.
    """

    def __init__(self, decoders: Mapping[str, LogitsModel]) -> None:
        """Create a classifier of decoders by model_id."""
        self._decoders = decoders
        self._links: dict[tuple[int, str], BerEstimator] = defaultdict(BerEstimator)
        self._images: dict[tuple[int, str], dict[int, ImageBits]] = defaultdict(dict)

    @classmethod
    def of(cls, bundles: Iterable[Bundle]) -> "Classifier":
        """Return a classifier of bundles. Raises HostError if a decoder cannot be run."""
        return cls({bundle.model_id: Decoder(bundle) for bundle in bundles})

    def read(self, frame: FeatureFrame) -> Reading:
        """Classify one frame."""
        return self.read_all([frame])[0]

    def read_all(self, frames: Sequence[FeatureFrame]) -> list[Reading]:
        """Classify frames in the order of their arrival, as `read` does one by one. Decoding runs in batches."""
        combined = [self._combine(frame) for frame in frames]
        by_model: dict[str, list[int]] = defaultdict(list)
        for position, item in enumerate(combined):
            by_model[item.frame.model.model_id].append(position)
        readings: dict[int, Reading] = {}
        for model_id, positions in by_model.items():
            items = [combined[position] for position in positions]
            symbols, ber = np.array([item.symbols for item in items]), np.array([item.payload_ber for item in items])
            predictions = self.decode(model_id, symbols, ber)
            for position, item, prediction in zip(positions, items, predictions, strict=True):
                reading = Reading(item.frame, prediction, item.ber, item.payload_ber, item.symbols, item.frames)
                readings[position] = reading
        return [readings[position] for position in range(len(frames))]

    def decode(self, model_id: str, symbols: np.ndarray, ber: np.ndarray) -> list[Prediction]:
        """Classify symbols (N, S), -1 = not received, given bit error rates (N,), in batches of the decoder's size."""
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

    def _combine(self, frame: FeatureFrame) -> _Combined:
        source = (frame.device, frame.model.model_id)
        ber = self._links[source].update(frame)
        images = self._images[source]
        for old in [number for number in images if number < frame.image_number - LATE]:
            del images[old]
        image = images.setdefault(frame.image_number, ImageBits(frame.model))
        image.add(frame, payload_ber(frame, ber))
        return _Combined(frame, ber, image.ber(), image.symbols(), image.frames)
