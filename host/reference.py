"""TensorFlow Lite's reference kernels, with which every engine must agree.

The default resolver would use the XNNPACK delegate, whose rounding differs by one in 8 to 10 % of an encoder's
outputs; the reference kernels give the same bytes as TFLM, CMSIS-NN and the ahead-of-time engine.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from host.errors import HostError
from wire.errors import install_hint
from wire.model import PIXEL_OFFSET


def int8_pixels(images: np.ndarray) -> np.ndarray:
    """Convert pixels uint8 to the encoder's input int8."""
    return (images.astype(np.int16) - PIXEL_OFFSET).astype(np.int8)


class ReferenceEncoder:
    """`encoder.tflite` run by the reference kernels. Raises HostError if ai-edge-litert is not installed."""

    def __init__(self, file: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter, OpResolverType
        except ImportError:
            raise HostError(f"images are encoded by ai-edge-litert; {install_hint('teach')}") from None
        self._interpreter = Interpreter(model_path=str(file), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = self._interpreter.get_output_details()

    @property
    def output_quantization(self) -> tuple[float, int]:
        """Scale and zero point that all outputs share. Raises HostError if they do not."""
        found = {(float(scale), int(zero_point)) for scale, zero_point in (o["quantization"] for o in self._outputs)}
        if len(found) != 1:
            raise HostError(f"the outputs of the encoder have several scales: {sorted(found)}")
        return found.pop()

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes (h, w, c) of the outputs, without the batch."""
        return [tuple(int(size) for size in output["shape"][1:]) for output in self._outputs]

    def outputs(self, images: np.ndarray, on_progress: Callable[[], None] | None = None) -> np.ndarray:
        """Encode images uint8 (N, H, W, C) to all outputs int8 (N, L + classes), flattened one after another.

        Calls `on_progress` after each image.
        """
        out = np.empty((len(images), sum(int(np.prod(shape)) for shape in self.shapes)), np.int8)
        for i, image in enumerate(images):
            self._interpreter.set_tensor(self._input["index"], int8_pixels(image)[None])
            self._interpreter.invoke()
            out[i] = np.concatenate([self._interpreter.get_tensor(o["index"]).ravel() for o in self._outputs])
            if on_progress is not None:
                on_progress()
        return out
