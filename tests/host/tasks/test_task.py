"""Tasks: teaching, prediction, rejection, and classes added later."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from host.classify.decoder import EmbeddingDecoder
from host.tasks.examples import Examples, TaskError
from host.tasks.fit import REGULARISERS, _folds, _row_weights
from host.tasks.ridge import Ridge
from host.tasks.task import Task, check_name, teach
from tests.support.host import make_bundle
from tests.support.tasks import BER, CLASSES, class_symbols, make_examples, make_task
from wire.bundle import Bundle


def taught(bundle: Bundle, examples: Examples, earlier: Task | None = None) -> Task:
    copies = examples.with_damaged_copies(bundle.bits_per_symbol, 0)
    return teach(bundle, EmbeddingDecoder(bundle), "animals", copies, earlier=earlier)


def predict(bundle: Bundle, task: Task, symbols: list[np.ndarray]) -> list[str | None]:
    embeddings = EmbeddingDecoder(bundle).embeddings(np.array(symbols), np.full(len(symbols), BER))
    return [prediction.label if prediction else None for prediction in task.predict(embeddings)]


def test_task_predicts_new_images_of_its_classes(general: Bundle) -> None:
    task = make_task(general)
    assert (task.model_id, task.classes) == (general.model_id, CLASSES)
    assert task.images == {name: {"tests": 8} for name in CLASSES}
    expected = [name for name in CLASSES for _ in range(20)]
    symbols = [class_symbols(general, ord(name[0]), 100 + n) for name in CLASSES for n in range(20)]
    found = predict(general, task, symbols)
    assert np.mean([a == b for a, b in zip(found, expected, strict=True)]) > 0.85
    assert task.fitted.figures["accuracy"] > 0.85
    (certain,) = task.predict(EmbeddingDecoder(general).embeddings(np.array(symbols[:1]), np.array([BER])))
    assert certain is not None and certain.index == 0 and 1 / 3 < certain.confidence <= 1


def test_task_rejects_images_of_other_classes(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "larger", embedding=100)
    task = make_task(bundle, classes=("ant", "bee", "cat", "dog", "elk"))
    rng = np.random.default_rng(0)
    strange = predict(bundle, task, [rng.integers(0, 8, bundle.n_symbols) for _ in range(100)])
    known = predict(bundle, task, [class_symbols(bundle, ord("d"), 100 + n) for n in range(100)])
    assert known.count(None) < 15 < 50 < strange.count(None)
    assert task.fitted.figures["rejected"] <= 0.1


def test_figures_count_each_image_once(general: Bundle) -> None:
    figures = make_task(general).fitted.figures
    assert figures["images"] == 24 and np.array(figures["confusion"]).sum(axis=1).tolist() == [8, 8, 8]
    assert np.trace(figures["confusion"]) == round(24 * figures["accuracy"])
    assert [copy["images"] for copy in figures["by_copy"]] == [24, 24, 24]
    assert [copy["mean_ber"] for copy in figures["by_copy"]] == [1e-3, 0.01098, 0.0509]
    assert {name: values["images"] for name, values in figures["by_class"].items()} == dict.fromkeys(CLASSES, 8)
    low, high = figures["interval_95"]
    assert low < figures["accuracy"] <= high


def test_left_out_accuracy_is_that_of_heads_without_the_image(general: Bundle) -> None:
    task = make_task(general)
    memory, regulariser = task.memory, task.fitted.regulariser
    counts = np.array([8, 8, 8])
    weights, targets = _row_weights(memory, counts), np.eye(3)[memory.labels]
    assert weights.sum() == pytest.approx(1) and regulariser in REGULARISERS
    folds, correct = _folds(memory, counts, task.seed), np.zeros(len(memory.labels), bool)
    assert [len(fold) for fold in folds] == [9] * 8, "three classes, three copies"
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(memory.labels)), fold)
        assert not set(memory.groups[fold]) & set(memory.groups[rest])
        head = Ridge(memory.embeddings[rest].astype(float), targets[rest], weights[rest]).head(regulariser)
        correct[fold] = head.scores(memory.embeddings[fold]).argmax(axis=1) == memory.labels[fold]
    expected = [correct[memory.copies == copy].mean() for copy in range(3)]
    assert [copy["accuracy"] for copy in task.fitted.figures["by_copy"]] == pytest.approx(expected, abs=1e-4)


def test_classes_have_equal_weight_however_many_images(general: Bundle) -> None:
    many, few = make_examples(general, ("ant",), 30), make_examples(general, ("bee",), 3)
    task = taught(general, few, taught_pair(general, many))
    weights = _row_weights(task.memory, np.array([30, 2, 3]))
    assert [weights[task.memory.labels == label].sum() for label in range(3)] == pytest.approx([1 / 3] * 3)


def taught_pair(bundle: Bundle, examples: Examples) -> Task:
    """Return a task of these examples and two images of cats."""
    cats = make_examples(bundle, ("cat",), 2)
    both = Examples(
        np.concatenate([examples.symbols, cats.symbols]),
        np.concatenate([examples.labels, cats.labels + len(examples.classes)]),
        np.concatenate([examples.groups, cats.groups]),
        np.concatenate([examples.bers, cats.bers]),
        (*examples.classes, "cat"),
        "tests",
    )
    return taught(bundle, both)


def test_class_added_later_gives_the_task_of_all_images(general: Bundle) -> None:
    whole = make_task(general)
    earlier = make_task(general, classes=("ant", "bee"))
    later = taught(general, make_examples(general, ("cat",)), earlier)
    assert later.classes == whole.classes and later.images == whole.images
    order = [np.argsort(task.memory.groups, kind="stable") for task in (whole, later)]
    assert (whole.memory.embeddings[order[0]].shape, len(later.memory.labels)) == ((72, 20), 72)
    symbols = [class_symbols(general, ord(name[0]), 100) for name in CLASSES]
    embeddings = EmbeddingDecoder(general).embeddings(np.array(symbols), np.full(3, BER))
    scores = [task.fitted.head.scores(embeddings) for task in (whole, later)]
    np.testing.assert_allclose(scores[0], scores[1], atol=0.2)  # other damage, else the same


def test_known_images_are_not_added_twice(general: Bundle) -> None:
    task = make_task(general)
    again = taught(general, make_examples(general, images=10), task)
    assert again.images == {name: {"tests": 10} for name in CLASSES} and len(again.memory.labels) == 90


def test_image_cannot_change_its_class(general: Bundle) -> None:
    examples = make_examples(general)
    renamed = replace(examples, classes=("ant", "cat", "bee"))
    with pytest.raises(TaskError, match="another class now: teach all anew with --force"):
        taught(general, renamed, make_task(general))


@pytest.mark.parametrize(
    ("classes", "images", "message"),
    [
        (("ant",), 8, "a task needs at least 2 classes: add one, such as 'other'"),
        (("ant", "bee"), 1, "class 'ant' has 1 image: at least 2 are needed"),
        (("ant", "b\x1bee"), 8, r"class 'b\\x1bee' is not printable: give it another name"),
    ],
)
def test_teach_refuses_too_few_and_names_that_cannot_be_shown(
    general: Bundle, classes: tuple[str, ...], images: int, message: str
) -> None:
    with pytest.raises(TaskError, match=message):
        taught(general, make_examples(general, classes, images))


def test_two_images_of_two_classes_are_enough(general: Bundle) -> None:
    task = taught(general, make_examples(general, ("ant", "bee"), 2))
    assert np.isfinite(task.fitted.temperature) and task.fitted.figures["images"] == 4


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "-a", "ä", "a\n", "x" * 65])
def test_check_name_refuses_what_is_no_folder(name: str) -> None:
    with pytest.raises(TaskError, match="a task's name has up to 64 letters") as error:
        check_name(name)
    assert "\n" not in str(error.value)
