"""`inkling sweep`: trials of several values, their ranking, early stops, and what a second call does."""

import re
from pathlib import Path

import pytest

from inkling.cli import main_of
from inkling.commands import SWEEP
from tests.support import train as train_support
from train.errors import TrainError
from train.run_files import read_log
from train.sweep import JOURNAL, values_of
from train.trainers.trainer import Trainer

SHORT = ("--set", "schedule.epochs=3", "--set", "schedule.qat_epochs=1", "--threads", "1")


def sweep(config: Path, *words: object) -> int:
    """Run the command with a config; return its exit status."""
    return main_of(SWEEP, "inkling sweep", [str(config), *map(str, words)])


def ranking(output: str) -> list[tuple[str, str]]:
    """Return the swept value and the end of each row of the table."""
    rows = [re.split(r"\s*│\s*", line.strip("│ ")) for line in output.splitlines() if line.startswith("│")]
    return [(row[1], row[-1]) for row in rows]


@pytest.mark.slow
@pytest.mark.training
def test_sweep_ranks_trials_and_stops_one_that_falls_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, out = train_support.write_config(tmp_path), tmp_path / "sweep"
    words = (config, *SHORT, "--set", "schedule.lr=1e-2,8e-3,6e-3,1e-6", "--out", out)
    assert sweep(*words) == 0
    output = capsys.readouterr().out
    rows = ranking(output)
    assert set(rows[:3]) == {(value, "in time") for value in ("0.01", "0.008", "0.006")}
    assert rows[3:] == [("1e-06", "early")]
    assert len(read_log(out / "schedule.lr=1e-06")) == 2 and len(read_log(out / "schedule.lr=0.01")) == 4
    best = f"{out}/schedule.lr={rows[0][0]}"
    assert output.splitlines()[-1].endswith(f"schedule.lr={rows[0][0]}; next: inkling evaluate {best}")
    assert not list(out.glob("*/test.json")), "test images choose nothing"
    assert sweep(*words) == 0
    again = capsys.readouterr().out
    assert ranking(again) == rows and "epoch " not in again, "a sweep that has ended trains nothing"


@pytest.mark.slow
@pytest.mark.training
def test_interrupted_sweep_is_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = train_support.write_config(tmp_path), tmp_path / "sweep"
    words = (config, *SHORT, "--set", "seed=1,2", "--out", out)
    train = Trainer._end_epoch

    def interrupted(self: Trainer, *arguments: object) -> dict:
        if self.config.seed == 2 and self.state.epoch == 2:
            raise KeyboardInterrupt
        return train(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "_end_epoch", interrupted)
    assert sweep(*words) == 130
    monkeypatch.undo()
    assert [len(read_log(out / f"seed={seed}")) for seed in (1, 2)] == [4, 1]
    capsys.readouterr()
    assert sweep(*words) == 0
    output = capsys.readouterr().out
    assert "epoch   1/4" not in output and "epoch   2/4" in output
    assert {value for value, _ in ranking(output)} == {"1", "2"}


@pytest.mark.slow
@pytest.mark.training
def test_sweep_of_fewer_trials_than_combinations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, out = train_support.write_config(tmp_path), tmp_path / "sweep"
    few = ("--set", "schedule.epochs=1", "--set", "schedule.qat_epochs=1", "--threads", "1", "--trials", "2")
    assert sweep(config, *few, "--set", "seed=1,2,3", "--set", "quantizer.bits=2,3", "--out", out) == 0
    assert len(ranking(capsys.readouterr().out)) == 2 == len([*out.glob("seed=*")])


@pytest.mark.slow
@pytest.mark.training
def test_trial_that_fails_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = train_support.write_config(tmp_path), tmp_path / "sweep"

    def diverged(self: Trainer) -> None:
        raise TrainError("the loss is nan in epoch 1: lower schedule.lr")

    monkeypatch.setattr(Trainer, "train", diverged)
    assert sweep(config, *SHORT, "--set", "seed=1,2", "--out", out) == 1
    output = capsys.readouterr()
    assert output.out.count("failed: the loss is nan") == 2
    assert train_support.one_line(output.err, "inkling: ") == "inkling: no trial was trained to its end\n"


def test_mistakes_are_reported_before_anything_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, out = train_support.write_config(tmp_path), tmp_path / "sweep"

    def message(*words: object) -> str:
        assert sweep(config, *words, "--out", out) == 1
        assert not out.exists()
        return capsys.readouterr().err

    assert "no setting has several values: give --set NAME=VALUE,VALUE" in message("--set", "seed=1")
    assert "--trials 0: must be at least 1" in message("--set", "seed=1,2", "--trials", 0)
    assert "unknown setting 'bit' (did you mean 'bits'?)" in message("--set", "quantizer.bit=2,3")
    assert "quantizer.bits" in message("--set", "quantizer.bits=2,99")
    assert "--set data.name=a,b: expected NAME=VALUE,VALUE in TOML's syntax" in message("--set", "data.name=a,b")


@pytest.mark.training
def test_folder_of_another_sweep_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = train_support.write_config(tmp_path), tmp_path / "sweep"

    def interrupted(self: Trainer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "train", interrupted)
    assert sweep(config, *SHORT, "--set", "seed=1,2", "--out", out) == 130
    assert (out / JOURNAL).is_file()
    capsys.readouterr()
    assert sweep(config, *SHORT, "--set", "seed=1,2,3", "--out", out) == 1
    line = train_support.one_line(capsys.readouterr().err, "inkling: ")
    expected = f"inkling: {out} holds another sweep ({config} --set seed=1,2 --set schedule.epochs=3 --set "
    assert line.startswith(expected) and line.endswith(": give --out another folder\n")


def test_values_between_commas() -> None:
    grid, fixed = values_of(["quantizer.bits=2,3,2", "link.chunks=[[0, 8]]", "link.channels=['bsc', 'lora'],['bsc']"])
    assert grid == {"quantizer.bits": ["2", "3"], "link.channels": ['["bsc", "lora"]', '["bsc"]']}
    assert fixed == ["link.chunks=[[0, 8]]"]
    assert values_of(["data.flip=true,false", "seed=1"]) == ({"data.flip": ["true", "false"]}, ["seed=1"])
