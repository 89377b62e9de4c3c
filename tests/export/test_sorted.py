"""Export of a run whose images are sorted by class, as in a folder with one folder per class."""

from pathlib import Path

import numpy as np
import pytest

from tests.support import train as train_support
from train.data.datasets import CIFAR10_CLASSES
from wire.bundle import load

COPIES = 96  # of each image: more than 500 training images are of the first class


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bundle of a run whose first class has dark images only, and all of these first."""
    folder = tmp_path_factory.mktemp("sorted")
    images, labels = train_support.golden()
    images = np.where((labels < 2)[:, None, None, None], images // 32, images)
    order = np.argsort(np.tile(labels, COPIES), kind="stable")
    np.savez(
        folder / "sorted.npz",
        x_train=np.tile(images, (COPIES, 1, 1, 1))[order],
        y_train=np.tile(labels, COPIES)[order],
        x_test=images[np.argsort(labels)],
        y_test=np.sort(labels),
        classes=CIFAR10_CLASSES,
    )
    config = folder / "sorted.toml"
    config.write_text(train_support.CONFIG.format(npz=folder / "sorted.npz"))
    words = ("--set", "schedule.epochs=2", "--set", "schedule.qat_epochs=1", "--threads", 1)
    assert train_support.main(config, *words, "--out", folder / "run") == 0
    assert train_support.main(folder / "run", "-o", folder / "bundle", module="export") == 0
    return folder / "bundle"


@pytest.mark.training
@pytest.mark.slow
def test_export_of_sorted_images_keeps_the_accuracy_of_bright_ones(bundle_folder: Path) -> None:
    """Ranges measured on dark images alone would clip all others, and the export would fail."""
    manifest = load(bundle_folder).manifest
    assert manifest["accuracy_float_clean"] > 0.9
    assert manifest["accuracy"]["0"] >= manifest["accuracy_float_clean"] - 0.04


@pytest.mark.training
@pytest.mark.slow
def test_golden_images_of_sorted_images_are_of_all_classes(bundle_folder: Path) -> None:
    with np.load(load(bundle_folder).golden_path) as golden:
        labels = golden["labels"]
    assert set(labels[:10]) == set(range(10))
