"""Networks of a bundle that map received symbols to something, run by onnxruntime."""

from pathlib import Path

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


class Network:
    """An ONNX file of a bundle, run by onnxruntime on one thread.

    output, shape: the name of its output (N, *shape). Raises HostError if the file cannot be run or lacks this output.
    """

    def __init__(self, bundle: Bundle, file: Path, output: str, shape: tuple[int, ...]) -> None:
        self._output = output
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
        options.log_severity_level = LOG_ERRORS_ONLY
        options.add_session_config_entry("session.load_model_format", "ONNX")  # the format that was checked
        try:
            model = file.read_bytes()
            onnx_check.check(model)
        except onnx_check.OnnxError as error:
            raise HostError(f"bundle {bundle.path}: {file.name} is refused: {error}") from None
        except OSError as error:
            raise HostError(f"bundle {bundle.path}: {file.name} cannot be read: {error.strerror}") from None
        try:
            # From memory, so that the bytes that were checked are the bytes that run.
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            self._takes_answers = any(value.name == "answer" for value in self._session.get_inputs())
            # Two, because readings are decoded in batches: a decoder of one image at a time would fail later.
            self.example = self.run(np.full((2, bundle.n_symbols), -1, np.int64), np.full(2, 0.5), None)
        except Exception as error:  # onnxruntime's exceptions have no common base
            first_line = (str(error).splitlines() or [""])[0]
            raise HostError(f"bundle {bundle.path}: {file.name} cannot be run: {first_line}") from None
        expected = (2, *shape)
        if self.example.shape != expected:
            found = self.example.shape
            raise HostError(f"bundle {bundle.path}: {file.name} gives {found} for two images, not {expected}")

    def run(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None) -> np.ndarray:
        """Map symbols (N, S), bit error rates (N,) and answer words (N,) to the output (N, *shape)."""
        inputs = {"symbols": symbols.astype(np.int64), "ber": ber.astype(np.float32)}
        if self._takes_answers:
            given = np.full(len(symbols), NO_ANSWER) if answers is None else answers
            inputs["answer"] = given.astype(np.int64)
        return self._session.run([self._output], inputs)[0]
