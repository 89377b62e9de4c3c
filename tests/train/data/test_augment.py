"""Augmented views of training images."""

import numpy as np
import pytest
import torch

from train.config import DataConfig
from train.data.augment import Views, as_input


def random_images(count: int = 5, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (count, 9, 7, channels), dtype=np.uint8)  # 0 is padding


def view(images: np.ndarray, number: int, seed: int = 3, pad: int = 2, flip: bool = True) -> np.ndarray:
    """Return view `number` of all images as uint8 (N, H, W, C)."""
    views = Views(images, DataConfig("test", crop_padding=pad, flip=flip), seed)
    views.choose(number)
    batch = views.batch(torch.arange(len(images)))
    return np.rint(batch.permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)


def test_views_depend_on_number_and_seed_alone() -> None:
    images = random_images(20)
    np.testing.assert_array_equal(view(images, 4), view(images, 4))
    assert not np.array_equal(view(images, 4), view(images, 5))
    assert not np.array_equal(view(images, 4), view(images, 4, seed=4))


@pytest.mark.parametrize("channels", [1, 3])
def test_views_are_crops_of_their_own_image_flipped_or_not(channels: int) -> None:
    images = random_images(80, channels)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    views = set()
    for image, seen in zip(padded, view(images, 1), strict=True):
        crops = {
            (row, column, flipped): crop[:, ::-1] if flipped else crop
            for row in range(5)
            for column in range(5)
            for crop in [image[row : row + 9, column : column + 7]]
            for flipped in (False, True)
        }
        places = [place for place, crop in crops.items() if np.array_equal(crop, seen)]
        assert len(places) == 1
        views.add(places[0])
    assert {row for row, _, _ in views} == {column for _, column, _ in views} == set(range(5))
    assert {flipped for _, _, flipped in views} == {False, True}


def test_views_batch_is_its_part_of_the_view() -> None:
    views = Views(random_images(8), DataConfig("test", crop_padding=2), 3)
    views.choose(2)
    whole = views.batch(torch.arange(8))
    assert torch.equal(views.batch(torch.tensor([6, 1, 6])), whole[[6, 1, 6]])


def test_views_without_padding_and_flip_are_the_images() -> None:
    np.testing.assert_array_equal(view(random_images(), 9, pad=0, flip=False), random_images())


def test_as_input_divides_pixels_by_255_and_nothing_else() -> None:
    converted = as_input(torch.from_numpy(random_images()))
    np.testing.assert_array_equal(converted, random_images().transpose(0, 3, 1, 2).astype(np.float32) / 255)
