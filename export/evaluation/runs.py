"""Finished runs as subjects of an evaluation, in PyTorch: codecs, split codecs and base classifiers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from export.errors import ExportError
from export.evaluation.data import NO_CLASSES
from export.evaluation.subject import Encoded, Subject
from train import evaluate, settings
from train.codecs.deployable import Payload, SymbolCodec
from train.config import GENERAL, ClassifierConfig, CodecConfig, RunConfig, kind_of
from train.data.augment import as_input
from train.data.datasets import Dataset, load_for
from train.trainers.classifier import load_classifier
from train.trainers.codec import load_codec
from train.trainers.split import SplitConfig, load_split_codec
from wire.answer import CONFIDENCES, answer_word

BATCH = 500


class CodecSubject:
    """A codec; encoders with int8 epochs compute in int8, rounded as in training."""

    alone = "board"

    def __init__(self, codec: SymbolCodec, chunks: tuple[tuple[int, int], ...], n_classes: int) -> None:
        self._codec, self._n_classes = codec, n_classes
        self._payload, self._images = Payload(torch.zeros(0)), np.zeros(0, np.uint8)
        self.prefixes = {f"{count} symbols": count for first, count in chunks if first == 0}

    def encode(self, images: np.ndarray, on_progress: Callable[[], None]) -> Encoded:
        """See Subject.encode."""
        self._payload, self._images = evaluate.encode(self._codec, images), images
        for _ in images:
            on_progress()
        symbols, words = self._payload.symbols.numpy(), self._payload.answers
        answers = (None, None) if words is None else answers_of(words.numpy(), self._n_classes)
        return Encoded(symbols if self.prefixes else None, *answers)

    def predict(self, encoded: Encoded, n_symbols: int, ber: float, draw: int) -> np.ndarray:
        """See Subject.predict; of the images that were encoded last. An encoder that adapts to the BER is given it."""
        payload = evaluate.encode(self._codec, self._images, ber) if self._codec.adapts else self._payload
        logits = evaluate.logits(self._codec, payload, ber, n_symbols, draw)
        return logits.argmax(1).numpy()


class ClassifierSubject:
    """A base classifier: no link, one class per image."""

    alone = "classifier"
    prefixes: dict[str, int]

    def __init__(self, model: nn.Module) -> None:
        self._model, self.prefixes = model, {}

    @torch.no_grad()
    def encode(self, images: np.ndarray, on_progress: Callable[[], None]) -> Encoded:
        """See Subject.encode."""
        classes = []
        for part in torch.from_numpy(images).split(BATCH):
            classes.append(self._model(as_input(part)).argmax(1).numpy())
            for _ in part:
                on_progress()
        return Encoded(None, np.concatenate(classes), None)

    def predict(self, encoded: Encoded, n_symbols: int, ber: float, draw: int) -> np.ndarray:
        """Raise ValueError: it sends nothing."""
        raise ValueError("a base classifier sends nothing")


def load(folder: Path, log: Callable[[str], None]) -> tuple[Subject, RunConfig, Dataset]:
    """Load the run in a folder with its data.

    Raises TrainError if it is not finished, and ExportError for a run of a general codec.
    """
    values: Any = settings.read_run(folder)
    if isinstance(values, dict) and "architecture" in values:
        classifier_config = ClassifierConfig.from_run(folder)
        data = load_for(classifier_config.data, log)
        return ClassifierSubject(load_classifier(folder, data)[0]), classifier_config, data
    if isinstance(values, dict) and "system" in values:
        split_config = SplitConfig.from_run(folder)
        data = load_for(split_config.data, log)
        split = load_split_codec(folder, data)[0]
        return CodecSubject(split, ((0, split.n_symbols),), len(data.classes)), split_config, data
    if kind_of(values) == GENERAL:
        raise ExportError(f"{folder} {NO_CLASSES}")
    config = CodecConfig.from_run(folder)
    data = load_for(config.data, log)
    codec = load_codec(folder, config, data)[0]
    return CodecSubject(codec, codec.chunks if codec.n_symbols else (), len(data.classes)), config, data


def answers_of(words: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the class indices (N,) and confidence levels (N,) of undamaged answer words (N,)."""
    known = answer_word(np.arange(n_classes)[:, None], np.arange(CONFIDENCES)).ravel()
    order = np.argsort(known)
    classes, confidences = np.divmod(order[np.searchsorted(known[order], words)], CONFIDENCES)
    return classes, confidences
