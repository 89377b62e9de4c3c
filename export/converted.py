"""The converted codec as it runs in the field: encoder.tflite on the board, decoder.onnx on the host."""

from collections.abc import Callable

import numpy as np
import onnxruntime

from export.convert import Conversion
from host.reference import ReferenceEncoder
from train.codecs.deployable import DeployableCodec
from train.impairment import payload_flips, symbol_flips
from wire.answer import ANSWER_BITS, AnswerHead, answer_word
from wire.model import latent_symbols
from wire.payload import bits_to_symbols, symbols_to_bits

BATCH = 500  # images per call of the decoder


class ConvertedCodec:
    """The files of a conversion, run by the reference kernels and by ONNX Runtime.

    `answer` is the calibrated answer head, set once it is known; None for a codec without one.
    """

    answer: AnswerHead | None = None

    def __init__(self, codec: DeployableCodec, files: Conversion) -> None:
        self.files = files
        self.reference = ReferenceEncoder(files.encoder_tflite)
        self.bits = codec.quantizer.bits
        self.latent_size = sum(h * w * c for h, w, c in codec.heads)
        self.table = symbol_table(codec, *self.reference.output_quantization)
        self.order = codec.order.numpy().astype(np.uint16)
        self._decoder = onnxruntime.InferenceSession(str(files.decoder_onnx), providers=["CPUExecutionProvider"])
        self._inputs = {node.name for node in self._decoder.get_inputs()}

    def encode(
        self, images: np.ndarray, on_progress: Callable[[], None] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Encode images uint8 (N, H, W, C) to latents int8 (N, L) and class scores int8 (N, classes, or none).

        Calls `on_progress` after each image.
        """
        outputs = self.reference.outputs(images, on_progress)
        return outputs[:, : self.latent_size], outputs[:, self.latent_size :]

    def symbols(self, latents: np.ndarray) -> np.ndarray:
        """Map latents int8 (N, L) to symbols int64 (N, S) in the order of sending."""
        return latent_symbols(latents, self.table, self.order)

    def words(self, scores: np.ndarray) -> np.ndarray | None:
        """Return the answer words int64 (N,) of class scores int8 (N, classes); None without an answer head."""
        if self.answer is None:
            return None
        index, confidence = self.answer.answers(scores)
        return np.asarray(answer_word(index, confidence), np.int64)

    def logits(self, symbols: np.ndarray, ber: np.ndarray, words: np.ndarray | None = None) -> np.ndarray:
        """Decode symbols int64 (N, S), -1 where missing, BER float32 (N,) and answer words (N,) to logits.

        Of a general codec, to embeddings (N, D).
        """
        inputs = {"symbols": symbols, "ber": ber, "answer": np.full(len(symbols), -1) if words is None else words}
        return self._decoder.run(None, {name: inputs[name] for name in self._inputs})[0]

    def correct(
        self,
        symbols: np.ndarray,
        words: np.ndarray | None,
        labels: np.ndarray,
        ber: float,
        n_received: int | None = None,
    ) -> np.ndarray:
        """Return which images (N,) with labels (N,) are correctly classified; other arguments as for `decoded`."""
        return self.decoded(symbols, words, ber, n_received).argmax(1) == labels

    def decoded(
        self, symbols: np.ndarray, words: np.ndarray | None, ber: float, n_received: int | None = None
    ) -> np.ndarray:
        """Return the decoder's outputs (N, classes or D) after one draw of flips (seed 0) at a BER.

        symbols (N, S), words (N,). The decoder gets the true BER. Only the first `n_received` symbols arrive; all by
        default.
        """
        rng = np.random.default_rng([0, 2])
        outputs = []
        n_answer = 0 if words is None else ANSWER_BITS
        for first in range(0, len(symbols), BATCH):
            received = symbols[first : first + BATCH]
            answers = None if words is None else words[first : first + BATCH]
            if ber > 0:
                bits = symbols_to_bits(received, self.bits)
                n, n_bits = bits.shape
                mask = payload_flips(("bsc",), np.full(n, ber), n_answer + n_bits, rng)
                received = bits_to_symbols(bits ^ mask[:, n_answer:].astype(np.uint8), self.bits).astype(np.int64)
                if answers is not None:
                    answers = answers ^ symbol_flips(mask[:, :n_answer], ANSWER_BITS)[:, 0]
            if n_received is not None:
                received = received.copy()
                received[:, n_received:] = -1
            outputs.append(self.logits(received, np.full(len(received), ber, np.float32), answers))
        return np.concatenate(outputs)


def symbol_table(codec: DeployableCodec, scale: float, zero_point: int) -> np.ndarray:
    """Return the level of each int8 latent value v at index v + 128, uint8 (256,).

    It is the level of the centre nearest to (v - zero_point) * scale; a tie goes down.
    """
    centres = codec.latent_centres().detach().double().numpy()
    values = (np.arange(-128, 128) - zero_point) * float(scale)
    return np.searchsorted((centres[1:] + centres[:-1]) / 2, values, side="left").astype(np.uint8)
