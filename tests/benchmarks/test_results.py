"""docs/RESULTS.md against the committed figures in benchmarks/results."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.command import RESULTS
from benchmarks.results import cli
from benchmarks.results.page import HEAD, PAGE, SECTIONS, page, read_figures, sections_of
from tests.support import ROOT
from tests.support.train import one_line
from wire.errors import InklingError


@pytest.fixture(autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", SECTIONS)
def test_results_section_matches_the_committed_figures(name: str) -> None:
    heading = SECTIONS[name].heading
    try:
        new = sections_of(page(read_figures(RESULTS, [name])))
    except InklingError as error:
        pytest.fail(str(error))
    assert list(new) == [heading]
    old = sections_of(PAGE.read_text(encoding="utf-8"))
    assert old.get(heading) == new[heading], f"run python -m benchmarks.results --sections {name}"


def test_results_page_has_the_head_and_the_sections_in_order() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(f"{HEAD}\n## ")
    assert list(sections_of(text)) == [section.heading for section in SECTIONS.values()]
    assert page({}, text) == text


def test_results_page_shows_plots_that_exist() -> None:
    plots = re.findall(r"!\[[^]]*\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert plots and all((PAGE.parent / plot).is_file() for plot in plots)


def test_results_command_renews_only_the_sections_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "RESULTS.md"
    demo = SECTIONS["demo"].heading
    out.write_text(f"# Old\n\n## {demo}\n\nby hand\n\n## Gone\n\nx\n\n## {SECTIONS['codec'].heading}\n\nold\n")
    assert cli.main(["--sections", "codec", "--out", str(out)]) == 0
    renewed = out.read_text(encoding="utf-8")
    assert list(sections_of(renewed)) == [SECTIONS["codec"].heading, demo]
    assert f"## {demo}\n\nby hand\n" in renewed and "\nold\n" not in renewed and renewed.startswith(HEAD)
    assert capsys.readouterr().out == f"Written: {out}, accuracy-cifar10.png\n"
    assert (tmp_path / "accuracy-cifar10.png").stat().st_size > 5000


def test_results_command_lists_all_missing_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--results", str(tmp_path), "--out", str(tmp_path / "page.md")]) == 1
    errors = one_line(capsys.readouterr().err, "results: ")
    assert f"{tmp_path}/codec.json is missing: run make bench-codec; " in errors
    assert f"{tmp_path}/accuracy has no figures: run make bench-accuracy" in errors
    assert all(section.command in errors for section in SECTIONS.values())
    assert not (tmp_path / "page.md").exists()


@pytest.mark.parametrize("content", ["{", "[1]", "7"])
def test_read_figures_refuses_a_damaged_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "codec.json").write_text(content)
    with pytest.raises(InklingError, match=r"codec.json cannot be read \(.*\): run make bench-codec"):
        read_figures(tmp_path, ["codec"])


def test_read_figures_refuses_two_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, model_id in (("codec", "0000000a"), ("demo", "0000000b")):
        (tmp_path / f"{name}.json").write_text(json.dumps({"model_id": model_id}))
    with pytest.raises(InklingError, match="different models: codec 0000000a, demo 0000000b"):
        read_figures(tmp_path, ["codec", "demo"])
    # Another bundle is another model.
    other = replace(SECTIONS["codec"], read=SECTIONS["demo"].read, bundle="other")
    monkeypatch.setitem(SECTIONS, "other", other)
    assert len(read_figures(tmp_path, ["codec", "other"])) == 2
