"""Lost frames of known devices, secured and plain: at a small count, and the tables of docs/secured.md."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.command import RESULTS, read_json
from benchmarks.receiver import attacks, secured
from benchmarks.receiver.secured import BERS, KINDS, LINKS, Case, measure_case
from tests.support import ROOT
from wire.bundle import Bundle, load
from wire.secure.limits import max_tag_flips, refused


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load(ROOT / "bundles" / "cifar10")


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("kind", KINDS)
def test_secured_frames_are_found_as_often_as_plain_ones_and_refused_as_computed(
    shipped: Bundle, link: str, kind: str
) -> None:
    count = 1500
    plain, tagged = (
        measure_case(shipped, Case(link, kind, one, 0.1), count, 0, lambda steps: None) for one in (False, True)
    )
    assert tagged.not_found <= plain.not_found + 8 and plain.refused == tagged.wrong == 0
    expected = refused(max_tag_flips(1), 0.1) * count
    assert abs(tagged.refused - expected) < 4 * expected**0.5


def test_undamaged_frames_are_all_full(shipped: Bundle) -> None:
    for kind in KINDS:
        losses = measure_case(shipped, Case("line", kind, True, 0.0), 50, 0, lambda steps: None)
        assert (losses.full, losses.not_found, losses.refused) == (50, 0, 0)


def test_committed_figures_show_no_more_headers_lost_than_of_plain_frames() -> None:
    figures = read_json(ROOT / RESULTS / "secured.json")
    cases = {(row["link"], row["kind"], row["ber"], row["secured"]): row for row in figures["cases"]}
    assert figures["frames"] >= 20_000 and len(cases) == 2 * len(LINKS) * len(KINDS) * len(BERS)
    for link, kind, ber, is_secured in cases:
        if is_secured:
            found, before = cases[link, kind, ber, True], cases[link, kind, ber, False]
            assert found["not_found"] <= before["not_found"] and found["wrong"] == 0


@pytest.mark.parametrize(("name", "module"), [("secured", secured), ("attacks_secured", attacks)])
def test_table_of_the_docs_is_of_the_committed_figures(name: str, module: object) -> None:
    figures = read_json(ROOT / RESULTS / f"{name}.json")
    page = (ROOT / "docs" / "secured.md").read_text(encoding="utf-8")
    table = secured.section(figures) if module is secured else attacks.section(figures)
    assert table in page and f"`{figures['command']}`" in page and figures["date"] in page
    assert figures["model_id"] == load(ROOT / "bundles" / "cifar10").model_id


def test_main_writes_and_prints_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(secured, "BERS", (0.0,))
    monkeypatch.setattr(secured, "LINKS", ("radio",))
    monkeypatch.setattr(sys, "argv", ["secured", "--frames", "3", "--out", str(tmp_path / "secured.json")])
    assert secured.main() == 0
    rows = json.loads((tmp_path / "secured.json").read_text())["cases"]
    assert [(row["kind"], row["secured"], row["not_found"]) for row in rows] == [
        ("features", False, 0), ("features", True, 0), ("answers", False, 0), ("answers", True, 0),
    ]  # fmt: skip
    assert "| features, radio, BER 0 | 0.00 % | 0.00 % | 0.00 % | 100.00 %" in capsys.readouterr().out
