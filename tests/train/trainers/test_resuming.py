"""Resuming a run: with more epochs, with another setting, with changed data."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import Trained
from tests.support.train import EPOCHS, QAT_EPOCHS, fails, main
from train.config import CodecConfig
from train.errors import TrainError
from train.run_files import read_log
from train.trainers.optimizer import Phase
from train.trainers.resuming import must_go_back

FILES = ("config.json", "checkpoint.pt", "best.pt", "log.jsonl", "log.csv", "data.json")


@pytest.fixture
def run(trained: Trained, tmp_path: Path) -> Path:
    """Return a copy of the finished run."""
    shutil.copytree(trained.folder, tmp_path / "run")
    return tmp_path / "run"


def contents(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in FILES}


# More epochs


@pytest.mark.training
@pytest.mark.slow
def test_finished_run_is_extended_from_its_last_float_epoch(
    trained: Trained, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--set", f"schedule.epochs={EPOCHS + 2}")
    assert main(trained.config, *more, "--out", run, "--threads", 1) == 0
    output = capsys.readouterr().out
    total = EPOCHS + 2 + QAT_EPOCHS
    assert f"extending the run from {EPOCHS + QAT_EPOCHS} to {total} epochs\n" in output
    assert f"resuming after epoch {EPOCHS} of {total}\n" in output
    log, old = read_log(run), read_log(trained.folder)
    assert [entry["epoch"] for entry in log] == list(range(1, total + 1))
    assert [entry["phase"] for entry in log] == ["float"] * (EPOCHS + 2) + ["int8"] * QAT_EPOCHS
    assert log[:EPOCHS] == old[:EPOCHS]
    # The learning rate is that of a run of six float epochs: higher again than at the end of four.
    schedule = CodecConfig.load(trained.config).schedule
    phase = Phase("float", EPOCHS + 2, schedule.lr, schedule.qat_lr, schedule.warmup_epochs)
    assert [entry["lr"] for entry in log[EPOCHS : EPOCHS + 2]] == [
        phase.learning_rate(epoch * 30 - 1, 30)
        for epoch in (EPOCHS + 1, EPOCHS + 2)  # 960 images in batches of 32
    ]
    assert log[EPOCHS]["lr"] > old[EPOCHS - 1]["lr"]
    best = torch.load(run / "best.pt", weights_only=True)
    assert best["epoch"] > EPOCHS + 2 and best["held_out"] == log[best["epoch"] - 1]["held_out"]
    assert CodecConfig.from_run(run).schedule.epochs == EPOCHS + 2
    assert main(trained.config, *more, "--out", run) == 0  # nothing is left to train
    assert f"resuming after epoch {total} of {total}" in capsys.readouterr().out


@pytest.mark.training
def test_finished_run_is_extended_by_int8_epochs_and_keeps_a_better_model(
    trained: Trained, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = torch.load(run / "checkpoint.pt", weights_only=True)
    del checkpoint["plan"]  # as in runs from before it was kept
    torch.save(checkpoint | {"best_score": 2.0}, run / "checkpoint.pt")
    (run / "data.json").unlink()
    before = (run / "best.pt").read_bytes()
    more = f"schedule.qat_epochs={QAT_EPOCHS + 1}"
    assert main(trained.config, "--set", more, "--out", run, "--threads", 1) == 0
    assert f"resuming after epoch {EPOCHS + QAT_EPOCHS} of {EPOCHS + QAT_EPOCHS + 1}" in capsys.readouterr().out
    assert [entry["phase"] for entry in read_log(run)] == ["float"] * EPOCHS + ["int8"] * (QAT_EPOCHS + 1)
    assert (run / "best.pt").read_bytes() == before
    assert (run / "data.json").read_bytes() == (trained.folder / "data.json").read_bytes()


@pytest.mark.training
def test_run_without_its_float_state_is_not_extended_and_left_alone(
    trained: Trained, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "float.pt").unlink()
    before = contents(run)
    message = f"{run} cannot be extended, as it has no float.pt; give --out another folder"
    fails(capsys, message, trained.config, "--set", "schedule.epochs=9", "--out", run)
    assert contents(run) == before


@pytest.mark.training
def test_run_with_fewer_epochs_or_another_setting_is_refused_and_left_alone(
    trained: Trained, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(run)
    message = f"{run} holds another run: schedule.epochs was 4 and is now 3; give --out another folder"
    fails(capsys, message, trained.config, "--set", "schedule.epochs=3", "--out", run)
    message = "link.ber was [0.001, 0.15] and is now [0.01, 0.1]; schedule.lr was 0.01 and is now 0.02; give"
    words = ("--set", "schedule.lr=0.02", "--set", "schedule.epochs=9", "--set", "link.ber=[0.01, 0.1]")
    fails(capsys, message, trained.config, *words, "--out", run)
    assert contents(run) == before


@pytest.mark.training
def test_run_with_its_holdout_as_a_share_is_the_same_run(
    trained: Trained, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(trained.config, "--set", "data.holdout=0.0625", "--out", run) == 0  # 64 of 1024
    assert "resuming after epoch 7 of 7" in capsys.readouterr().out


FLOAT, INT8 = Phase("float", 4, 1e-3), Phase("int8", 2, 1e-4, int8=True)


def longer(phase: Phase) -> Phase:
    return Phase(phase.name, phase.epochs + 3, phase.lr, int8=phase.int8)


@pytest.mark.parametrize(
    ("new", "epoch", "expected"),
    [
        ([FLOAT, INT8], 5, False),
        ([longer(FLOAT), INT8], 2, False),
        ([longer(FLOAT), INT8], 4, False),
        ([longer(FLOAT), INT8], 5, True),
        ([longer(FLOAT), longer(INT8)], 6, True),
        ([FLOAT, longer(INT8)], 6, False),
    ],
)
def test_must_go_back_only_from_int8_epochs_to_more_float_epochs(new: list[Phase], epoch: int, expected: bool) -> None:
    assert must_go_back([FLOAT, INT8], new, epoch) is expected


def test_must_go_back_refuses_stages_that_are_over() -> None:
    stages = [Phase("stage 1", 2, 1e-3), Phase("stage 2", 2, 1e-3)]
    more = [longer(stages[0]), longer(stages[1])]
    assert not must_go_back(stages, more, 2)
    with pytest.raises(TrainError, match="cannot be extended: its stage 'stage 1' is over"):
        must_go_back(stages, more, 3)
    with pytest.raises(TrainError, match="cannot be extended: it would have other stages"):
        must_go_back(stages, stages[:1], 3)


# Changed data


@pytest.mark.training
def test_run_with_changed_data_is_refused_in_one_line_and_left_alone(
    trained: Trained, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(run)
    npz = Path(CodecConfig.load(trained.config).data.name.removeprefix("npz:"))
    original = npz.read_bytes()
    with np.load(npz) as z:
        arrays = dict(z)
    try:
        for name, index in (("y_train", 700), ("x_train", (700, 3, 3, 0))):
            changed = {key: value.copy() for key, value in arrays.items()}
            changed[name][index] ^= 1
            np.savez(npz, **changed)
            message = f"{run} was trained on other images, labels or classes than npz:{npz} has now; restore these, or"
            fails(capsys, message, trained.config, "--out", run)
        np.savez(npz, **arrays | {"x_test": arrays["x_test"] ^ 1})  # test images are not trained on
        assert main(trained.config, "--out", run) == 0
    finally:
        npz.write_bytes(original)
    assert contents(run) == before


@pytest.mark.training
def test_data_json_names_the_data(trained: Trained) -> None:
    content = json.loads((trained.folder / "data.json").read_text())
    assert content["name"].startswith("npz:") and content["training_images"] == 1024 and len(content["sha256"]) == 64


# Test figures


@pytest.mark.training
def test_test_figures_are_those_of_the_best_model_and_kept(
    trained: Trained, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = json.loads((run / "test.json").read_text())
    best = torch.load(run / "best.pt", weights_only=True)
    assert (kept["epoch"], kept["images"], kept["held_out"]) == (best["epoch"], 32, best["held_out"])
    # Training, held-out and test images are copies of the same 32, with other shares of each.
    assert kept["accuracies"].keys() == best["held_out"].keys()
    assert abs(kept["accuracies"]["0"] - best["held_out"]["0"]) < 0.1
    (run / "test.json").write_text(json.dumps(kept | {"accuracies": {"0": 0.125}}))
    assert main(trained.config, "--out", run) == 0
    assert "test % by BER, 32 images  0: 12.50\n" in capsys.readouterr().out
    (run / "test.json").write_text(json.dumps(kept | {"epoch": 1, "accuracies": {"0": 0.125}}))  # of an earlier best.pt
    assert main(trained.config, "--out", run) == 0
    assert json.loads((run / "test.json").read_text()) == kept
