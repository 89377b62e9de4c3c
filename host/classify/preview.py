"""Preview network of a general bundle: preview.onnx maps symbols to a small image."""

from collections.abc import Sequence

import numpy as np

from host.classify.network import Network
from host.errors import HostError
from wire.bundle import Bundle


class PreviewDecoder:
    """Preview network of a bundle. It reconstructs images from few bytes, and may invent what it shows.

    Raises HostError if the bundle has none, or if preview.onnx cannot be run or does not match the bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        if not bundle.has_preview:
            raise HostError(f"bundle {bundle.path} has no preview network (docs/preview.md says how to add one)")
        self._network = Network(bundle, bundle.preview_path, "image", bundle.input_shape, np.uint8)

    def image(self, symbols: Sequence[int] | np.ndarray, ber: float) -> np.ndarray:
        """Map the symbols (S,) of one image, -1 = not received, and its bit error rate to an image uint8 (H, W, C)."""
        return self.images(np.asarray(symbols)[None], np.array([ber]))[0]

    def images(self, symbols: np.ndarray, ber: np.ndarray) -> np.ndarray:
        """Map symbols (N, S), -1 = not received, and bit error rates (N,) to images uint8 (N, H, W, C)."""
        return self._network.run(symbols, ber, None)
