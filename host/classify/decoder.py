"""Decoder of a bundle: decoder.onnx, run by onnxruntime, maps symbols to class logits."""

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


@dataclass(frozen=True)
class Prediction:
    """Predicted class of one image."""

    index: int
    label: str
    confidence: float  # 0..1: softmax of its logit, or the measured probability of an answer's confidence level


class Decoder:
    """Decoder of a bundle. Raises HostError if decoder.onnx cannot be run or does not match the bundle."""

    # On one thread of a busy machine, an image takes 540 us in batches of 8, 490 us in 16 and 460 us in 64.
    # On an idle one, batches of 32 and more have been slower than those of 8.
    batch = 16

    def __init__(self, bundle: Bundle) -> None:
        self.classes: Sequence[str] = bundle.classes
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
            shape = self.logits(np.full((2, bundle.n_symbols), -1, np.int64), np.full(2, 0.5)).shape
        except Exception as error:  # onnxruntime's exceptions have no common base
            first_line = (str(error).splitlines() or [""])[0]
            raise HostError(f"bundle {bundle.path}: decoder.onnx cannot be run: {first_line}") from None
        expected = (2, len(bundle.classes))
        if shape != expected:
            raise HostError(f"bundle {bundle.path}: decoder.onnx gives {shape} for two images, not {expected}")

    def logits(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None = None) -> np.ndarray:
        """Map symbols (N, S), -1 = not received, and bit error rates (N,) to logits (N, classes) float32.

        `answers` (N,) are the 16-bit answer words as received, NO_ANSWER = not received (the default); a decoder that
        has no input for them ignores them.
        """
        inputs = {"symbols": symbols.astype(np.int64), "ber": ber.astype(np.float32)}
        if self._takes_answers:
            given = np.full(len(symbols), NO_ANSWER) if answers is None else answers
            inputs["answer"] = given.astype(np.int64)
        return self._session.run(["logits"], inputs)[0]


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
