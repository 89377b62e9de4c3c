"""The whole comparison on a few images, its page and its plots."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.general import page, plots
from benchmarks.general.cli import main
from benchmarks.general.data import sets
from benchmarks.general.data.problems import ImageSet
from benchmarks.general.findings import GOAL_SET
from benchmarks.general.schemes import pretrained, scratch
from tests.support import ROOT
from tests.support.train import one_line
from wire.bundle import Bundle

SCHEMES = {
    *("inkling-48", "inkling-24", "refitted", "perfect", "scratch"),
    *("webp-48", "webp-24", "jpeg-48", "jpeg-24"),
}


@pytest.fixture
def arguments(
    general: Bundle, colour_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """Arguments for a comparison on the colours, with trainings of few steps."""
    monkeypatch.setitem(sets.SETS, GOAL_SET, lambda bundle, log: colour_set)
    monkeypatch.setitem(scratch.STEPS, 5, (2, 1))
    monkeypatch.setattr(pretrained, "RESOLUTIONS", (32, 16, 8))
    monkeypatch.chdir(tmp_path)
    yield ["--bundle", str(general.path), "--sets", GOAL_SET, "--seeds", "2", "--out", str(tmp_path / "general.json")]


@pytest.mark.slow
@pytest.mark.training
def test_general_measures_every_scheme_and_resumes(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    figures = json.loads((tmp_path / "general.json").read_text())
    colours = figures["sets"][GOAL_SET]
    assert set(colours["schemes"]) == SCHEMES
    assert colours["runs"] == [[0, 0], [0, 1], [1, 0], [1, 1]] and colours["test_images"] == 20
    for name, scheme in colours["schemes"].items():
        by_ber = scheme["by_shots"]["5"]
        assert list(by_ber) == (["0", "0.01", "0.05", "0.1"] if name.startswith("inkling") else ["0"])
        assert all(len(row["accuracy"]) == 4 and min(row["accuracy"]) >= 0 for row in by_ber.values())
    assert min(colours["schemes"]["perfect"]["by_shots"]["5"]["0"]["accuracy"]) > 0.8
    assert min(colours["schemes"]["refitted"]["by_shots"]["5"]["0"]["accuracy"]) > 0.8
    assert colours["schemes"]["scratch"]["steps"]["5"] in (2, 1)
    assert colours["schemes"]["webp-48"]["bare_bytes"] <= 48 < colours["schemes"]["webp-48"]["file_bytes"]
    capsys.readouterr()

    def refuse(*_: object) -> None:
        raise AssertionError("measured again")

    for module, name in ((scratch, "ProcessPoolExecutor"), (pretrained, "embed")):
        monkeypatch.setattr(module, name, refuse)
    assert main(arguments) == 0
    again = json.loads((tmp_path / "general.json").read_text())
    assert again["sets"][GOAL_SET]["schemes"] == colours["schemes"]

    text = page.section(figures)
    assert text.startswith("## Classes taught later\n") and "| Inkling, 48 bytes |" in text
    assert "Goals, on Colours:" in text and "20 test images, runs: 4 (draws of classes: 2)" in text
    names = plots.draw(tmp_path, figures)
    assert names == ["general-images-cifar10-features.png", "general-bytes-cifar10-features.png"]
    assert all((tmp_path / name).stat().st_size > 5000 for name in names)


def test_general_refuses_bundles_that_cannot_be_compared(
    arguments: list[str], general: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    message = "has classes of its own: the comparison needs a general bundle"
    assert main(["--bundle", str(ROOT / "bundles" / "cifar10-features"), *arguments[2:]]) == 1
    assert one_line(capsys.readouterr().err, "general: ").endswith(f"{message}\n")
    manifest = json.loads((general.path / "bundle.json").read_text())
    del manifest["recipe"]["embedding"]
    (general.path / "bundle.json").write_text(json.dumps(manifest))
    assert main(arguments) == 1
    assert "its recipe names no network or no layers ('embedding')" in one_line(capsys.readouterr().err, "general: ")
