"""Data sets from files and folders, and errors of one line for what is wrong with them."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.image import load_image
from train.config import DataConfig
from train.data import datasets, npz
from train.data.listing import images_per_class
from train.errors import TrainError

RNG = np.random.default_rng(3)


def random_images(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def arrays(channels: tuple[int, ...] = (3,), classes: int = 4) -> dict[str, np.ndarray]:
    """Return valid arrays of 6 + 5 images of 8 x 10."""
    return {
        "x_train": random_images(6, 8, 10, *channels),
        "y_train": np.arange(6) % classes,
        "x_test": random_images(5, 8, 10, *channels),
        "y_test": np.arange(5) % classes,
    }


def fails(name: str, message: str, size: tuple[int, int] | None = None) -> None:
    """Assert that loading fails with this message in one line."""
    with pytest.raises(TrainError) as caught:
        datasets.load(name, size)
    text = str(caught.value)
    assert message in text and "\n" not in text, text


# npz


@pytest.mark.parametrize("channels", [(3,), (1,), ()])
def test_load_npz_returns_its_arrays(tmp_path: Path, channels: tuple[int, ...]) -> None:
    content = arrays(channels)
    np.savez(tmp_path / "a.npz", **content)
    data = datasets.load(f"npz:{tmp_path / 'a.npz'}")
    assert data.x_train.shape == (6, 8, 10, *(channels or (1,)))
    assert data.x_test.shape == (5, 8, 10, *(channels or (1,)))
    np.testing.assert_array_equal(data.x_train, content["x_train"].reshape(data.x_train.shape))
    np.testing.assert_array_equal(data.x_test, content["x_test"].reshape(data.x_test.shape))
    np.testing.assert_array_equal(data.y_train, content["y_train"])
    assert data.y_test.dtype == np.int64
    assert data.classes == ("0", "1", "2", "3")


def test_load_npz_with_class_names_and_labels_in_a_column(tmp_path: Path) -> None:
    content = arrays()
    content["y_train"] = content["y_train"].astype(np.uint8)[:, None]
    np.savez(tmp_path / "a.npz", **content, classes=["ant", "bee", "cat", "dög"])
    data = datasets.load(f"npz:{tmp_path / 'a.npz'}")
    assert data.classes == ("ant", "bee", "cat", "dög")
    np.testing.assert_array_equal(data.y_train, np.arange(6) % 4)


def test_load_npz_searches_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INKLING_DATA", raising=False)
    fails("npz:sub/a.npz", "no such file or folder: sub/a.npz")
    (tmp_path / "sub").mkdir()
    np.savez(tmp_path / "sub" / "a.npz", **arrays())
    monkeypatch.setenv("INKLING_DATA", str(tmp_path))
    assert len(datasets.load("npz:sub/a.npz").x_train) == 6


def test_load_grey_equals_the_hosts_conversion(tmp_path: Path) -> None:
    content = arrays()
    np.savez(tmp_path / "a.npz", **content)
    data = datasets.load(f"npz:{tmp_path / 'a.npz'}", grey=True)
    assert data.x_train.shape == (6, 8, 10, 1) and data.x_test.shape == (5, 8, 10, 1)
    for grey, colour in zip(data.x_test, content["x_test"], strict=True):
        Image.fromarray(colour).save(tmp_path / "one.png")
        np.testing.assert_array_equal(grey, load_image(tmp_path / "one.png", (8, 10, 1)))


WRONG_NPZ: dict[str, tuple[dict[str, np.ndarray | None], str]] = {
    "an array is missing": ({"y_test": None}, "needs arrays x_train, y_train, x_test, y_test"),
    "float images": ({"x_train": np.zeros((6, 8, 10, 3))}, "must be uint8 (N, H, W) or (N, H, W, 1 or 3)"),
    "float test images": ({"x_test": np.zeros((5, 8, 10, 3), np.float32)}, "found float32 (5, 8, 10, 3)"),
    "two channels": ({"x_train": random_images(6, 8, 10, 2)}, "found uint8 (6, 8, 10, 2)"),
    "flat images": ({"x_train": random_images(6, 80)}, "found uint8 (6, 80)"),
    "no test image": ({"x_test": random_images(0, 8, 10, 3), "y_test": np.arange(0)}, "found uint8 (0, 8, 10, 3)"),
    "two sizes": ({"x_test": random_images(5, 8, 9, 3)}, "training images are (8, 10, 3), test images (8, 9, 3)"),
    "a label too few": ({"y_train": np.arange(5)}, "6 + 5 images but 5 + 5 labels"),
    "one-hot labels": ({"y_train": np.eye(6, dtype=int)}, "6 + 5 images but 36 + 5 labels"),
    "labels that are no numbers": ({"y_train": np.array(list("abcdef"))}, "y_train must be labels of an integer type"),
    "fractions as labels": ({"y_test": np.arange(5) / 2}, "y_test must be labels of an integer type, found float64"),
    "a negative label": ({"y_test": np.arange(5) - 1}, "labels must be 0 and above, found -1"),
    "a negative label and names": (
        {"y_test": np.arange(5) % 4 - 1, "classes": np.array(list("abcd"))},
        "labels must be 0 to 3, found -1 to 3",
    ),
    "more labels than classes": ({"classes": np.array(["a", "b", "c"])}, "labels must be 0 to 2"),
    "objects": ({"x_train": np.array([None] * 6)}, "found object (6,)"),
    "objects as labels": ({"y_train": np.array([None] * 6)}, "y_train must be labels of an integer type, found object"),
    "labels from 1": ({"y_train": np.arange(6) % 4 + 1, "y_test": np.arange(5) % 4 + 1}, "have no image, such as 0;"),
    "labels that skip a number": (
        {"y_train": np.array([0, 1, 3, 4, 1, 0]), "y_test": np.array([0, 1, 3, 4, 4])},
        "labels go up to 4, but 1 of them have no image, such as 2; number the classes from 0 without gaps",
    ),
    "labels of a giant table": (
        {"y_train": np.array([0, 1, 10**7, 1, 0, 1])},
        "labels go up to 10000000, but 9999996 of them have no image, such as 4;",
    ),
    "labels beyond int64": ({"y_train": np.array([0, 1, 2, 3, 2**64 - 1, 0], np.uint64)}, "found 18446744073709551615"),
    "a class without training images": ({"y_train": np.array([0, 1, 3, 1, 0, 3])}, "no training image of '2'"),
    "a class without test images": ({"y_test": np.array([0, 1, 3, 1, 0])}, "no test image of '2'"),
    "names without images": (
        {"classes": np.array([f"class {n}" for n in range(12)])},
        "no training image of 'class 4', 'class 5', 'class 6', 'class 7', 'class 8' and 3 more",
    ),
    "a single class": ({"y_train": np.zeros(6, int), "y_test": np.zeros(5, int)}, "needs two or more classes, found 1"),
    "names as bytes": ({"classes": np.array([b"a", b"b", b"c", b"d"])}, "found |S1 (4,): save np.array(names, str)"),
    "names as objects": ({"classes": np.array(["a", "b", "c", None])}, "must be text: save np.array(names, str)"),
    "names as fractions": ({"classes": np.arange(4) / 2}, "classes must be one text per class, found float64 (4,)"),
    "names in a table": ({"classes": np.array([["a", "b"], ["c", "d"]])}, "found <U1 (2, 2)"),
    "names in one text": ({"classes": np.array("abcd")}, "classes must be one text per class, found <U4 ()"),
    "doubled names": ({"classes": np.array(["a", "b", "a ", "d"])}, "classes has more than once: 'a'"),
    "an empty name": ({"classes": np.array(["a", "b", " ", "d"])}, "classes[2] must be text on one line, found ' '"),
    "an invisible name": (
        {"classes": np.array(["a", "b\u200b", "c", "d"])},
        "must be text on one line, found 'b\\u200b'",
    ),
    "a name of two lines": ({"classes": np.array(["a", "b\n", "c", "d"])}, "must be text on one line, found 'b\\n'"),
    "floats 0 to 1 that were cast": (
        {"x_train": random_images(6, 8, 10, 3) // 255},
        "x_train has no level above 1, but white is 255",
    ),
}


@pytest.mark.parametrize("case", WRONG_NPZ)
def test_load_npz_refuses_wrong_arrays_in_one_line(tmp_path: Path, case: str) -> None:
    changes, message = WRONG_NPZ[case]
    content = {k: v for k, v in (arrays() | changes).items() if v is not None}
    np.savez(tmp_path / "a.npz", **content)
    fails(f"npz:{tmp_path / 'a.npz'}", message)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip after all", b"junk", "npy"])
def test_load_npz_refuses_another_file_in_one_line(tmp_path: Path, content: bytes | str) -> None:
    file = tmp_path / "a.npz"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        with file.open("wb") as out:
            np.save(out, np.zeros(3))
    fails(f"npz:{file}", f"{file}: needs arrays")


@pytest.mark.parametrize("name", ["x_train", "y_train"])
def test_load_npz_refuses_an_array_that_is_larger_than_its_file(tmp_path: Path, name: str) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 50,)})
    content = arrays()
    del content[name]
    np.savez(tmp_path / "a.npz", **content)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr(f"{name}.npy", header.getvalue())
    fails(f"npz:{tmp_path / 'a.npz'}", f"({name} is cut off: it should be uint8 (1125899906842624,))")


def test_load_npz_that_does_not_fit_into_memory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "a.npz", **arrays())

    def refuse(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 90 GiB")

    monkeypatch.setattr(np.lib.format, "read_array", refuse)
    fails(f"npz:{tmp_path / 'a.npz'}", "a.npz does not fit into memory (Unable to allocate 90 GiB)")


def test_look_up_refuses_labels_as_load_does(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays() | {"y_test": np.array([0, 1, 3, 1, 0])})
    with pytest.raises(TrainError, match="no test image of '2'"):
        datasets.look_up(DataConfig(f"npz:{tmp_path / 'a.npz'}"))


def test_load_refuses_unknown_name_and_wrong_size_in_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays())
    fails("mnist", "unknown data set 'mnist'; known: cifar10, cifar100, tiny-imagenet-200, npz:FILE, folder:DIR")
    fails("cifar-10", "unknown data set 'cifar-10' (did you mean 'cifar10'?); known: ")
    fails(f"npz:{tmp_path}", "needs arrays")
    fails(f"npz:{tmp_path / 'a.npz'}", "images are (8, 10), but data.size is (16, 16)", size=(16, 16))


def test_look_up_npz_returns_labels_and_shape_without_reading_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = arrays((1,))
    np.savez(tmp_path / "a.npz", **content)
    monkeypatch.setattr(npz, "images", None)
    found = datasets.look_up(DataConfig(f"npz:{tmp_path / 'a.npz'}"))
    assert found is not None and found.shape == (8, 10, 1) and found.classes == ("0", "1", "2", "3")
    np.testing.assert_array_equal(found.y_train, content["y_train"])
    np.testing.assert_array_equal(found.y_test, content["y_test"])


def test_look_up_npz_shape_has_one_channel_if_grey(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays())
    found = datasets.look_up(DataConfig(f"npz:{tmp_path / 'a.npz'}", grey=True))
    assert found is not None and found.shape == (8, 10, 1)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ([5000] * 10, "5,000 in each of 10 classes"),
        ([120, 3, 80], "a 120, b 3, c 80"),
        ([7] * 12 + [1200, 5, 6], "5 to 1,200 in 15 classes; fewest: n 5, o 6, a 7"),
    ],
)
def test_images_per_class_names_each_of_few_and_the_smallest_of_many(counts: list[int], text: str) -> None:
    classes = tuple("abcdefghijklmno"[: len(counts)])
    assert images_per_class(classes, np.repeat(np.arange(len(counts)), counts)) == text
