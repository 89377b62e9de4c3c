"""Folders of image files: what is taken, what tools have left, and what is left out and named."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.errors import HostError
from host.image.folder import SUFFIXES, class_folders, files_below, files_by_class, readable, unreadable_note

VECTOR_AND_STUB_FORMATS = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}  # Pillow itself cannot draw these


def write(root: Path, *names: str) -> Path:
    """Write a small PNG under each name; return the folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(root / name, "PNG")
    return root


def test_suffixes_are_those_of_all_raster_formats_that_pillow_reads() -> None:
    kinds = Image.registered_extensions()
    raster = set(Image.OPEN) - VECTOR_AND_STUB_FORMATS
    wanted = {suffix for suffix, kind in kinds.items() if kind in raster}
    assert wanted <= set(SUFFIXES)
    assert set(SUFFIXES) - wanted <= {".avif", ".avifs", ".mpo"}  # of optional and derived formats


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints/0.png", "@eaDir/0.png", "._0.png", "Thumbs.db", "desktop.ini", ".DS_Store", "@tmp.jpg",
        "__MACOSX/0.png", "#recycle/0.png", "$RECYCLE.BIN/0.png", "lost+found/0.png", "@eaDir/x.jpg/THUMB_M.jpg",
    ],
)  # fmt: skip
def test_files_leave_out_what_tools_leave_without_a_note(tmp_path: Path, name: str) -> None:
    write(tmp_path, "cat/0.png", "dog/0.png", f"cat/{name}", name)
    found = files_by_class(tmp_path)
    assert [str(file.relative_to(tmp_path)) for file in found.files] == ["cat/0.png", "dog/0.png"]
    assert (found.classes, found.notes) == (("cat", "dog"), ())


def test_files_by_class_take_every_kind_of_image_in_the_order_of_names(tmp_path: Path) -> None:
    names = ["cat/b.png", "cat/c.JFIF", "cat/a/0.AVIF", "dog/0.tif", "dog/1.jpe", "dog/2.Gif", "dog/3.pgm"]
    found = files_by_class(write(tmp_path, *names))
    assert [str(file.relative_to(tmp_path)) for file in found.files] == names
    assert found.labels == ["cat"] * 3 + ["dog"] * 4 and found.notes == ()


def test_files_by_class_count_and_name_what_they_leave_out(tmp_path: Path) -> None:
    names = ["cat/0.png", "cat/IMG_1.HEIC", "cat/sub/IMG_2.heic", "cat/IMG_0001", "dog/0.png", "dog/a.txt", "0.png"]
    names += ["dog/0.png~", "dog/0.svg", "dog/0.cr2", "dog/0.mp4", "readme.txt"]
    assert files_by_class(write(tmp_path, *names)).notes == (
        f"{tmp_path}: files that are not images by name, left out: 2 .heic (cat/IMG_1.HEIC), 1 without suffix "
        "(cat/IMG_0001), 1 .cr2 (dog/0.cr2), 1 .mp4 (dog/0.mp4), 1 .png~ (dog/0.png~), 2 of other kinds",
        f"{tmp_path}: images outside the folders of classes, left out: 1 (0.png)",
    )


def test_files_by_class_refuse_a_class_without_images_and_name_what_it_has(tmp_path: Path) -> None:
    write(tmp_path, "cat/0.png", "dog/0.heic", "dog/1.heic")
    with pytest.raises(HostError, match=r"dog has no image, such as \.jpg or \.png, but 2 \.heic \(dog/0\.heic\)$"):
        files_by_class(tmp_path)


def test_files_follow_links_but_not_for_ever(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/0.png", "data/cat/1.png")
    (tmp_path / "data/cat/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/cat/up").symlink_to(tmp_path / "data")
    found = files_below(tmp_path / "data/cat")
    assert [file.name for file in found.images] == ["1.png", "0.png"]


def test_files_leave_out_pipes_and_keep_broken_links_as_unreadable(tmp_path: Path) -> None:
    write(tmp_path, "1.png")
    os.mkfifo(tmp_path / "0.png")
    (tmp_path / "2.png").symlink_to("missing.png")
    found = files_below(tmp_path)
    assert [file.name for file in found.images] == ["1.png", "2.png"]
    assert [file.name for file in found.others] == ["0.png"]
    errors: dict[int, str] = {}
    assert [number for number, _ in readable(found.images, (8, 8, 3), errors)] == [0]
    assert errors == {1: f"{tmp_path}/2.png: No such file or directory"}


def test_files_below_report_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "cat/0.png", "cat/secret/1.png")
    scandir = os.scandir

    def refuse(folder: Path) -> object:
        if folder.name == "secret":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(HostError, match=r"cat/secret cannot be read: Permission denied$"):
        files_below(tmp_path)


def test_class_folders_have_names_in_the_composed_form(tmp_path: Path) -> None:
    write(tmp_path, "Ma\u0308dchen/0.png", "Junge/0.png", "猫/0.png")
    assert list(class_folders(tmp_path)) == ["Junge", "M\u00e4dchen", "猫"]
    write(tmp_path, "M\u00e4dchen/0.png")
    with pytest.raises(HostError, match="has two folders for the class 'M\u00e4dchen'; rename one"):
        class_folders(tmp_path)


@pytest.mark.parametrize(
    "name", [b"M\xe4dchen", b"two\nlines", b"bell\x07", "left\u202eright".encode(), "wide\u3000space".encode()]
)
def test_class_folders_refuse_a_name_that_is_no_text(tmp_path: Path, name: bytes) -> None:
    os.mkdir(os.path.join(os.fsencode(tmp_path), name))
    with pytest.raises(HostError, match="the name of a class must be text in UTF-8 on one line") as caught:
        class_folders(tmp_path)
    assert "\n" not in str(caught.value) and "\u202e" not in str(caught.value)
    str(caught.value).encode()


def test_readable_names_files_in_printable_text(tmp_path: Path) -> None:
    path = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"M\xe4dchen\n.png"))
    Path(path).write_bytes(b"")
    errors: dict[int, str] = {}
    assert list(readable([Path(path)], (8, 8, 3), errors)) == []
    assert errors == {0: f"{tmp_path}/M\\udce4dchen\\n.png: not an image that Pillow can read"}


def test_readable_raises_the_first_error_if_none_are_wanted(tmp_path: Path) -> None:
    write(tmp_path, "0.png")
    (tmp_path / "1.png").write_bytes(b"")
    images = readable([tmp_path / "0.png", tmp_path / "1.png"], (8, 8, 3), None)
    np.testing.assert_array_equal(next(images)[1], np.zeros((8, 8, 3)))
    with pytest.raises(HostError, match=r"1\.png: "):
        next(images)


def test_unreadable_note_counts_all_and_names_some() -> None:
    assert unreadable_note(["a: cut"], 1000) == "images that cannot be read, left out: 1 of 1,000 (a: cut)"
    assert unreadable_note([f"{n}: cut" for n in range(7)], 8).endswith("4: cut; and 2 more)")
