"""The converted codec as it runs in the field: encoder.tflite on the board, decoder.onnx on the host."""

from collections.abc import Callable

import numpy as np
import onnxruntime

from export.convert import Conversion
from export.reference import ReferenceEncoder
from train.codecs.deployable import DeployableCodec
from train.impairment import payload_flips
from wire.model import latent_symbols
from wire.payload import bits_to_symbols, symbols_to_bits

BATCH = 500  # images per call of the decoder


class ConvertedCodec:
    """The files of a conversion, run by the reference kernels and by ONNX Runtime."""

    def __init__(self, codec: DeployableCodec, files: Conversion) -> None:
        self.files = files
        self.reference = ReferenceEncoder(files.encoder_tflite)
        self.bits = codec.quantizer.bits
        self.table = symbol_table(codec, *self.reference.output_quantization)
        self.order = codec.order.numpy().astype(np.uint16)
        self._decoder = onnxruntime.InferenceSession(str(files.decoder_onnx), providers=["CPUExecutionProvider"])

    def latents(self, images: np.ndarray, on_progress: Callable[[], None] | None = None) -> np.ndarray:
        """Encode images uint8 (N, H, W, C) to latents int8 (N, h, w, c); call `on_progress` after each image."""
        return self.reference.latents(images, on_progress)

    def symbols(self, latents: np.ndarray) -> np.ndarray:
        """Map latents int8 (N, h, w, c) to symbols int64 (N, S) in the order of sending."""
        return latent_symbols(latents, self.table, self.order)

    def logits(self, symbols: np.ndarray, ber: np.ndarray) -> np.ndarray:
        """Decode symbols int64 (N, S), -1 where missing, at BER float32 (N,) to logits (N, classes)."""
        return self._decoder.run(None, {"symbols": symbols, "ber": ber})[0]

    def accuracy(self, symbols: np.ndarray, labels: np.ndarray, ber: float) -> float:
        """Return the share of images that are correctly classified after one draw of flips (seed 0) at a BER.

        symbols (N, S), labels (N,). The decoder gets the true BER.
        """
        rng = np.random.default_rng([0, 2])
        correct = 0
        for first in range(0, len(symbols), BATCH):
            received = symbols[first : first + BATCH]
            if ber > 0:
                bits = symbols_to_bits(received, self.bits)
                n, n_bits = bits.shape
                mask = payload_flips(("bsc",), np.full(n, ber), n_bits, rng)
                received = bits_to_symbols(bits ^ mask.astype(np.uint8), self.bits).astype(np.int64)
            logits = self.logits(received, np.full(len(received), ber, np.float32))
            correct += int((logits.argmax(1) == labels[first : first + BATCH]).sum())
        return correct / len(symbols)


def symbol_table(codec: DeployableCodec, scale: float, zero_point: int) -> np.ndarray:
    """Return the level of each int8 latent value v at index v + 128, uint8 (256,).

    It is the level of the centre nearest to (v - zero_point) * scale; a tie goes down.
    """
    centres = codec.latent_centres().detach().double().numpy()
    values = (np.arange(-128, 128) - zero_point) * float(scale)
    return np.searchsorted((centres[1:] + centres[:-1]) / 2, values, side="left").astype(np.uint8)
