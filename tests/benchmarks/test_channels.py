"""The command behind the table of docs/channels.md."""

import sys

import pytest

from benchmarks import channels


def test_models_hold_against_theory(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "argv", ["channels", "--frames", "2000", "--seed", "1"])
    monkeypatch.setattr(channels, "_speed", lambda _rng: "")
    assert channels.main() == 0
    out = capsys.readouterr().out
    assert "2000 frames a line, seed 1" in out and "lora:snr=-9,sf=7,cr=5" in out


def test_a_model_that_is_off_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["channels", "--frames", "500"])
    monkeypatch.setattr(channels, "_speed", lambda _rng: "")
    monkeypatch.setattr(channels, "_symbols", lambda n, rng: [channels._flips("bsc:ber=0.05", 0.04, n, rng)])
    assert channels.main() == 1
