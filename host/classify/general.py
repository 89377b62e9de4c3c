"""General bundles: the embedding of each image is decoded once, and every task predicts from it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from host.classify.decoder import Decoders, Prediction
from wire.bundle import Bundle

TaskPredictions = dict[str, Prediction | None]  # by the task's name; None: none of its classes


class TaskModel(Protocol):
    """Interface of a task."""

    @property
    def name(self) -> str: ...

    @property
    def model_id(self) -> str: ...

    def predict(self, embeddings: np.ndarray) -> list[Prediction | None]:
        """Map embeddings (N, D) to the predicted class of each, None if it is none of the task's classes."""


class EmbeddingModel(Protocol):
    """Interface of a general bundle's decoder."""

    def embeddings(self, symbols: np.ndarray, ber: np.ndarray) -> np.ndarray:
        """Map symbols (N, S) and bit error rates (N,) to embeddings (N, D), as EmbeddingDecoder does."""


@dataclass(frozen=True)
class TaskSet:
    """Tasks of one general bundle. Without tasks, nothing is decoded and no decoder is needed."""

    decoder: EmbeddingModel | None
    tasks: Sequence[TaskModel]
    decoders: Decoders = field(default_factory=Decoders)  # where the decoder of the first task comes from

    @classmethod
    def of(cls, bundle: Bundle, tasks: Sequence[TaskModel], decoders: Decoders) -> "TaskSet":
        """Return the tasks that are the bundle's. Raises HostError if they need its decoder and it cannot be run."""
        own = [task for task in tasks if task.model_id == bundle.model_id]
        return cls(decoders.embedding_of(bundle) if own else None, own, decoders)

    def with_task(self, bundle: Bundle, task: TaskModel) -> "TaskSet":
        """Return these tasks of a bundle and another, in place of one with its name. Raises HostError as `of` does."""
        others = [one for one in self.tasks if one.name != task.name]
        return TaskSet.of(bundle, [*others, task], self.decoders)

    def predict(self, symbols: np.ndarray, ber: np.ndarray) -> list[TaskPredictions]:
        """Return the predictions of all tasks for each of the symbols (N, S) with bit error rates (N,)."""
        if self.decoder is None:
            return [{} for _ in symbols]
        embeddings = self.decoder.embeddings(symbols, ber)
        by_task = {task.name: task.predict(embeddings) for task in self.tasks}
        return [{name: predictions[i] for name, predictions in by_task.items()} for i in range(len(symbols))]
