"""Helpers for tests of public data sets."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from train.data import datasets
from train.data.downloads import PublicDataset
from train.errors import TrainError

WNIDS = ("n02", "n01")


def fails(name: str, message: str) -> str:
    """Assert that loading fails with this message in one line; return the line."""
    with pytest.raises(TrainError) as caught:
        datasets.load(name)
    text = str(caught.value)
    assert message in text and "\n" not in text, text
    return text


def change(monkeypatch: pytest.MonkeyPatch, name: str, **changes: Any) -> PublicDataset:  # noqa: ANN401
    """Change fields of the public data set `name`."""
    public = dataclasses.replace(datasets.PUBLIC[name], **changes)
    monkeypatch.setitem(datasets.PUBLIC, name, public)
    return public


def unpacked_zip(folder: Path) -> Path:
    """Write a folder like an unpacked tiny-imagenet-200.zip: two classes of two training and one validation image."""
    (folder / "val" / "images").mkdir(parents=True)
    rows = []
    for number, wnid in enumerate(WNIDS):
        images = folder / "train" / wnid / "images"
        images.mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (64, 64), (100 * number, 10 * i, 50)).save(images / f"{wnid}_{i}.JPEG")
        (folder / "train" / wnid / f"{wnid}_boxes.txt").write_text("")
        Image.new("L", (64, 64), 200 + number).save(folder / "val" / "images" / f"val_{number}.JPEG")
        rows.append(f"val_{number}.JPEG\t{wnid}\t0\t0\t62\t62\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(rows))
    (folder / "words.txt").write_text("n01\tgoldfish, Carassius auratus\nn02\tladybug, lady beetle\n")
    return folder
