"""TensorFlow Lite's reference kernels, with which every engine must agree.

The default resolver would use the XNNPACK delegate, whose rounding differs by one in 8 to 10 % of an encoder's
outputs; the reference kernels give the same bytes as TFLM, CMSIS-NN and the ahead-of-time engine.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from wire.model import PIXEL_OFFSET


def int8_pixels(images: np.ndarray) -> np.ndarray:
    """Convert pixels uint8 to the encoder's input int8."""
    return (images.astype(np.int16) - PIXEL_OFFSET).astype(np.int8)


class ReferenceEncoder:
    """`encoder.tflite` run by the reference kernels."""

    def __init__(self, file: Path) -> None:
        self._interpreter = Interpreter(model_path=str(file), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    @property
    def output_quantization(self) -> tuple[float, int]:
        """Scale and zero point of the latent."""
        scale, zero_point = self._output["quantization"]
        return float(scale), int(zero_point)

    def latents(self, images: np.ndarray, on_progress: Callable[[], None] | None = None) -> np.ndarray:
        """Encode images uint8 (N, H, W, C) to latents int8 (N, h, w, c); call `on_progress` after each image."""
        out = np.empty((len(images), *self._output["shape"][1:]), np.int8)
        for i, image in enumerate(images):
            self._interpreter.set_tensor(self._input["index"], int8_pixels(image)[None])
            self._interpreter.invoke()
            out[i] = self._interpreter.get_tensor(self._output["index"])[0]
            if on_progress is not None:
                on_progress()
        return out
