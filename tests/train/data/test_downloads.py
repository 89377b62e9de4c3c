"""Downloads of public data sets: by https, checked by SHA-256 before they are unpacked."""

import functools
import hashlib
import re
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.train.data.public import change, fails, unpacked_zip
from train.data import cifar, datasets, tiny_imagenet
from train.errors import TrainError


@pytest.fixture
def served(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A zip of Tiny ImageNet that a server on this machine has at its URL, with its SHA-256."""
    unpacked_zip(folders / "www" / "tiny-imagenet-200")
    made = shutil.make_archive(str(folders / "www" / "tiny"), "zip", folders / "www", "tiny-imagenet-200")
    monkeypatch.setattr(tiny_imagenet, "ZIP_SHA256", hashlib.sha256(Path(made).read_bytes()).hexdigest())
    change(monkeypatch, "tiny-imagenet-200", is_official=lambda arrays: True)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folders / "www")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setattr(tiny_imagenet, "URL", f"http://127.0.0.1:{server.server_port}/tiny.zip")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Path(made)
        server.shutdown()
        thread.join()


def test_load_tiny_imagenet_fetches_the_zip_with_its_sha256(served: Path, folders: Path) -> None:
    data = datasets.load("tiny-imagenet-200")
    assert data.classes == ("goldfish", "ladybug") and data.x_train.shape == (4, 64, 64, 3)
    assert [file.name for file in (folders / "cache").iterdir()] == ["tiny-imagenet-200.npz"]


def test_load_tiny_imagenet_unpacks_no_other_zip(served: Path, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(served, "a") as archive:
        archive.writestr("more", "")
    monkeypatch.setattr(zipfile.ZipFile, "extractall", lambda *_: pytest.fail("it is unpacked"))
    line = fails("tiny-imagenet-200", "cannot get Tiny ImageNet: no folder ")
    assert re.search(r"; http://127\.0\.0\.1:\d+/tiny\.zip has SHA-256 \w{16}\.\.\., not \w{16}\.\.\.$", line)
    assert list((folders / "cache").iterdir()) == []


@pytest.mark.parametrize("kind", ["CIFAR10", "CIFAR100"])
def test_fetch_cifar_unpacks_no_other_archive(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from train.data.torchvision_import import datasets as of_torchvision

    def write(url: str, root: str, filename: str) -> None:
        assert url.startswith("https://")
        (Path(root) / filename).write_bytes(b"another archive")

    monkeypatch.setattr(of_torchvision.utils, "download_url", write)
    monkeypatch.setattr(getattr(of_torchvision, kind), "__init__", lambda *_, **__: pytest.fail("it is unpacked"))
    with pytest.raises(TrainError, match=r"^https://\S+/cifar-\d+-python\.tar\.gz has SHA-256 "):
        cifar._fetch_with_torchvision(kind, kind, tmp_path, lambda text: None)


def test_data_sets_are_fetched_by_https() -> None:
    assert tiny_imagenet.URL.startswith("https://")
