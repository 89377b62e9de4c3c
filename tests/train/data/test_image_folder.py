"""Data sets in folders with one folder per class, with and without a split by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.image import load_image
from train.config import DataConfig
from train.data import datasets
from train.errors import TrainError

RNG = np.random.default_rng(3)


def write_image(file: Path, value: int | None = None) -> None:
    """Write an image of random pixels, or of one value; its folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    shape = (int(RNG.integers(18, 30)), 33, 3)
    pixels = RNG.integers(0, 256, shape) if value is None else np.full(shape, value)
    Image.fromarray(pixels.astype(np.uint8)).save(file)


def write_split(root: Path, test: str = "test") -> Path:
    """Write two classes of PNGs of several sizes, 3 to train and 2 to test on; return the folder."""
    for part, count in (("train", 3), (test, 2)):
        for name in ("ant", "bee"):
            for i in range(count):
                write_image(root / part / name / f"{i}.png")
    return root


def write_classes(root: Path, **counts: int) -> Path:
    """Write classes of PNGs without a split; each pixel is the number of the image. Return the folder."""
    for name, count in counts.items():
        for i in range(count):
            write_image(root / name / f"{i:03d}.png", i)
    return root


def fails(folder: Path, message: str) -> None:
    """Assert that loading fails with this message in one line."""
    with pytest.raises(TrainError) as caught:
        datasets.load(f"folder:{folder}", (8, 8))
    text = str(caught.value)
    assert message in text and "\n" not in text, text


@pytest.mark.parametrize(("channels", "test"), [(3, "test"), (1, "val")])
def test_load_folder_returns_the_pixels_that_the_host_sends(tmp_path: Path, channels: int, test: str) -> None:
    folder = write_split(tmp_path, test)
    data = datasets.load(f"folder:{folder}", (12, 16), grey=channels == 1)
    assert data.classes == ("ant", "bee")
    assert data.x_train.shape == (6, 12, 16, channels) and data.x_test.shape == (4, 12, 16, channels)
    assert data.x_train.dtype == np.uint8
    np.testing.assert_array_equal(data.y_train, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(data.y_test, [0, 0, 1, 1])
    expected = load_image(folder / test / "bee" / "1.png", (12, 16, channels))
    np.testing.assert_array_equal(data.x_test[3], expected)


def test_load_folder_without_split_tests_on_a_share_of_every_class(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, ant=60, bee=30, train=10)  # a class may be named train
    data = datasets.load(f"folder:{folder}", (8, 8))
    assert data.classes == ("ant", "bee", "train")
    assert np.bincount(data.y_train).tolist() == [54, 27, 9] and np.bincount(data.y_test).tolist() == [6, 3, 1]
    for label, count in enumerate((60, 30, 10)):
        parts = [
            x[y == label][:, 0, 0, 0].tolist() for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test))
        ]
        assert sorted(parts[0] + parts[1]) == list(range(count))  # each image once
    assert data.x_test[data.y_test == 0][:, 0, 0, 0].tolist() != list(range(6))
    again = datasets.load(f"folder:{folder}", (8, 8))
    np.testing.assert_array_equal(again.x_test, data.x_test)


def test_load_folder_takes_the_share_of_the_config(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, ant=20, bee=20)
    data = datasets.load_for(DataConfig(f"folder:{folder}", size=(8, 8), test_share=0.25))
    assert (len(data.y_train), np.bincount(data.y_test).tolist()) == (30, [5, 5])


