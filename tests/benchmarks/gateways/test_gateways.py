"""Benchmark of gateways: copies help, pairs stay apart, and the section has all figures."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gateways import air, cli, losses, pairs
from benchmarks.gateways.losses import EXPERIMENTS, loss
from benchmarks.gateways.page import draw, section
from benchmarks.gateways.pairs import KINDS, false_pairs, pairs_per_cell


def ignore(done: int) -> None:
    """Take progress and do nothing."""


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: one.title)
def test_loss_is_none_without_errors_and_falls_with_copies(experiment: losses.Experiment) -> None:
    assert loss(experiment, 0.0, 2, 3, 0, ignore) == {"lost": 0.0, "false": 0.0, "best_lost": 0.0}
    one, three = (loss(experiment, 0.15, copies, 12, 0, ignore) for copies in (1, 3))
    assert three["lost"] <= min(0.25, one["lost"]) and three["best_lost"] >= three["lost"]


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_stay_apart(kind: str) -> None:
    assert false_pairs(kind, 0.05, 10, 0, ignore) == 0


def test_equal_frames_are_combined() -> None:
    """The counter counts: a pair of equal packets is one."""
    receiver = pairs._knowing(True)
    first, _ = KINDS["equal features, next image"][2](np.random.default_rng(0))
    assert pairs._grouped(first, first) and pairs._combined(receiver, first, first)


def test_pairs_per_cell_adds_up() -> None:
    hard, easy = pairs_per_cell(1_000_000)
    count = sum(hard if is_hard else easy for is_hard, _, _ in KINDS.values()) * len(pairs.BERS)
    assert count == pytest.approx(1_000_000, rel=0.01) and easy > hard


@pytest.mark.slow
def test_command_writes_all_figures_of_the_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(losses, "BERS", (0.1,))
    monkeypatch.setattr(losses, "COPIES", (1, 2, 3))
    monkeypatch.setattr(pairs, "BERS", (0.1,))
    monkeypatch.setattr(air, "SNRS", (-8.0,))
    out = tmp_path / "gateways.json"
    arguments = ["--frames", "2", "--pairs", "50", "--images", "12", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["gateways", *arguments])
    assert cli.main() == 0 and capsys.readouterr().out.endswith(f"Figures: {out}\n")
    figures = json.loads(out.read_text())
    (row,) = figures["air"].values()
    assert row["combined, 3"]["received"] == 1.0 >= row["first clean copy, 1"]["received"]
    text = section(figures)
    assert "| features, known device, BER 0.1 |" in text and "| -8 dB |" in text and "| all | " in text
    assert draw(tmp_path, figures) == ["gateways.png"] and (tmp_path / "gateways.png").stat().st_size > 1000
