"""Tests of the benchmark of answer frames: shares that add up, and layouts beside the receiver."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.answers import cli
from benchmarks.answers.layouts import LAYOUTS, known_device, opponents
from benchmarks.answers.measure import LINKS, false_answers, outcomes


def ignore(done: int) -> None:
    """Take progress and do nothing."""


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("known", [True, False])
def test_outcomes_are_all_right_without_errors_and_lost_with_many(link: str, known: bool) -> None:
    clean = outcomes(LINKS[link], 100, 0.0, known, 40, 0, ignore)
    assert (clean.right, clean.wrong, clean.lost, clean.unsure, clean.false) == (1.0, 0.0, 0.0, 0.0, 0.0)
    noisy = outcomes(LINKS[link], 100, 0.35, known, 40, 0, ignore)
    assert noisy.lost > 0.8 and noisy.right + noisy.wrong + noisy.lost == pytest.approx(1.0)


def test_a_known_device_is_heard_farther_than_a_new_one() -> None:
    known, new = (outcomes(LINKS["radio"], 10, 0.1, known, 100, 1, ignore) for known in (True, False))
    assert known.right > 0.9 > new.right


def test_noise_is_hardly_ever_an_answer() -> None:
    assert false_answers(10, 1, 500, 0, ignore) < 0.02


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.title)
def test_layouts_of_more_bytes_are_farther_apart(layout: object) -> None:
    assert isinstance(layout, type(LAYOUTS[0]))
    codewords = layout.codewords(np.arange(3), 10)
    assert codewords.shape == (3 * 10 * 16, 2) and len(np.unique(codewords, axis=0)) == len(codewords)
    clean = known_device(layout, 10, 0.0, 20, 0, ignore)
    assert clean == {"right": 1.0, "wrong": 0.0, "lost": 0.0, "unsure": 0.0}
    noisy = known_device(layout, 10, 0.15, 200, 0, ignore)
    assert noisy["right"] > 0.6 and noisy["right"] + noisy["wrong"] + noisy["lost"] == pytest.approx(1.0)


def test_opponents_lose_by_the_binomial_distribution() -> None:
    plain, corrected = opponents().values()
    assert plain["0.01"] == pytest.approx(1 - 0.99**48)
    assert corrected["0.01"] < 0.01 < plain["0.01"] and corrected["0.1"] > 0.8


def test_command_writes_all_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.answers.measure.BERS", (0.01,))
    monkeypatch.setattr("benchmarks.answers.measure.CLASS_COUNTS", (10,))
    monkeypatch.setattr("benchmarks.answers.cli.BERS", (0.01,))
    out = tmp_path / "answers.json"
    monkeypatch.setattr("sys.argv", ["answers", "--frames", "5", "--noise", "20", "--out", str(out)])
    assert cli.main() == 0 and capsys.readouterr().out.endswith(f"Figures: {out}\n")
    figures = json.loads(out.read_text())
    assert set(figures["received"]) == {
        f"10 classes, {kind} device, {link}" for kind in ("known", "new") for link in LINKS
    }
    assert figures["received"]["10 classes, known device, radio"]["0.01"]["right"] == 1.0
    assert len(figures["layouts"]) == 2 * len(LAYOUTS) and figures["frames"] == 5
