"""Tests of the choice of test images that a bundle is measured on."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from benchmarks.images import held_out_for, images_for
from wire.bundle import Bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Return a bundle of a data set with 100 test images, sorted by their 10 classes; the pixels are the class."""
    labels = np.repeat(np.arange(10), 10)
    images = labels.astype(np.uint8)[:, None, None, None].repeat(3, 3)
    np.savez(tmp_path / "sorted.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    recipe = {"data": {"name": f"npz:{tmp_path}/sorted.npz", "size": None, "grey": False}}
    manifest = {"dataset": "sorted", "accuracy_float_clean": 1.0, "encoder_macs": 1, "recipe": recipe}
    return cast(Bundle, SimpleNamespace(path=tmp_path, manifest=manifest, input_shape=(1, 1, 3), embedding=None))


def test_images_for_takes_as_many_of_every_class(bundle: Bundle) -> None:
    test = images_for(bundle, 20)
    assert np.bincount(test.labels).tolist() == [2] * 10
    assert (test.images[:, 0, 0, 0] == test.labels).all() and (test.index // 10 == test.labels).all()
    assert sorted(test.labels[:10]) == list(range(10))  # the demo's picture shows the first ones


def test_images_for_takes_the_same_every_time_and_no_more_than_there_are(bundle: Bundle) -> None:
    np.testing.assert_array_equal(images_for(bundle, 20).index, images_for(bundle, 20).index)
    assert sorted(images_for(bundle, 1000).index) == list(range(100))


def test_held_out_for_takes_training_images_of_every_class(bundle: Bundle) -> None:
    bundle.manifest["recipe"]["data"]["holdout"] = 50
    images, labels = held_out_for(bundle, 30)
    assert images.shape == (30, 1, 1, 3) and np.bincount(labels).tolist() == [3] * 10
    assert len(held_out_for(bundle, 1000)[1]) == 50
