"""Examples from folders of pictures: a board's symbols, groups, and folders that do not fit."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.tasks.examples import TaskError
from host.tasks.images import list_pictures, read_pictures
from tests.support import ROOT
from wire.bundle import Bundle
from wire.bundle import load as load_bundle


@pytest.fixture(scope="module")
def features() -> Bundle:
    """A bundle with a real encoder."""
    return load_bundle(ROOT / "bundles" / "cifar10-features")


@pytest.fixture
def folder(features: Bundle, tmp_path: Path) -> Path:
    """The golden images as pictures in folders of their classes."""
    with np.load(features.golden_path) as golden:
        for number, (image, label) in enumerate(zip(golden["images"], golden["labels"], strict=True)):
            place = tmp_path / "pictures" / features.classes[label] / "2026"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{number:02}.png")
    return tmp_path / "pictures"


def test_pictures_have_the_symbols_that_a_board_sends(features: Bundle, folder: Path) -> None:
    done: list[None] = []
    pictures = list_pictures(folder)
    examples = read_pictures(pictures, features, lambda: done.append(None))
    assert len(done) == len(pictures) == len(examples.symbols)
    with np.load(features.golden_path) as golden:
        numbers = [int(file.stem) for file, _ in pictures]
        np.testing.assert_array_equal(examples.symbols, golden["symbols"][numbers])
        labels = [features.classes[label] for label in golden["labels"][numbers]]
    assert [examples.classes[label] for label in examples.labels] == labels == sorted(labels)
    assert len(set(examples.groups.tolist())) == len(pictures) and not examples.bers.any()


def test_a_picture_that_occurs_twice_is_one_example(features: Bundle, folder: Path) -> None:
    (file, label), *_ = list_pictures(folder)
    before = read_pictures(list_pictures(folder), features)
    file.with_name("copy.png").write_bytes(file.read_bytes())
    after = read_pictures(list_pictures(folder), features)
    np.testing.assert_array_equal(after.groups, before.groups)
    other = next(name for name in features.classes if name != label)
    (folder / other / "copy.png").write_bytes(file.read_bytes())
    with pytest.raises(TaskError, match=f"copy.png is in '{other}' and in '{label}'"):
        read_pictures(list_pictures(folder), features)


def test_folders_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    hidden = folder / ".thumbnails"
    hidden.mkdir()
    Image.new("RGB", (8, 8)).save(hidden / "0.png")
    assert ".thumbnails" not in {label for _, label in list_pictures(folder)}
    (folder / "empty").mkdir()
    with pytest.raises(TaskError, match="empty has no picture"):
        list_pictures(folder)
    with pytest.raises(TaskError, match="has no folders: put the pictures of each class in a folder with its name"):
        list_pictures(folder / "empty")
    with pytest.raises(TaskError, match="missing cannot be read: No such file or directory"):
        list_pictures(tmp_path / "missing")
