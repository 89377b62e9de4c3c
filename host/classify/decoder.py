"""From symbols to a class: a bundle's decoder.onnx, run by onnxruntime."""

from typing import NamedTuple

import numpy as np
import onnxruntime

from host.errors import HostError
from wire.bundle import Bundle

THREADS = 2
QUIET = 3  # onnxruntime's level for errors only


class Found(NamedTuple):
    """What the classifier says of one image."""

    index: int
    label: str
    confidence: float  # softmax of its logit, 0..1


class Decoder:
    """A bundle's decoder and classifier. HostError when decoder.onnx is not what a bundle promises."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
        options.log_severity_level = QUIET
        try:
            # From memory: a decoder is one file, and a path would also fetch what it names beside it.
            model = bundle.decoder_path.read_bytes()
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            one = np.full((1, len(bundle.symbol_order)), -1, np.int64)
            shape = self.logits(one, np.full(1, 0.5)).shape
        except Exception as error:  # onnxruntime's exceptions have no common base
            first_line = (str(error).splitlines() or [""])[0]
            raise HostError(f"bundle {bundle.path}: decoder.onnx cannot be run: {first_line}") from None
        if shape != (1, len(bundle.classes)):
            expected = (1, len(bundle.classes))
            raise HostError(f"bundle {bundle.path}: decoder.onnx gives {shape} for one image, not {expected}")

    def logits(self, symbols: np.ndarray, ber: np.ndarray) -> np.ndarray:
        """Symbols (N, S), -1 = not received, and bit error rates (N,) -> logits (N, classes) float32."""
        given = {"symbols": symbols.astype(np.int64), "ber": ber.astype(np.float32)}
        return self._session.run(["logits"], given)[0]

    def classify(self, symbols: np.ndarray, ber: float) -> Found:
        """The class of one image by its symbols (S,)."""
        logits = self.logits(symbols[None], np.array([ber]))[0].astype(np.float64)
        weights = np.exp(logits - logits.max())
        index = int(logits.argmax())
        return Found(index, self.bundle.classes[index], float(weights[index] / weights.sum()))
