"""Figures of a taught task beyond those of its fit: shorter payloads, stronger damage, fewer images per class."""

from dataclasses import replace
from typing import Any

import numpy as np

from host.classify.general import EmbeddingModel
from host.tasks.examples import Examples, Memory
from host.tasks.fit import Regression, share_of
from host.tasks.task import Task
from wire.bundle import Bundle

IMAGES = 400  # that are decoded once more for each payload and bit error rate, at most
BER = 1e-1  # beyond those of the taught copies
SHOTS = (2, 5, 10, 20, 50, 100)  # images per class; those that the smallest class has more of


def with_report(task: Task, bundle: Bundle, decoder: EmbeddingModel, examples: Examples) -> Task:
    """Return a task with the figures `by_prefix`, `by_ber` and `by_shots`, all of images that the judged head lacks.

    examples: what was taught just now, the least damaged copy of an image first. Only of these are there payloads.
    """
    memory = task.memory
    regression = Regression.of(memory, len(task.classes), task.seed)
    figures = {
        **task.fitted.figures,
        **_by_payload(task, regression, bundle, decoder, examples),
        "by_shots": _by_shots(task, regression.counts),
    }
    return replace(task, fitted=replace(task.fitted, figures=figures))


def _by_payload(
    task: Task, regression: Regression, bundle: Bundle, decoder: EmbeddingModel, examples: Examples
) -> dict[str, Any]:
    """Return the accuracies by prefix of the payload, and at BER."""
    rng = np.random.default_rng(task.seed)
    _, first = np.unique(examples.groups, return_index=True)
    chosen = examples.rows(rng.permutation(first)[:IMAGES])
    fold_of_row = np.empty(len(task.memory.groups), np.int64)
    for number, fold in enumerate(regression.folds):
        fold_of_row[fold] = number
    known = {group: row for row, group in enumerate(task.memory.groups.tolist())}
    rows = np.array([known[group] for group in chosen.groups.tolist()])
    labels, fold_of = task.memory.labels[rows], fold_of_row[rows]

    def accuracy(received: Examples) -> dict[str, Any]:
        embeddings = decoder.embeddings(received.symbols, received.bers).astype(np.float64)
        scores = regression.ridge.left_out_scores_of(task.fitted.regulariser, regression.folds, embeddings, fold_of)
        return share_of(scores.argmax(axis=1) == labels)

    by_prefix = []
    for chunk, (start, count) in enumerate(bundle.chunks):
        if start == 0 and count < bundle.n_symbols:
            symbols = np.where(np.arange(bundle.n_symbols) < count, chosen.symbols, -1)
            by_prefix.append({"bytes": bundle.chunk_bytes(chunk)} | accuracy(replace(chosen, symbols=symbols)))
    damaged = chosen.damaged(BER, bundle.bits_per_symbol, rng)
    by_ber = [{"mean_ber": float(f"{damaged.bers.mean():.4g}")} | accuracy(damaged)]
    return {"by_prefix": by_prefix, "by_ber": by_ber}


def _by_shots(task: Task, counts: np.ndarray) -> list[dict[str, Any]]:
    """Return the accuracies of heads taught some images of each class, on the others; the regulariser is the task's."""
    memory, rng = task.memory, np.random.default_rng(task.seed)
    order = {label: rng.permutation(np.unique(memory.groups[memory.labels == label])) for label in range(len(counts))}
    found = []
    for shots in SHOTS:
        if shots >= counts.min():
            break
        taught = np.isin(memory.groups, np.concatenate([groups[:shots] for groups in order.values()]))
        judged = ~taught & (memory.copies == 0)
        part = Memory(memory.embeddings[taught], memory.labels[taught], memory.groups[taught], memory.bers[taught])
        head = Regression.of(part, len(counts), task.seed).ridge.head(task.fitted.regulariser)
        correct = head.scores(memory.embeddings[judged]).argmax(axis=1) == memory.labels[judged]
        found.append({"images_per_class": shots} | share_of(correct))
    return found
