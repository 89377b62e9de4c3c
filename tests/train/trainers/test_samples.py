"""Tests of the images that a trainer holds out and calibrates with, on data sorted by class."""

import numpy as np
import pytest

from train.data.datasets import Dataset
from train.data.sampling import split_holdout
from train.errors import TrainError
from train.trainers.int8 import CALIBRATION_IMAGES, calibration_images

DARK, BRIGHT = 5, 255


def sorted_by_class(per_class: int = 200) -> Dataset:
    """Return ten classes one after the other; the images of the first are dark, all others bright."""
    labels = np.repeat(np.arange(10), per_class)
    images = np.where(labels == 0, DARK, BRIGHT).astype(np.uint8)[:, None, None, None].repeat(3, 3)
    return Dataset("test", images, labels, images, labels, tuple("abcdefghij"))


def test_calibration_images_are_of_all_classes() -> None:
    data = sorted_by_class()
    train, _ = split_holdout(data, 100)
    pixels = calibration_images(data, train).flatten(1)[:, 0]
    assert len(pixels) == CALIBRATION_IMAGES == 500
    assert int((pixels < 0.5).sum()) == 50  # the dark tenth; the first 500 images would have 190
    assert pixels.max() == 1.0


def test_split_holdout_shares_no_image_and_holds_out_the_same_share_of_every_class() -> None:
    data = sorted_by_class()
    train, held = split_holdout(data, 100)
    assert sorted([*train, *held]) == list(range(2000))
    assert np.bincount(data.y_train[held]).tolist() == [10] * 10
    assert list(held) == sorted(held) and held[0] > 0


def test_split_holdout_smaller_part_is_in_the_larger_one() -> None:
    data = sorted_by_class()
    assert set(split_holdout(data, 77)[1]) < set(split_holdout(data, 300)[1])


def test_split_holdout_takes_a_share() -> None:
    assert len(split_holdout(sorted_by_class(), 0.05)[1]) == 100
    assert len(split_holdout(sorted_by_class(1), 0.01)[1]) == 1  # at least one of ten images


@pytest.mark.parametrize("holdout", [50, 51, 0.999])
def test_split_holdout_refuses_to_hold_out_everything(holdout: int) -> None:
    with pytest.raises(TrainError, match=f"data.holdout = {holdout}, but there are 50 training images"):
        split_holdout(sorted_by_class(5), holdout)
