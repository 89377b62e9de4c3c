"""Decoder of a bundle: decoder.onnx, run by onnxruntime, maps symbols to class logits or embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime

from host.classify import onnx_check
from host.errors import HostError
from host.receive.events import NO_ANSWER
from wire.bundle import Bundle

THREADS = 1  # two cost twice the CPU time per image and decode no faster
LOG_ERRORS_ONLY = 3  # onnxruntime's severity level
# Images decoded together. On one thread of a busy machine, an image takes 540 us in batches of 8, 490 us in 16 and
# 460 us in 64. On an idle one, batches of 32 and more have been slower than those of 8.
BATCH = 16
UNIT_LENGTH_ERROR = 1e-2  # largest difference of an embedding's length from 1


@dataclass(frozen=True)
class Prediction:
    """Predicted class of one image."""

    index: int
    label: str
    confidence: float  # 0..1: softmax of its logit, or the measured probability of an answer's confidence level


class _Network:
    """decoder.onnx of a bundle, run by onnxruntime on one thread.

    output, width: the name of its output (N, width). Raises HostError if the file cannot be run or lacks this output.
    """

    def __init__(self, bundle: Bundle, output: str, width: int) -> None:
        self._output = output
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
        options.log_severity_level = LOG_ERRORS_ONLY
        options.add_session_config_entry("session.load_model_format", "ONNX")  # the format that was checked
        try:
            model = bundle.decoder_path.read_bytes()
            onnx_check.check(model)
        except onnx_check.OnnxError as error:
            raise HostError(f"bundle {bundle.path}: decoder.onnx is refused: {error}") from None
        except OSError as error:
            raise HostError(f"bundle {bundle.path}: decoder.onnx cannot be read: {error.strerror}") from None
        try:
            # From memory, so that the bytes that were checked are the bytes that run.
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            self._takes_answers = any(value.name == "answer" for value in self._session.get_inputs())
            # Two, because readings are decoded in batches: a decoder of one image at a time would fail later.
            self.example = self.run(np.full((2, bundle.n_symbols), -1, np.int64), np.full(2, 0.5), None)
        except Exception as error:  # onnxruntime's exceptions have no common base
            first_line = (str(error).splitlines() or [""])[0]
            raise HostError(f"bundle {bundle.path}: decoder.onnx cannot be run: {first_line}") from None
        expected = (2, width)
        if self.example.shape != expected:
            shape = self.example.shape
            raise HostError(f"bundle {bundle.path}: decoder.onnx gives {shape} for two images, not {expected}")

    def run(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None) -> np.ndarray:
        """Map symbols (N, S), bit error rates (N,) and answer words (N,) to the output (N, width) float32."""
        inputs = {"symbols": symbols.astype(np.int64), "ber": ber.astype(np.float32)}
        if self._takes_answers:
            given = np.full(len(symbols), NO_ANSWER) if answers is None else answers
            inputs["answer"] = given.astype(np.int64)
        return self._session.run([self._output], inputs)[0]


class Decoder:
    """Decoder of a bundle. Raises HostError if decoder.onnx cannot be run or does not match the bundle."""

    batch = BATCH

    def __init__(self, bundle: Bundle) -> None:
        self.classes: Sequence[str] = bundle.classes
        self._network = _Network(bundle, "logits", len(bundle.classes))

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
        self._network = _Network(bundle, "embedding", bundle.embedding.size)
        lengths = np.linalg.norm(self._network.example, axis=1)
        if not np.allclose(lengths, 1, atol=UNIT_LENGTH_ERROR):
            raise HostError(f"bundle {bundle.path}: decoder.onnx gives embeddings of length {lengths[0]:.3g}, not 1")

    def embeddings(self, symbols: np.ndarray, ber: np.ndarray) -> np.ndarray:
        """Map symbols (N, S), -1 = not received, and bit error rates (N,) to embeddings (N, D) float32, unit length.

        Decodes in batches of BATCH images, so N may be any number but 0.
        """
        batches = range(0, len(symbols), BATCH)
        return np.concatenate([self._network.run(symbols[i : i + BATCH], ber[i : i + BATCH], None) for i in batches])


@dataclass(frozen=True)
class NoDecoder:
    """In place of the decoder of a bundle whose board sends answers only."""

    classes: Sequence[str]
    batch: int = 1

    def logits(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None = None) -> np.ndarray:
        """Raise ValueError: there are no features to decode."""
        raise ValueError("this model sends no features")


def decoder_of(bundle: Bundle) -> Decoder | NoDecoder:
    """Return the decoder of a bundle. Raises HostError if it cannot be run."""
    return Decoder(bundle) if bundle.heads else NoDecoder(bundle.classes)
