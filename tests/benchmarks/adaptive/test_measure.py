"""Test of the whole comparison on few images: a bundle whose encoder is faked, one SNR and a clean link."""

import json
from pathlib import Path

import numpy as np
import pytest
from rich.progress import Progress

from benchmarks.adaptive import cli, measure, page, plots, prepare
from benchmarks.adaptive.reduce import CHIPS, INKLING, OPPONENTS, SOFT
from benchmarks.adaptive.schemes.cells import CLEAN
from benchmarks.encoding import Encoded
from benchmarks.images import TestImages
from tests.support.host import make_bundle
from wire.bundle import Bundle

N, HELD_OUT = 48, 32


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the command with faked images and return the file that it wrote."""
    bundle = make_bundle(tmp_path / "small", answer=True)
    manifest = json.loads((bundle.path / "bundle.json").read_text()) | {"dataset": "cifar10"}
    (bundle.path / "bundle.json").write_text(json.dumps(manifest))
    labels = np.random.default_rng(0).integers(0, 10, N)
    images = np.zeros((N, 8, 6, 3), np.uint8)

    def encode(bundle: Bundle, images: np.ndarray, bar: Progress, file: Path | None = None) -> Encoded:
        rng = np.random.default_rng(len(images))
        right = rng.random(len(images)) < 0.7
        classes = np.where(right, labels[: len(images)], (labels[: len(images)] + 1) % 10)
        return Encoded(rng.integers(0, 8, (len(images), 128)), classes, np.where(right, 12, 5))

    monkeypatch.setattr(prepare, "encode", encode)
    monkeypatch.setattr(prepare, "images_for", lambda *_: TestImages(images, labels, np.arange(N)))
    monkeypatch.setattr(prepare, "held_out_for", lambda *_: (images[:HELD_OUT], labels[:HELD_OUT]))
    monkeypatch.setattr(measure, "SNRS_DB", (-10.0, CLEAN))
    monkeypatch.setattr(measure, "SPREADING_FACTORS", (7, 9))
    device = tmp_path / "device.json"
    device.write_text(json.dumps({"small": {"cortex-m4": {"aot": {"instructions": 5_000_000}}}}))
    (tmp_path / "device_details.json").write_text("{}")
    out = tmp_path / "adaptive.json"
    arguments = ["--bundle", bundle.path, "--device", device, "--out", out, "--kept", tmp_path / "kept"]
    counts = ["--draws", "2", "--packets", "200", "--coded-packets", "30", "--coding-rates", "5"]
    monkeypatch.setattr("sys.argv", ["adaptive", *map(str, arguments), *counts, "--compressed", str(tmp_path)])
    assert cli.main() == 0
    return out


def test_command_compares_all_schemes_at_equal_cost(out: Path) -> None:
    figures = json.loads(out.read_text())
    assert (figures["bundle"], figures["images"], figures["draws"]) == ("small", N, 2)
    assert figures["boards"]["board alone (small)"]["instructions"] == 5_000_000
    assert list(figures["by_snr"]) == ["-10", "clean"]
    clean = figures["by_snr"]["clean"]
    assert {INKLING, SOFT, OPPONENTS, CHIPS, "board alone"} <= clean["frontiers"]["bytes"].keys()
    assert not any("K=9" in point[3] for point in clean["frontiers"]["air_s"][CHIPS])
    assert {"Inkling, adaptive", "board alone (small), K=9 code, soft decisions"} <= clean["frontiers"]["air_s"].keys()
    for cost in ("air_s", "bytes", "energy_mj"):
        inkling = clean["frontiers"][cost][INKLING]
        costs, accuracies = ([point[place] for point in inkling] for place in (0, 1))
        assert costs == sorted(costs) and accuracies == sorted(accuracies)
    # Over a clean link nothing separates the same answers but their air time.
    board, own = clean["frontiers"]["air_s"]["board alone"], figures["boards"]["board alone (small)"]["accuracy"]
    assert board[-1][1] == pytest.approx(own, abs=1e-5)
    noisy = figures["by_snr"]["-10"]["frontiers"]["air_s"]["Inkling, answers only"]
    assert 0 < noisy[0][1] <= own + 1e-6 and noisy[0][2] >= 0
    assert set(figures["mixed_streams"]) == {"sf7_-9", "sf7_-11"}
    for figure in figures["mixed_streams"].values():
        assert figure["mixed"] == pytest.approx(figure["composed"], abs=0.3)


def test_page_and_plots_show_the_figures(out: Path, tmp_path: Path) -> None:
    figures = json.loads(out.read_text())
    text = page.section(figures)
    assert text.startswith("## Adaptive mode") and "\n\n\n" not in text
    assert "at threshold 6, it has" in text  # 5 is the confidence of wrong answers, 12 that of the others
    assert "Compressed images" not in text and "Costlier board" not in text  # there are none
    for name in plots.draw(tmp_path, figures):
        assert f"({name})" in text and (tmp_path / name).stat().st_size > 5000
