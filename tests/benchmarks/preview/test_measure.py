"""The benchmark of previews on a small bundle: figures, page and sheet."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.encoding import Encoded
from benchmarks.preview import cli, page
from benchmarks.preview.measure import BERS, chunks_of, quality, receive
from tests.conftest import Exported
from tests.support import ROOT
from tests.support.host import make_bundle
from tests.support.train import one_line
from wire.bundle import Bundle, load


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "general", n_symbols=48, embedding=20, preview=True)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with a copy of docs/preview.md."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / page.PAGE).write_text((ROOT / page.DOCS / page.PAGE).read_text(encoding="utf-8"))
    return tmp_path / "docs"


@pytest.mark.training
def test_benchmark_writes_figures_page_and_sheet(
    preview_bundle: Exported, previewed: Path, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INKLING_CACHE", str(previewed / "cache"))
    out = tmp_path / "preview.json"
    words = ["--bundle", str(preview_bundle.folder), "--images", "30", "--out", str(out), "--docs", str(docs)]
    assert cli.main(words) == 0
    figures, bundle = json.loads(out.read_text()), load(preview_bundle.folder)
    assert (figures["model_id"], figures["images"], figures["seed"]) == (bundle.model_id, 30, 0)
    assert figures["preview_sha256"] == bundle.manifest["files"]["preview.onnx"]["sha256"]
    assert list(figures["payload_bytes"]) == ["42", "21", "11"] and 0 < figures["preview_ms"] < 100
    for by_ber in figures["payload_bytes"].values():
        assert list(by_ber) == [f"{ber:g}" for ber in BERS]
        assert by_ber["0"]["frames_lost"] == 0 and by_ber["0.1"]["ber_estimated"] == pytest.approx(0.1, abs=0.03)
    whole, quarter = figures["payload_bytes"]["42"], figures["payload_bytes"]["11"]
    for name in ("psnr", "ssim", "cosine"):
        assert whole["0"][name] > whole["0.1"][name] and whole["0"][name] > quarter["0"][name]
    assert whole["0"]["cosine"] > figures["cosine_of_other_images"] + 0.3
    text = (docs / page.PAGE).read_text(encoding="utf-8")
    assert page.section(figures) in text and page.NOT_MEASURED not in text
    assert f"| 21 bytes | 0.05 | {figures['payload_bytes']['21']['0.05']['psnr']:.1f} dB | " in text
    with Image.open(docs / page.SHEET) as sheet:
        assert sheet.width > 700 and sheet.height > 450  # 7 columns, 4 rows
    assert page.refresh(tmp_path, docs) == [str(docs / page.PAGE)]
    assert (docs / page.PAGE).read_text(encoding="utf-8") == text


def test_benchmark_reports_mistakes_in_one_line(
    docs: Path, tmp_path: Path, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    without = make_bundle(tmp_path / "without", embedding=20)
    for path, message in (
        (without.path, f"preview: bundle {without.path} has no preview network"),
        (bundle.path, f"preview: bundle {bundle.path}: bundle.json has no recipe, which names its images"),
    ):
        words = ["--bundle", str(path), "--out", str(tmp_path / "preview.json"), "--docs", str(docs)]
        assert cli.main(words) == 1
        one_line(capsys.readouterr().err, message)
    (docs / page.PAGE).write_text("# Previews\n")
    assert cli.main(["--bundle", str(bundle.path), "--docs", str(docs)]) == 1
    one_line(capsys.readouterr().err, "preview: preview.md has no lines <!-- Written by ")


def test_chunks_are_the_whole_payload_its_half_and_its_quarter(bundle: Bundle) -> None:
    assert bundle.chunks == [(0, 48), (0, 24), (24, 24)] and chunks_of(bundle) == [0, 1]
    manifest = json.loads((bundle.path / "bundle.json").read_text())
    manifest["chunks"] = [[0, 48], [0, 12], [0, 24], [0, 40]]
    (bundle.path / "bundle.json").write_text(json.dumps(manifest))
    assert chunks_of(load(bundle.path)) == [0, 2, 1]


def test_received_symbols_are_damaged_as_the_channel_does(bundle: Bundle) -> None:
    encoded = Encoded(np.random.default_rng(0).integers(0, 8, (200, 48)))
    sent: list[int] = []
    clean = receive(bundle, encoded, 0, 0.0, 0, sent.append)
    np.testing.assert_array_equal(clean.symbols, encoded.symbols)
    np.testing.assert_array_equal(clean.index, np.arange(200))
    assert sum(sent) == 200 and clean.bers.max() < 0.01
    noisy = receive(bundle, encoded, 1, 0.1, 0, sent.append)
    assert 150 < len(noisy.index) <= 200 and (noisy.symbols[:, 24:] == -1).all()
    kept = (noisy.symbols[:, :24] == encoded.symbols[noisy.index, :24]).mean()
    assert kept == pytest.approx(0.9**3, abs=0.02)
    assert noisy.bers.mean() == pytest.approx(0.1, abs=0.02)


def test_quality_is_a_mean_over_images() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(20, 230, (3, 16, 16, 3), dtype=np.uint8)
    previews = images.copy()
    previews[0] += 10
    previews[1:] += 1
    found = quality(previews, images)
    assert found["psnr"] == pytest.approx(np.mean([20 * np.log10(255 / error) for error in (10, 1, 1)]))
    assert 0.9 < found["ssim"] < 1 and quality(np.roll(images, 1, axis=0), images)["ssim"] < 0.6
