"""The command that makes the table of docs/channels.md."""

import sys

import pytest

from benchmarks import channels


def test_main_finds_models_equal_to_theory(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "argv", ["channels", "--frames", "2000", "--seed", "1"])
    monkeypatch.setattr(channels, "_speed", lambda _rng: "")
    assert channels.main() == 0
    out = capsys.readouterr().out
    assert "2000 frames per line, seed 1" in out and "lora:snr=-9,sf=7,cr=5" in out


def test_main_fails_if_a_model_differs_from_theory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["channels", "--frames", "500"])
    monkeypatch.setattr(channels, "_speed", lambda _rng: "")
    monkeypatch.setattr(channels, "_symbols", lambda n, rng: [channels._flips("bsc:ber=0.05", 0.04, n, rng)])
    assert channels.main() == 1
