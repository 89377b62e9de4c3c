"""A board's results for images, by TFLite's reference kernels, whose bytes the firmware reproduces."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import Progress

from benchmarks.command import kept_array
from host.classify.classifier import Classifier, LogitsModel
from host.reference import ReferenceEncoder
from wire.answer import Answer, answer_word
from wire.bundle import Bundle
from wire.model import MIN_BER, Model

ANSWER = -1  # in place of a chunk: the image is sent as an answer frame


@dataclass(frozen=True, eq=False)
class Encoded:
    """A board's results for n images.

    symbols (n, S) int64. classes and confidences (n,) int64: the board's answers; None without an answer head.
    """

    symbols: np.ndarray
    classes: np.ndarray | None = None
    confidences: np.ndarray | None = None

    @classmethod
    def of(cls, model: Model, outputs: np.ndarray) -> "Encoded":
        """Return what follows from the encoder's outputs int8 (n, L + classes)."""
        symbols = model.symbols(outputs[:, : model.latent_size])
        if model.answer is None:
            return cls(symbols)
        return cls(symbols, *model.answer.answers(outputs[:, model.latent_size :]))

    def __getitem__(self, part: slice) -> "Encoded":
        """Return a part of the images."""
        if self.classes is None or self.confidences is None:
            return Encoded(self.symbols[part])
        return Encoded(self.symbols[part], self.classes[part], self.confidences[part])

    def answer(self, i: int) -> Answer | None:
        """Return the board's answer to image i."""
        if self.classes is None or self.confidences is None:
            return None
        return Answer(int(self.classes[i]), int(self.confidences[i]))

    def chunks(self, chunk: int, threshold: int | None = None) -> np.ndarray:
        """Return what a board sends of each image (n,): the chunk, or ANSWER from a confidence level on.

        threshold: None for features only. Raises ValueError if there are no answers.
        """
        if threshold is None:
            return np.full(len(self.symbols), chunk)
        if self.confidences is None:
            raise ValueError("a model without an answer head has no threshold")
        return np.where(self.confidences >= threshold, ANSWER, chunk)


def encode(bundle: Bundle, images: np.ndarray, bar: Progress, file: Path | None = None) -> Encoded:
    """Encode images uint8 (n, H, W, C); see `outputs_of`."""
    return Encoded.of(bundle, outputs_of(bundle.encoder_path, images, bar, file))


def outputs_of(encoder: Path, images: np.ndarray, bar: Progress, file: Path | None = None) -> np.ndarray:
    """Return a .tflite file's outputs int8 (n, outputs). They are kept in `file` and read from there the next time."""

    def make() -> np.ndarray:
        task = bar.add_task(f"{encoder.name}: TFLite's reference kernels", total=len(images))
        return ReferenceEncoder(encoder).outputs(images, partial(bar.advance, task))

    return make() if file is None else kept_array(file, make)


def classes_if_intact(model: Model, decoder: LogitsModel, encoded: Encoded, chunk: int) -> np.ndarray:
    """Return the host's classes (n,) for images of which one chunk arrives undamaged."""
    symbols = np.full_like(encoded.symbols, -1)
    place = model.chunk_slice(chunk)
    symbols[:, place] = encoded.symbols[:, place]
    words = None
    if encoded.classes is not None and encoded.confidences is not None:
        words = answer_word(encoded.classes, encoded.confidences)
    classifier = Classifier({model.model_id: decoder})
    predictions = classifier.decode(model.model_id, symbols, np.full(len(symbols), MIN_BER), words)
    return np.array([prediction.index for prediction in predictions])
