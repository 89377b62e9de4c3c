"""Actions with a real general bundle: previews, and tasks taught from labelled readings."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.classify.preview import PreviewDecoder
from host.errors import HostError
from host.serve.actions import BundleActions
from host.serve.interface import Lesson
from host.serve.stored import ReadingQuery
from host.tasks.files import load as load_task
from host.tasks.task import Task
from tests.host.serve.garden import LABELLED, SITE, Garden
from wire.bundle import Bundle, load


@pytest.fixture
def bundle(general: Bundle, tmp_path: Path) -> Bundle:
    """A copy of the general bundle without tasks."""
    return load(Path(shutil.copytree(general.path, tmp_path / "general64", ignore=shutil.ignore_patterns("tasks"))))


@pytest.fixture
def taught() -> list[tuple[str, Task]]:
    return []


@pytest.fixture
def actions(bundle: Bundle, garden: Garden, taught: list[tuple[str, Task]]) -> BundleActions:
    return BundleActions(
        [garden.bundles[0], bundle],
        garden.store,
        lambda bundle, task: taught.append((bundle.name, task)),
        lambda site, device: None,
        lambda: {"status": "ok"},
    )


def test_bundles_tell_what_they_can_do(actions: BundleActions) -> None:
    cifar10, general = actions.bundles()
    assert (cifar10.general, cifar10.preview, len(cifar10.classes), cifar10.n_symbols) == (False, False, 10, 368)
    assert (general.general, general.preview, general.classes, general.levels) == (True, True, (), 8)


def test_preview_is_the_image_of_the_preview_network(actions: BundleActions, garden: Garden, bundle: Bundle) -> None:
    reading = garden.store.reading(f"{SITE}-12-5")
    assert reading is not None
    preview = actions.preview(reading)
    assert preview is not None
    symbols, ber = np.array([reading.symbols]), np.array([reading.payload_ber], np.float32)
    expected = PreviewDecoder(bundle).images(symbols, ber)[0]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(preview))), expected)
    plain = garden.store.reading(f"{SITE}-3-1")
    assert plain is not None
    assert actions.preview(plain) is None, "its bundle has no preview network"


def test_teach_makes_a_task_that_is_used_and_kept(
    actions: BundleActions, bundle: Bundle, taught: list[tuple[str, Task]]
) -> None:
    steps: list[str] = []
    report = actions.teach(Lesson(bundle.model_id, "animals", ("fox", "deer", "nothing")), steps.append)
    assert steps[0] == "reading the labelled readings"
    assert report["classes"] == ["fox", "deer", "nothing"]
    assert report["accuracy"] > 0.7
    assert {name: values["images"] for name, values in report["by_class"].items()} == LABELLED
    ((name, task),) = taught
    assert (name, task.classes, load_task(bundle, "animals").classes) == ("general64", task.classes, task.classes)
    assert actions.bundles()[1].tasks == {"animals": ("fox", "deer", "nothing")}


def test_teach_leaves_readings_out_and_adds_to_a_task(actions: BundleActions, garden: Garden, bundle: Bundle) -> None:
    foxes = [one.id for one, label in garden.store.stream(ReadingQuery(labelled=True)) if label == "fox"]
    actions.teach(Lesson(bundle.model_id, "animals", ("fox", "deer"), tuple(foxes[:5])), lambda step: None)
    with pytest.raises(HostError, match="add to it, or replace it"):
        actions.teach(Lesson(bundle.model_id, "animals", ("fox", "deer")), lambda step: None)
    report = actions.teach(Lesson(bundle.model_id, "animals", ("nothing",), (), "add"), lambda step: None)
    counts = {name: values["images"] for name, values in report["by_class"].items()}
    assert counts == {"fox": LABELLED["fox"] - 5, "deer": LABELLED["deer"], "nothing": LABELLED["nothing"]}
    replaced = actions.teach(Lesson(bundle.model_id, "animals", ("fox", "nothing"), (), "replace"), lambda step: None)
    assert list(replaced["by_class"]) == ["fox", "nothing"]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"model_id": "00000000"}, "no general bundle"), ({"model_id": "78bf6e53"}, "no general bundle"),
        ({"labels": ("fox", "wolf")}, "no reading of this bundle has the label 'wolf'"),
        ({"labels": ("fox",)}, "at least 2 classes"), ({"mode": "add"}, "no task 'animals' to add to"),
    ],
)  # fmt: skip
def test_teach_refuses_what_cannot_be_taught(
    actions: BundleActions, bundle: Bundle, change: dict, part: str, taught: list[tuple[str, Task]]
) -> None:
    lesson = {"model_id": bundle.model_id, "task": "animals", "labels": ("fox", "deer")} | change
    with pytest.raises(HostError, match=part):
        actions.teach(Lesson(**lesson), lambda step: None)
    assert taught == []
