"""The yardstick of every engine: TensorFlow Lite's reference kernels.

The default resolver would use the XNNPACK delegate, whose rounding differs by one in 8 to 10 % of an encoder's
outputs; the reference kernels give the bytes that TFLM, CMSIS-NN and the ahead-of-time engine give.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


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

    def latents(self, images: np.ndarray, each: Callable[[], None] | None = None) -> np.ndarray:
        """uint8 (N, H, W, C) -> int8 (N, h, w, c); `each` is called after every image."""
        out = np.empty((len(images), *self._output["shape"][1:]), np.int8)
        for i, image in enumerate(images):
            pixels = (image.astype(np.int16) - 128).astype(np.int8)
            self._interpreter.set_tensor(self._input["index"], pixels[None])
            self._interpreter.invoke()
            out[i] = self._interpreter.get_tensor(self._output["index"])[0]
            if each is not None:
                each()
        return out
