"""Examples from folders of pictures: a board's symbols, groups, and folders that do not fit."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.errors import HostError
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
    with pytest.raises(HostError, match=r"empty has no image, such as \.jpg or \.png"):
        list_pictures(folder)
    with pytest.raises(TaskError, match="has no folders: put the pictures of each class in a folder with its name"):
        list_pictures(folder / "empty")
    with pytest.raises(HostError, match="missing cannot be read: No such file or directory"):
        list_pictures(tmp_path / "missing")


def test_pictures_of_any_suffix_are_taken_and_others_named(folder: Path) -> None:
    places = sorted(folder.iterdir())
    count = len(list_pictures(folder))
    for number, suffix in enumerate((".pgm", ".jfif", ".avif", ".GIF")):
        (places[number] / f"more{suffix}").write_bytes(b"")
    for name in ("Thumbs.db", "@eaDir", "photo.heic"):
        (places[0] / name).write_bytes(b"")
    lines: list[str] = []
    assert len(list_pictures(folder, lines.append)) == count + 4
    named = f"1 .heic ({places[0].name}/photo.heic)"
    assert lines == [f"{folder}: files that are not images by name, left out: {named}"]


def test_read_pictures_names_and_leaves_out_unreadable_ones(features: Bundle, folder: Path) -> None:
    before = read_pictures(list_pictures(folder), features)
    place = next(folder.iterdir())
    (place / "cut.png").write_bytes(b"")
    lines: list[str] = []
    pictures = list_pictures(folder)
    after = read_pictures(pictures, features, log=lines.append)
    np.testing.assert_array_equal(after.groups, before.groups)
    reason = f"{place / 'cut.png'}: not an image that Pillow can read"
    assert lines == [f"images that cannot be read, left out: 1 of {len(pictures)} ({reason})"]
    with pytest.raises(HostError, match=r"cut\.png: not an image that Pillow can read"):
        read_pictures(pictures, features, strict=True)
    lost = folder / "zebra"
    lost.mkdir()
    (lost / "0.png").write_bytes(b"")
    with pytest.raises(TaskError, match=r"no picture of 'zebra' can be read; the first: .*zebra/0\.png: not an image"):
        read_pictures(list_pictures(folder), features, log=lines.append)
