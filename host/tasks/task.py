"""A task: classes that a host was taught for a general bundle."""

import re
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np

from host.classify.decoder import Prediction, softmax
from host.classify.general import EmbeddingModel
from host.tasks.examples import Examples, Memory, TaskError
from host.tasks.fit import Fit, fit
from wire.bundle import Bundle
from wire.checks import shown

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # a folder's name on every system
SEED = 0  # of the damage of copies and of the folds


@dataclass(frozen=True, eq=False)
class Task:
    """A linear head on a general bundle's embeddings, with its calibration and what it was fitted to."""

    name: str
    model_id: str  # of the encoder
    decoder_sha256: str  # of the decoder.onnx whose embeddings it was fitted to
    classes: tuple[str, ...]
    fitted: Fit
    memory: Memory
    images: dict[str, dict[str, int]]  # number of images by class and source
    seed: int
    date: str  # UTC

    def predict(self, embeddings: np.ndarray) -> list[Prediction | None]:
        """Map embeddings (N, D) to the predicted class of each, None if it is none of the classes."""
        scores = self.fitted.head.scores(embeddings)
        chances = softmax(scores / self.fitted.temperature)
        rejected = scores.max(axis=1) < self.fitted.reject_threshold
        return [
            None if reject else Prediction(index, self.classes[index], float(row[index]))
            for index, row, reject in zip(scores.argmax(axis=1).tolist(), chances, rejected.tolist(), strict=True)
        ]


def teach(
    bundle: Bundle, decoder: EmbeddingModel, name: str, examples: Examples, *, earlier: Task | None = None
) -> Task:
    """Teach a task from examples, all of whose copies are given.

    earlier: the task to add images or classes to; images that it knows are skipped. Raises TaskError if there are too
    few images, or if an image has another class than before.
    """
    check_name(name)
    embeddings = decoder.embeddings(examples.symbols, examples.bers).astype(np.float16)
    classes = list(earlier.classes) if earlier else []
    classes += [label for label in examples.classes if label not in classes]
    wrong = next((label for label in classes if not label.isprintable()), None)
    if wrong is not None:
        raise TaskError(f"class {shown(wrong)} is not printable: give it another name")
    places = np.array([classes.index(label) for label in examples.classes], np.int64)
    new = Memory(embeddings, places[examples.labels], examples.groups, examples.bers.astype(np.float32))
    memory = earlier.memory.joined(new) if earlier else new
    images = {label: Counter(earlier.images.get(label, {}) if earlier else {}) for label in classes}
    added = set(memory.groups.tolist()) - set(earlier.memory.groups.tolist() if earlier else ())
    labels = dict(zip(memory.groups.tolist(), memory.labels.tolist(), strict=True))
    for group in added:
        images[classes[labels[group]]][examples.source] += 1
    return Task(
        name,
        bundle.model_id,
        bundle.manifest["files"]["decoder.onnx"]["sha256"],
        tuple(classes),
        fit(memory, tuple(classes), SEED),
        memory,
        {label: dict(by_source) for label, by_source in images.items()},
        SEED,
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def check_name(name: str) -> None:
    """Raise TaskError if a task cannot have this name, which is that of its folder."""
    if not NAME.fullmatch(name):
        raise TaskError(
            f"a task's name has up to 64 letters a-z and A-Z, digits, '-' and '_', and begins with a letter or digit; "
            f"got {name[:80]!r}"
        )
