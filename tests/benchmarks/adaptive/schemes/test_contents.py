"""Tests of what is sent in the comparison: instructions of boards, costlier boards, compressed images."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.progress import Progress

from benchmarks import encoding
from benchmarks.adaptive.reduce import group
from benchmarks.adaptive.schemes.contents import Costs, compressed, other_answers
from benchmarks.adaptive.schemes.opponents import Content
from benchmarks.goodput.compressed import FORMATS
from benchmarks.images import TestImages
from tests.support.host import make_bundle
from wire.bundle import BundleError


@pytest.fixture
def costs(tmp_path: Path) -> Costs:
    costs = {"mine": {"cortex-m4": {"aot": {"instructions": 900}, "tflm": {"instructions": 800}}}}
    (tmp_path / "device.json").write_text(json.dumps(costs))
    (tmp_path / "device_details.json").write_text(json.dumps({"mine": {"model_id": "0a0b0c0d"}}))
    return Costs.read(tmp_path / "device.json")


def test_costs_are_those_of_the_fastest_engine(costs: Costs) -> None:
    assert costs.instructions("mine") == costs.instructions("mine", "0a0b0c0d") == 800
    assert costs.instructions("pretrainedResnet_quant") == 29_900_000  # of the baseline
    with pytest.raises(BundleError, match=r"has no costs of other: run python -m benchmarks\.device"):
        costs.instructions("other")
    with pytest.raises(BundleError, match="costs of mine as model 0a0b0c0d, not 01020304: run python"):
        costs.instructions("mine", "01020304")
    with pytest.raises(BundleError, match="cannot be read"):
        Costs.read(Path("nowhere.json"))


@pytest.mark.parametrize(("own_instructions", "kind"), [(780, "board alone"), (200, "costlier board alone")])
def test_other_answers_mark_a_costlier_board(
    costs: Costs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_instructions: int, kind: str
) -> None:
    loaded = []

    class FakeEncoder:
        def __init__(self, file: Path) -> None:
            loaded.append(file.name)

        def outputs(self, images: np.ndarray, on_progress: object) -> np.ndarray:
            return np.eye(3, dtype=np.int8)[[0, 1, 1]]

    monkeypatch.setattr(encoding, "ReferenceEncoder", FakeEncoder)
    (tmp_path / "mine.tflite").write_bytes(b"network")
    test = TestImages(np.zeros((3, 4, 4, 1), np.uint8), np.array([0, 1, 2]), np.arange(3))
    own = Content("board alone (own)", 1, np.ones(3, bool), own_instructions)
    for _ in range(2):  # the second time from the outputs that were kept
        content = other_answers(tmp_path / "mine.tflite", test, own, costs, Progress(disable=True), tmp_path)
    assert loaded == ["mine.tflite"]
    assert content.correct.tolist() == [True, True, False] and content.instructions == 800
    assert content.scheme.startswith(f"{kind} (mine") and group(f"{content.scheme}, CRC") == kind
    assert ("4.0 x the instructions" in content.scheme) == (own_instructions == 200)


def test_other_answers_of_a_bundle_that_only_answers(
    costs: Costs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    board = make_bundle(tmp_path / "mine", n_symbols=0, classes=100, answer=True)
    known = replace(costs, details={"mine": {"model_id": board.model_id}})
    scores = np.zeros((3, 100), np.int8)
    scores[range(3), [7, 99, 5]] = 100
    monkeypatch.setattr(encoding, "ReferenceEncoder", lambda _: SimpleNamespace(outputs=lambda *_: scores))
    test = TestImages(np.zeros((3, 8, 6, 3), np.uint8), np.array([7, 99, 0]), np.arange(3))
    own = Content("board alone (own)", 1, np.ones(3, bool), 800)
    content = other_answers(board.path, test, own, known, Progress(disable=True), tmp_path)
    assert content.correct.tolist() == [True, True, False] and content.scheme == "board alone (mine)"


def test_compressed_images_are_those_of_the_formats_at_hand(tmp_path: Path) -> None:
    lines: list[str] = []
    form = FORMATS[0]
    (tmp_path / "cifar100").mkdir()
    file = tmp_path / "cifar100" / f"{form.name}.npz"
    np.savez(file, bare_bytes=np.array([40, 50, 60]), correct=np.array([True, False, True]))
    found = compressed("cifar100", tmp_path, np.array([2, 0]), (5, 8), lines.append)
    assert [(one.setting, one.sizes.tolist(), one.correct.all()) for one in found] == [
        ("4/5, explicit header", [60, 40], True),
        ("4/8, explicit header", [60, 40], True),
    ]
    assert len(lines) == len(FORMATS) - 1 and group(found[0].scheme) == "compressed images"
    assert all(
        f"compressed_classifier --data cifar100 --formats {one.name} " in line
        for one, line in zip(FORMATS[1:], lines, strict=True)
    )
    assert compressed("cifar10", tmp_path, np.arange(3), (5,), lines.append) == []
    assert "compressed_classifier --formats" in lines[-1]
    assert compressed("mine", tmp_path, np.arange(3), (5,), lines.append) == []
    assert lines[-1].endswith("not mine")
