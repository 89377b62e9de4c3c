"""Decoder of a bundle: decoder.onnx maps symbols to class logits or embeddings."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host.classify.network import BATCH, Network
from host.errors import HostError
from wire.bundle import Bundle

UNIT_LENGTH_ERROR = 1e-2  # largest difference of an embedding's length from 1


@dataclass(frozen=True)
class Prediction:
    """Predicted class of one image."""

    index: int
    label: str
    confidence: float  # 0..1: softmax of its logit, or the measured probability of an answer's confidence level


def softmax(logits: np.ndarray) -> np.ndarray:
    """Map logits (N, C) to probabilities (N, C)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


class Decoder:
    """Decoder of a bundle. Raises HostError if decoder.onnx cannot be run or does not match the bundle."""

    batch = BATCH

    def __init__(self, bundle: Bundle) -> None:
        self.classes: Sequence[str] = bundle.classes
        self._network = Network(bundle, bundle.decoder_path, "logits", (len(bundle.classes),))

    @property
    def ended(self) -> bool:
        """True after a failure: it cannot be used any more."""
        return self._network.ended

    def logits(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None = None) -> np.ndarray:
        """Map symbols (N, S), -1 = not received, and bit error rates (N,) to logits (N, classes) float32.

        `answers` (N,) are the 16-bit answer words as received, NO_ANSWER = not received (the default); a decoder that
        has no input for them ignores them.
        """
        return self._network.run(symbols, ber, answers)


class EmbeddingDecoder:
    """Decoder of a general bundle.

    Raises HostError if decoder.onnx cannot be run, does not match the bundle, or gives no vectors of unit length.
    """

    def __init__(self, bundle: Bundle) -> None:
        if bundle.embedding is None:
            raise HostError(f"bundle {bundle.path} has classes of its own: tasks need a general bundle")
        self._network = Network(bundle, bundle.decoder_path, "embedding", (bundle.embedding.size,))
        lengths = np.linalg.norm(self._network.example, axis=1)
        if not np.allclose(lengths, 1, atol=UNIT_LENGTH_ERROR):
            raise HostError(f"bundle {bundle.path}: decoder.onnx gives embeddings of length {lengths[0]:.3g}, not 1")

    @property
    def ended(self) -> bool:
        """True after a failure: it cannot be used any more."""
        return self._network.ended

    def embeddings(self, symbols: np.ndarray, ber: np.ndarray) -> np.ndarray:
        """Map symbols (N, S), -1 = not received, and bit error rates (N,) to embeddings (N, D) float32, unit length."""
        return self._network.run(symbols, ber, None)


@dataclass(frozen=True)
class NoDecoder:
    """In place of the decoder of a bundle whose board sends answers only."""

    classes: Sequence[str]
    batch: int = 1
    ended: bool = False

    def logits(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None = None) -> np.ndarray:
        """Raise ValueError: there are no features to decode."""
        raise ValueError("this model sends no features")


def decoder_of(bundle: Bundle) -> Decoder | NoDecoder:
    """Return the decoder of a bundle. Raises HostError if it cannot be run."""
    return Decoder(bundle) if bundle.heads else NoDecoder(bundle.classes)


class Decoders:
    """Decoders by bundle, each made when it is first needed. Several threads may use it.

    Sites that share one share the processes of the networks: a process takes some 60 MB, and a second to start.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plain: dict[Path, Decoder | NoDecoder] = {}
        self._embedding: dict[Path, EmbeddingDecoder] = {}

    def of(self, bundle: Bundle) -> Decoder | NoDecoder:
        """Return the decoder of a bundle with classes. Raises HostError if it cannot be run."""
        with self._lock:
            found = self._plain.get(bundle.path)
            if found is None or found.ended:
                found = self._plain[bundle.path] = decoder_of(bundle)
            return found

    def embedding_of(self, bundle: Bundle) -> EmbeddingDecoder:
        """Return the decoder of a general bundle. Raises HostError if it cannot be run."""
        with self._lock:
            found = self._embedding.get(bundle.path)
            if found is None or found.ended:
                found = self._embedding[bundle.path] = EmbeddingDecoder(bundle)
            return found
