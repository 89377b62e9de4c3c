"""Pools of images of several data sets, whose labels number the images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.train import golden, write_npz
from train.config import GeneralConfig
from train.data.pool import load_pool
from train.errors import TrainError


def config(name: str, more: list[str] | None = None, **embedding: object) -> GeneralConfig:
    """Return a config of a general codec with these data sets."""
    size = {"size": [32, 32]} if name.startswith("folder:") else {}
    return GeneralConfig.from_dict(
        {
            "name": "test",
            "data": {"name": name, **size},
            "encoder": {"layers": ["conv4s2 4", "head 2"]},
            "embedding": {"more": more or [], **embedding},
            "schedule": {"epochs": 1, "qat_epochs": 1},
        }
    )


@pytest.fixture
def sets(tmp_path: Path) -> tuple[str, str, str]:
    """Images of 32 x 32 with 10 classes, the same at 16 x 16, and a folder of pictures without classes."""
    images, labels = golden()
    large = write_npz(tmp_path / "large.npz", images, labels, copies=2)
    small = write_npz(tmp_path / "small.npz", np.ascontiguousarray(images[:, ::2, ::2]), labels, copies=1)
    folder = tmp_path / "photos" / "2026"
    folder.mkdir(parents=True)
    for number, image in enumerate(images[:5]):
        Image.fromarray(image).save(folder / f"{number}.png")
    return f"npz:{large}", f"npz:{small}", f"folder:{tmp_path / 'photos'}"


def test_pool_holds_all_images_at_the_first_sets_size(sets: tuple[str, str, str]) -> None:
    images, _ = golden()
    n, lines = len(images), list[str]()
    data = load_pool(config(sets[0], [*sets[1:]]), lines.append)
    assert data.x_train.shape == (2 * n + n + 4, 32, 32, 3)  # one picture of the folder is kept for testing
    assert data.x_test.shape == (2 * n + 1, 32, 32, 3)
    numbers = np.concatenate([data.y_train, data.y_test])
    np.testing.assert_array_equal(numbers, np.arange(len(numbers)))
    enlarged = data.x_train[2 * n]
    assert np.abs(enlarged.astype(int) - data.x_train[0]).mean() < 30  # the same picture, coarser
    assert lines == [f"{sets[0]}: {2 * n} images", f"{sets[1]}: {n} images", f"{sets[2]}: 4 images"]


def test_pool_never_holds_the_classes_left_out(sets: tuple[str, str, str]) -> None:
    images, labels = golden()
    data = load_pool(config(sets[0], left_out=[0, 3]), lambda _: None)
    kept = images[~np.isin(labels, [0, 3])]
    for part in (data.x_train, data.x_test):
        assert {image.tobytes() for image in part} == {image.tobytes() for image in kept}


@pytest.mark.parametrize("left_out", [[10], [-1]])
def test_pool_refuses_classes_that_the_set_has_not(sets: tuple[str, str, str], left_out: list[int]) -> None:
    with pytest.raises(TrainError, match=r"embedding\.left_out: npz:.* has the classes 0 to 9"):
        load_pool(config(sets[0], left_out=left_out), lambda _: None)


def test_pool_refuses_a_folder_without_pictures_and_grey_images(sets: tuple[str, str, str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainError, match=r"needs two or more images .*, found 0"):
        load_pool(config(sets[0], [f"folder:{tmp_path / 'empty'}"]), lambda _: None)
    images, labels = golden()
    grey = write_npz(tmp_path / "grey.npz", images[..., 0], labels, copies=1)
    with pytest.raises(TrainError, match="embeddings are of colour images, these have 1 channel"):
        load_pool(config(f"npz:{grey}"), lambda _: None)


def test_pool_of_a_folder_alone(sets: tuple[str, str, str]) -> None:
    data = load_pool(config(sets[2]), lambda _: None)
    assert (len(data.x_train), len(data.x_test)) == (4, 1)


def test_pool_leaves_out_what_is_no_image_and_what_cannot_be_read(sets: tuple[str, str, str], tmp_path: Path) -> None:
    folder = tmp_path / "photos" / "2026"
    (folder / "cut.png").write_bytes(b"")
    (folder / "phone.heic").write_bytes(b"")
    for name in ("@eaDir/0.jpg", ".thumbnails/0.jpg", "._0.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((folder / "0.png").read_bytes())
    lines: list[str] = []
    data = load_pool(config(sets[2]), lines.append)
    assert (len(data.x_train), len(data.x_test)) == (4, 1)
    root = folder.parent
    assert lines == [
        f"{root}: files that are not images by name, left out: 1 .heic (2026/phone.heic)",
        f"images that cannot be read, left out: 1 of 6 ({folder}/cut.png: not an image that Pillow can read)",
        f"{sets[2]}: 4 images",
    ]
    with pytest.raises(TrainError, match=r"cut\.png: not an image that Pillow can read"):
        load_pool(config(sets[2]), lines.append, strict=True)


def test_pool_takes_arrays_without_meaningful_labels(tmp_path: Path) -> None:
    images, _ = golden()
    name = tmp_path / "unlabelled.npz"
    zeros = np.zeros(len(images), np.int64)
    np.savez(name, x_train=images, y_train=zeros, x_test=images, y_test=zeros)
    assert len(load_pool(config(f"npz:{name}"), lambda _: None).x_train) == len(images)
