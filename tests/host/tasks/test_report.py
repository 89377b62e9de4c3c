"""Figures of a task by prefix, bit error rate and number of taught images."""

from dataclasses import replace

import numpy as np
import pytest

from host.classify.decoder import EmbeddingDecoder
from host.tasks import report
from host.tasks.examples import Examples
from host.tasks.fit import Regression
from host.tasks.task import Task
from tests.support.tasks import CLASSES, make_examples, make_task
from wire.bundle import Bundle


def reported(bundle: Bundle, task: Task, examples: Examples) -> Task:
    copies = examples.with_damaged_copies(bundle.bits_per_symbol, 0)
    return report.with_report(task, bundle, EmbeddingDecoder(bundle), copies)


def test_report_has_prefixes_bit_errors_and_shots(general: Bundle) -> None:
    task = reported(general, make_task(general), make_examples(general))
    figures = task.fitted.figures
    assert make_task(general).fitted.figures.items() <= figures.items()
    (prefix,), (damaged,) = figures["by_prefix"], figures["by_ber"]
    assert (prefix["bytes"], prefix["images"], damaged["images"]) == (general.chunk_bytes(1), 24, 24)
    assert damaged["mean_ber"] == pytest.approx(0.1008, abs=1e-4)
    assert [(few["images_per_class"], few["images"]) for few in figures["by_shots"]] == [(2, 18), (5, 9)]
    assert all(few["accuracy"] > 0.5 for few in figures["by_shots"])


@pytest.mark.parametrize("kind", ["by_ber", "by_prefix"])
def test_report_judges_images_by_heads_without_them(general: Bundle, kind: str) -> None:
    examples = make_examples(general)
    task = make_task(general)
    (figures,) = reported(general, task, examples).fitted.figures[kind]
    memory, regression = task.memory, Regression.of(task.memory, len(CLASSES), task.seed)
    rng = np.random.default_rng(task.seed)
    chosen = examples.rows(rng.permutation(np.unique(examples.groups, return_index=True)[1]))
    if kind == "by_ber":
        received = chosen.damaged(report.BER, general.bits_per_symbol, rng)
    else:
        received = replace(chosen, symbols=np.where(np.arange(general.n_symbols) < 24, chosen.symbols, -1))
    embeddings = EmbeddingDecoder(general).embeddings(received.symbols, received.bers)
    correct = []
    for embedding, group, label in zip(embeddings, chosen.groups, chosen.labels, strict=True):
        (fold,) = [fold for fold in regression.folds if group in memory.groups[fold]]
        rest = np.setdiff1d(np.arange(len(memory.groups)), fold)
        weights = regression.weights[rest]
        rows, targets = memory.embeddings[rest].astype(float), np.eye(3)[memory.labels[rest]]
        centre = weights @ rows / weights.sum()
        gram = (rows - centre).T * weights @ (rows - centre) + task.fitted.regulariser * np.eye(rows.shape[1])
        products = (rows - centre).T * weights @ (targets - weights @ targets / weights.sum())
        scores = (embedding - centre) @ np.linalg.solve(gram, products) + weights @ targets / weights.sum()
        correct.append(scores.argmax() == label)
    assert figures["accuracy"] == pytest.approx(np.mean(correct), abs=1e-4)


def test_report_of_added_images_is_of_these(general: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    task, new = make_task(general), make_examples(general, ("cat",), 3)
    figures = reported(general, task, new).fitted.figures
    assert figures["by_ber"][0]["images"] == 3 and figures["images"] == 24
    monkeypatch.setattr(report, "IMAGES", 2)
    assert reported(general, task, new).fitted.figures["by_prefix"][0]["images"] == 2


def test_damaged_keeps_symbols_that_were_not_received(general: Bundle) -> None:
    examples = make_examples(general)
    cut = replace(examples, symbols=np.where(np.arange(general.n_symbols) < 10, examples.symbols, -1))
    received = cut.damaged(0.1, general.bits_per_symbol, np.random.default_rng(0))
    assert (received.symbols[:, 10:] == -1).all() and (received.symbols[:, :10] != cut.symbols[:, :10]).mean() > 0.1
    assert received.bers == pytest.approx(cut.bers + 0.1 - 0.2 * cut.bers)
