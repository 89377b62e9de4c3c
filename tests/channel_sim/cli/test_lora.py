"""Tests of `inkling sim lora`."""

import argparse
import re

import pytest

from channel_sim.cli import lora, parsers


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    parsers.lora(parser)
    return lora.run(parser.parse_args(arguments))


def test_lora_command_has_row_per_sf_and_snr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert run("--bytes", "51", "--sf", "7", "12", "--snr", "-11", "-9", "--packets", "1500") == 0
    lines = [re.findall(r"[-\d.e]+", line) for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert [line[:4] for line in lines] == [
        [sf, snr, signal, air]
        for sf, air in (("7", "102.7"), ("12", "2465.8"))
        for snr, signal in (("-11", "-128"), ("-10", "-127"), ("-9", "-126"))
    ]
    at_sf7, at_sf12 = lines[:3], lines[3:]
    assert [line[4] for line in at_sf7] == ["351"] * 3, "36 s of air time an hour"
    bers, failing, lost = ([float(line[k]) for line in at_sf7] for k in (5, 6, 7))
    assert bers[0] > bers[1] > bers[2] > 0 and failing[0] > failing[1] > failing[2] > 0 and lost[0] > lost[2]
    assert [line[5:] for line in at_sf12] == [["0", "0.0", "0.0"]] * 3


def test_lora_command_default_range_covers_the_transition(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert run("--sf", "7", "8", "9", "10", "11", "12", "--packets", "200") == 0
    rows = [re.findall(r"[-\d.e]+", line) for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert len(rows) == 6 * 7
    for sf in range(6):
        failing = [float(row[6]) for row in rows[7 * sf : 7 * sf + 7]]
        assert failing[0] > 90 and failing[-1] < 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--packets", "0"], "--packets must be at least 1"),
        (["--sf", "13"], "a spreading factor is 7 to 12, not 13"),
        (["--cr", "9"], "a coding rate is 5 to 8"),
        (["--bytes", "256"], "a LoRa payload has 1 to 255 bytes, not 256"),
        (["--bytes", "100000000000"], "a LoRa payload has 1 to 255 bytes, not 100000000000"),
        (["--snr", "5", "1"], "--snr is LOW and HIGH, got 5 and 1"),
    ],
)
def test_lora_command_refuses_impossible_settings(arguments: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(*arguments)
