"""Inkling: tasks taught as `inkling teach` does, and test images sent as frames through the receiver."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.command import kept_array
from benchmarks.delivery import FrameStream
from benchmarks.encoding import Encoded
from benchmarks.general.data.problems import ImageSet, Problem
from host.classify.classifier import Classifier
from host.classify.decoder import EmbeddingDecoder
from host.classify.general import TaskSet
from host.tasks.examples import Examples
from host.tasks.fit import fit
from host.tasks.ridge import Head
from host.tasks.task import SEED, Task, teach
from wire.bundle import Bundle

OnProgress = Callable[[int], None]


def prefixes(bundle: Bundle) -> dict[int, int]:
    """Return the chunks that are the whole payload, its half and its quarter, by their bytes; those that there are."""
    whole = bundle.chunk_bytes(0)
    sizes = (whole, whole // 2, whole // 4)
    return {
        bundle.chunk_bytes(chunk): chunk
        for chunk, (first, _) in enumerate(bundle.chunks)
        if first == 0 and bundle.chunk_bytes(chunk) in sizes
    }


class Taught:
    """The heads of a set's problems, taught from the images' symbols int64 (N, S) as a board sends them.

    Measurements are kept in `folder`.
    """

    def __init__(
        self, bundle: Bundle, symbols: np.ndarray, images: ImageSet, problems: Sequence[Problem], folder: Path
    ) -> None:
        self._bundle, self._symbols, self._images, self._problems = bundle, symbols, images, problems
        self._folder = folder
        self._decoder = EmbeddingDecoder(bundle)
        self._heads: list[Head] = []

    def teach(self, on_progress: OnProgress) -> None:
        """Teach the tasks that are not kept. `on_progress` is called after each problem."""
        for problem in self._problems:
            rows = kept_array(self._folder / f"head-{problem.name}.npy", partial(self._head, problem))
            self._heads.append(Head(rows[:-1], rows[-1]))
            on_progress(1)

    def seconds(self, problem: Problem) -> float:
        """Return the CPU time of one more fit of a problem's task, without the embeddings."""
        task = self._teach(problem)
        started = time.process_time()
        fit(task.memory, task.classes, SEED)
        return time.process_time() - started

    def counts(self, chunk: int, ber: float, seed: int, on_progress: OnProgress) -> np.ndarray:
        """Return the images correctly classified, delivered and sent (P, 3) of each problem.

        All test images of the set are sent in one stream, in random order, as one chunk each. `seed` is that of the bit
        flips. `on_progress` is called with the number of images sent.
        """

        def make() -> np.ndarray:
            order = self._images.n_pool + np.random.default_rng(seed).permutation(self._images.n_test)
            delivered, embeddings = self._receive(order, FrameStream(self._bundle, chunk, ber, seed), on_progress)
            counts = []
            for problem, head in zip(self._problems, self._heads, strict=True):
                label = np.full(len(self._images.labels), -1)
                label[problem.test] = problem.test_labels
                expected = label[delivered]
                own = expected >= 0
                correct = head.scores(embeddings[own]).argmax(axis=1) == expected[own]
                counts.append([correct.sum(), own.sum(), len(problem.test)])
            return np.array(counts, np.int64)

        return kept_array(self._folder / f"sent-{chunk}-{ber:g}-{seed}.npy", make)

    def _head(self, problem: Problem) -> np.ndarray:
        """Return the weights of a problem's task and, last, its bias (D + 1, C)."""
        head = self._teach(problem).fitted.head
        return np.concatenate([head.weights, head.bias[None]])

    def _teach(self, problem: Problem) -> Task:
        bundle = self._bundle
        examples = Examples(
            self._symbols[problem.taught],
            problem.taught_labels,
            problem.taught,
            np.zeros(len(problem.taught)),
            tuple(f"class {label}" for label in range(problem.n_classes)),
            "images",
        ).with_damaged_copies(bundle.bits_per_symbol, SEED)
        return teach(bundle, self._decoder, problem.name, examples)

    def _receive(
        self, order: np.ndarray, stream: FrameStream, on_progress: OnProgress
    ) -> tuple[np.ndarray, np.ndarray]:
        """Send images `order` (n,); return those that arrive, and their embeddings at the estimated BER."""
        frames = stream.send(Encoded(self._symbols[order]), on_progress)
        arrived = [(index, frame) for index, frame in zip(order.tolist(), frames, strict=True) if frame]
        classifier = Classifier({}, {self._bundle.model_id: TaskSet(None, [])})
        readings = classifier.read_all([frame for _, frame in arrived])
        symbols = np.array([reading.symbols for reading in readings])
        bers = np.array([reading.payload_ber for reading in readings])
        return np.array([index for index, _ in arrived]), self._decoder.embeddings(symbols, bers)
