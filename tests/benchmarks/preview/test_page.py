"""docs/preview.md against the committed figures, if there are any."""

import json
from pathlib import Path

import pytest

from benchmarks.command import RESULTS, ResultsError, read_json
from benchmarks.preview import page
from tests.support import ROOT

ROW = {"psnr": 17.26, "ssim": 0.4129, "cosine": 0.5551, "frames_lost": 0, "ber_estimated": 1e-4}
FIGURES = {
    "bundle": "general64",
    "model_id": "0123abcd",
    "dataset": "tiny-imagenet-200",
    "images": 1000,
    "images_of_left_out_classes": 200,
    "seed": 0,
    "network": "efficientnet_lite0",
    "cosine_of_other_images": 0.2,
    "preview_ms": 4.62,
    "payload_bytes": {"144": {"0": ROW, "0.05": {**ROW, "psnr": 16.0}}, "72": {"0": ROW}},
    "date": "2026-11-30",
    "command": "python -m benchmarks.preview --bundle bundles/general64 --images 1000 --seed 0",
}


def test_page_has_the_committed_figures_or_says_that_there_are_none() -> None:
    file = ROOT / RESULTS / page.FIGURES
    content = page.section(read_json(file)) if file.is_file() else page.NOT_MEASURED
    text = (ROOT / page.DOCS / page.PAGE).read_text(encoding="utf-8")
    assert page.content_of(text) == content, "run python -m benchmarks.results"
    assert (ROOT / page.DOCS / page.SHEET).is_file() == file.is_file()


def test_section_has_every_figure() -> None:
    text = page.section(FIGURES)
    assert "| 144 bytes | 0 | 17.3 dB | 0.413 | 0.555 |" in text and "| 144 bytes | 0.05 | 16.0 dB |" in text
    assert "| 72 bytes | 0 |" in text and "1,000 Tiny ImageNet test images" in text and "200 of them" in text
    assert "4.6 ms" in text and "0.200 in the mean" in text and "\n\n\n" not in text


def test_page_is_filled_between_its_marks_only() -> None:
    text = f"# Previews\n\n{page.BEGIN}\nold\n\n{page.END}\n## More\n"
    new = page.filled(text, "new\n")
    assert new == text.replace("old", "new") and page.content_of(new) == "new\n"
    assert page.filled(new, "new\n") == new
    for wrong in ("", page.BEGIN, page.END):
        with pytest.raises(ResultsError, match=r"preview.md has no lines"):
            page.filled(wrong, "new\n")


def test_nothing_is_written_without_figures_or_page(tmp_path: Path) -> None:
    assert page.refresh(tmp_path, tmp_path) == []
    (tmp_path / page.FIGURES).write_text(json.dumps(FIGURES))
    assert page.refresh(tmp_path, tmp_path) == [] and not (tmp_path / page.PAGE).exists()