def test_load_folder_reads_nested_folders_and_leaves_out_hidden_and_other_files(tmp_path: Path) -> None:
    write_split(tmp_path)
    write_image(tmp_path / "train" / "ant" / "more" / "3.JPG")
    for name in ("train/ant/._0.png", "train/bee/notes.txt", "train/.cache/0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    data = datasets.load(f"folder:{tmp_path}", (8, 8))
    assert data.classes == ("ant", "bee") and np.bincount(data.y_train).tolist() == [4, 3]


def test_look_up_folder_reads_no_image(tmp_path: Path) -> None:
    write_split(tmp_path)
    (tmp_path / "train" / "ant" / "0.png").write_bytes(b"not an image")
    listing = datasets.look_up(DataConfig(f"folder:{tmp_path}", size=(12, 16), grey=True))
    assert listing is not None and listing.shape == (12, 16, 1) and listing.classes == ("ant", "bee")
    assert listing.y_train.tolist() == [0, 0, 0, 1, 1, 1] and listing.y_test.tolist() == [0, 0, 1, 1]


def test_load_folder_names_counts_and_leaves_out_unreadable_images(tmp_path: Path) -> None:
    write_split(tmp_path)
    sound = datasets.load(f"folder:{tmp_path}", (8, 8))
    (tmp_path / "train" / "bee" / "0.png").write_bytes(b"not an image")
    Image.fromarray(np.ones((8, 8), np.float32)).save(tmp_path / "test" / "ant" / "0.tiff")
    lines: list[str] = []
    data = datasets.load(f"folder:{tmp_path}", (8, 8), log=lines.append)
    reasons = (
        "train/bee/0.png: not an image that Pillow can read",
        "test/ant/0.tiff: pixels are floating-point numbers",
    )
    assert lines[0] == f"images that cannot be read, left out: 1 of 6 ({tmp_path}/{reasons[0]})"
    assert lines[1].startswith(f"images that cannot be read, left out: 1 of 5 ({tmp_path}/{reasons[1]}")
    assert data.y_train.tolist() == [0, 0, 0, 1, 1] and data.y_test.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(data.x_train, sound.x_train[[0, 1, 2, 4, 5]])
    np.testing.assert_array_equal(data.x_test, sound.x_test)
    assert data.source != sound.source
    with pytest.raises(TrainError, match=r"bee/0\.png: not an image that Pillow can read"):
        datasets.load_for(DataConfig(f"folder:{tmp_path}", size=(8, 8)), lines.append, strict=True)


def test_load_folder_without_split_draws_the_same_test_images_beside_an_unreadable_one(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, ant=20, bee=20)
    sound = datasets.load(f"folder:{folder}", (8, 8))
    lost = int(sound.x_train[3, 0, 0, 0])
    (folder / "ant" / f"{lost:03d}.png").write_bytes(b"")
    data = datasets.load(f"folder:{folder}", (8, 8), log=lambda _: None)
    np.testing.assert_array_equal(data.x_test, sound.x_test)
    np.testing.assert_array_equal(data.x_train, np.delete(sound.x_train, 3, 0))


def test_load_folder_refuses_a_class_whose_images_all_cannot_be_read(tmp_path: Path) -> None:
    write_split(tmp_path)
    for file in (tmp_path / "train" / "bee").iterdir():
        file.write_bytes(b"")
    (tmp_path / "train" / "ant" / "1.png").write_bytes(b"")
    fails(tmp_path, f"none of 3 images can be read; the first: {tmp_path / 'train' / 'bee' / '0.png'}: not an image")


def test_load_folder_logs_files_and_folders_that_it_leaves_out(tmp_path: Path) -> None:
    write_split(tmp_path)
    write_image(tmp_path / "val" / "ant" / "0.png")
    write_image(tmp_path / "train" / "3.png")
    write_image(tmp_path / "4.png")
    (tmp_path / "test" / "bee" / "9.HEIC").write_bytes(b"")
    (tmp_path / "test" / "bee" / "Thumbs.db").write_bytes(b"")
    lines: list[str] = []
    datasets.load(f"folder:{tmp_path}", (8, 8), log=lines.append)
    assert lines == [
        f"{tmp_path}/train: images outside the folders of classes, left out: 1 (3.png)",
        f"{tmp_path}/test: files that are not images by name, left out: 1 .heic (bee/9.HEIC)",
        f"{tmp_path}: images outside the folders of classes, left out: 1 (4.png)",
        f"{tmp_path}: folders that are not read: val",
    ]


def test_load_folder_takes_no_folders_of_tools_for_classes(tmp_path: Path) -> None:
    write_split(tmp_path)
    lines: list[str] = []
    for part in ("train", "test"):
        for name in (".ipynb_checkpoints", "@eaDir", "__MACOSX"):
            write_image(tmp_path / part / name / "0.png")
    (tmp_path / "train" / "$RECYCLE.BIN").mkdir()
    write_image(tmp_path / "@eaDir" / "ant" / "0.png")
    data = datasets.load(f"folder:{tmp_path}", (8, 8), log=lines.append)
    assert (data.classes, len(data.x_train), lines) == (("ant", "bee"), 6, [])


def test_load_folder_refuses_wrong_content_in_one_line(tmp_path: Path) -> None:
    fails(tmp_path / "none", "no such file or folder")
    with pytest.raises(TrainError, match=r"set data\.size = \[H, W\]"):
        datasets.load(f"folder:{tmp_path}")
    fails(tmp_path, f"{tmp_path}: needs two or more classes, each a folder of images, found 0")
    write_image(tmp_path / "ant" / "0.png")
    (tmp_path / ".git").mkdir()
    fails(tmp_path, "found 1")
    (tmp_path / "bee").mkdir()
    fails(tmp_path, f"{tmp_path / 'bee'} has no image, such as .jpg or .png")
    write_image(tmp_path / "bee" / "0.png")
    fails(tmp_path, f"{tmp_path}: data.test_share = 0.1 of 2 images are 0")
    write_classes(tmp_path, ant=30)
    fails(tmp_path, f"{tmp_path / 'bee'}: data.test_share = 0.1 takes none of its 1 images for testing; add images, or")


def test_load_folder_refuses_parts_of_other_names_as_classes(tmp_path: Path) -> None:
    for part in ("Train", "Validation"):
        write_classes(tmp_path / part, ant=2, bee=2)
    fails(tmp_path, "has the folders Train, Validation, which are no classes: name them train and test, each with one")


def test_load_folder_refuses_half_a_split_in_one_line(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", ant=1, bee=1)
    fails(tmp_path, f"{tmp_path}: needs a folder test or val with one folder per class, or else the classes in")
    write_classes(tmp_path / "val", ant=1, **{f"cat{n}": 1 for n in range(7)})
    fails(
        tmp_path,
        f"{tmp_path}: train and val differ in classes: only train has bee; "
        "only val has cat0, cat1, cat2, cat3, cat4 and 2 more",
    )
    (tmp_path / "train").rename(tmp_path / "other")
    fails(tmp_path, f"{tmp_path}: needs a folder train with one folder per class, or else")


def test_load_folder_matches_classes_in_either_unicode_form(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", **{"Ma\u0308dchen": 2, "Junge": 2})
    write_classes(tmp_path / "test", **{"M\u00e4dchen": 2, "Junge": 2})
    assert datasets.load(f"folder:{tmp_path}", (8, 8)).classes == ("Junge", "M\u00e4dchen")


def test_load_folder_refuses_a_size_that_does_not_fit_into_memory(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"6 images of \(10000000, 10000000, 3\) take 1,800,000\.0 GB, more"):
        datasets.load(f"folder:{write_split(tmp_path)}", (10_000_000, 10_000_000))
