"""Training of a codec by its command line: it learns, resumes bit for bit, and refuses mistakes."""

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import Trained
from tests.support import train as train_support
from tests.support.train import EPOCHS, QAT_EPOCHS, changed, fails, main
from train.compute_device import CPU, has_fast_bf16
from train.config import CodecConfig
from train.data import datasets
from train.data.augment import Views
from train.data.sampling import split_holdout
from train.errors import TrainError
from train.run_files import read_log
from train.trainers.codec import CodecTrainer, load_codec, soft_labels_file

CLASS_COUNTS = "airplane 96, automobile 96, bird 96, cat 128, deer 96, dog 96, frog 96, horse 96, ship 128, truck 96"
WAIT_SECONDS = 300  # on a loaded machine, where torch alone takes long to import


def state(file: Path) -> dict[str, torch.Tensor]:
    """Return every tensor of a checkpoint, by its path in it."""

    def walk(value: object, path: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, f"{path}/{key}")
        elif isinstance(value, torch.Tensor):
            tensors[path] = value

    tensors: dict[str, torch.Tensor] = {}
    walk(torch.load(file, weights_only=True), "")
    return tensors


# Learning


@pytest.mark.training
def test_codec_training_leaves_config_log_and_best_model(trained: Trained) -> None:
    assert CodecConfig.from_run(trained.folder) == CodecConfig.load(trained.config)
    log = read_log(trained.folder)
    assert [entry["epoch"] for entry in log] == list(range(1, EPOCHS + QAT_EPOCHS + 1))
    assert all(entry["held_out"] for entry in log)
    assert [entry["phase"] for entry in log] == ["float"] * EPOCHS + ["int8"] * QAT_EPOCHS
    best = torch.load(trained.folder / "best.pt", weights_only=True)
    assert best["epoch"] > EPOCHS
    assert best["held_out"] == log[best["epoch"] - 1]["held_out"]


@pytest.mark.training
def test_codec_training_learns_its_images_by_heart(trained: Trained) -> None:
    log = read_log(trained.folder)
    assert log[0]["loss"] < 2 * 2.2 and log[-1]["loss"] < 0.5 * log[0]["loss"]  # the host's and the board's
    held_out = log[-1]["held_out"]  # other copies of the same images
    assert held_out["0"] > 0.9
    assert held_out["0.1"] > 0.7 and held_out["prefix 104"] > 0.7 and held_out["prefix 8"] > 0.7
    assert held_out["board"] > 0.9
    assert list(held_out)[-3:] == ["prefix 104", "prefix 8", "board"]


@pytest.mark.training
def test_codec_training_prints_each_epoch_and_the_next_command(trained: Trained) -> None:
    lines = trained.output.splitlines()
    assert lines[0].endswith("golden.npz: " + CLASS_COUNTS + " to train on; 32 test images")
    assert lines[1].startswith("estimate: 0.8 M instructions per image on a Cortex-M4; the encoder needs about ")
    title = "tiny: 1,024 training images (64 held out), encoder 138,528 MACs, 232 symbols of 3 bits; on cpu"
    assert lines[2] == f"{title} in {'bfloat16' if has_fast_bf16(CPU) else 'float32'}"
    assert sum(line.startswith("epoch ") for line in lines) == EPOCHS + QAT_EPOCHS
    assert lines[-2].startswith("test % by BER, 32 images  0: ")
    assert lines[-1] == f"done: {trained.folder}/best.pt; next: inkling export {trained.folder} -o build/bundles/tiny"


# Resuming


def stopped_after(epochs: int, trained: Trained, folder: Path, number: int) -> tuple[int, str]:
    """Train until `epochs` epochs are done, then send the signal; return exit status and error message."""
    line = train_support.command("train", trained.config, "--out", folder, "--threads", 1)
    child = subprocess.Popen(line, cwd=train_support.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + WAIT_SECONDS
    while len(read_log(folder)) < epochs and child.poll() is None and time.monotonic() < limit:
        time.sleep(0.005)
    child.send_signal(number)
    _, error = child.communicate(timeout=WAIT_SECONDS)
    return child.returncode, error


@pytest.mark.training
@pytest.mark.slow
def test_codec_training_cut_off_and_resumed_equals_uninterrupted(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    status, error = stopped_after(1, trained, folder, signal.SIGINT)
    assert (status, error.strip()) == (
        130,
        "inkling: interrupted; the same command resumes after the last finished epoch",
    )
    status, _ = stopped_after(EPOCHS + 1, trained, folder, signal.SIGKILL)
    assert status == -signal.SIGKILL
    assert len(read_log(folder)) < EPOCHS + QAT_EPOCHS
    assert main(trained.config, "--out", folder, "--threads", 1) == 0
    assert re.search(r"^resuming after epoch [56] of 7$", capsys.readouterr().out, re.MULTILINE)
    for name in ("checkpoint.pt", "best.pt"):
        actual, expected = state(folder / name), state(trained.folder / name)
        assert actual.keys() == expected.keys() and len(actual) > 50
        different = [key for key in actual if not torch.equal(actual[key], expected[key])]
        assert different == []


@pytest.mark.training
def test_codec_training_of_a_finished_run_changes_nothing(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained.folder, tmp_path / "run")
    before = state(tmp_path / "run" / "checkpoint.pt")
    assert main(trained.config, "--out", tmp_path / "run") == 0
    assert "resuming after epoch 7 of 7" in capsys.readouterr().out
    after = state(tmp_path / "run" / "checkpoint.pt")
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_codec_training_learns_from_a_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One float and one int8 epoch with soft labels, which the second epoch finds in the file (one view)."""
    monkeypatch.setenv("INKLING_CACHE", str(tmp_path / "cache"))
    images, labels = train_support.golden()
    data = datasets.Dataset("test", images, labels, images, labels, datasets.CIFAR10_CLASSES)
    values = CodecConfig.load(train_support.write_config(tmp_path)).as_dict()
    values["data"]["holdout"] = 16
    values["schedule"] |= {"batch": 16, "epochs": 1, "qat_epochs": 1}
    losses = {}
    for weight in (0.0, 1.0):
        values["teacher"] = {"checkpoint": str(train_support.write_teacher(tmp_path)), "views": 1, "weight": weight}
        folder = tmp_path / f"run{weight}"
        CodecTrainer(CodecConfig.from_dict(values), data, folder).train()
        losses[weight] = [entry["loss"] for entry in read_log(folder)]
        if weight == 0.0:  # the second run finds all that it needs in the file of the first
            monkeypatch.setattr("train.classifiers.teacher.CifarResNet.forward", None)
    (file,) = (tmp_path / "cache" / "soft_labels").glob("*.npy")  # both runs have the same images, views and teacher
    assert np.isfinite(np.load(file)).all()
    assert losses[0.0][0] != losses[1.0][0]


@pytest.mark.parametrize(
    ("change", "shared"),
    [
        ({}, True),
        ({"teacher": {"weight": 0.2, "temperature": 2.0}}, True),
        ({"answer_weight": 0.5, "name": "other"}, True),
        ({"teacher": {"views": 3}}, False),
        ({"teacher": {"checkpoint": "other.th"}}, False),
        ({"data": {"flip": True}}, False),
        ({"data": {"crop_padding": 2}}, False),
        ({"data": {"holdout": 8}}, False),
        ({"seed": 6}, False),
    ],
)
def test_soft_labels_file_is_that_of_equal_images_views_and_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict, shared: bool
) -> None:
    monkeypatch.setenv("INKLING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INKLING_DATA", str(tmp_path))
    for number, name in enumerate(("one.th", "other.th")):
        (tmp_path / name).write_bytes(bytes([number]))
    images, labels = train_support.golden()
    data = datasets.Dataset("test", images, labels, images, labels, datasets.CIFAR10_CLASSES)

    def file(change: dict) -> Path:
        values = CodecConfig.load(train_support.write_config(tmp_path)).as_dict()
        values |= {"teacher": {"checkpoint": "one.th", "views": 2}}
        for key, value in change.items():
            values[key] = values[key] | value if isinstance(value, dict) else value
        config = CodecConfig.from_dict(values)
        kept, _ = split_holdout(data, min(16, config.data.holdout))
        return soft_labels_file(config, Views(images[kept], config.data, config.seed))

    assert (file(change) == file({})) == shared


# Mistakes


@pytest.mark.training
def test_codec_training_refuses_a_run_of_another_config_and_leaves_it_alone(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {file.name: file.read_bytes() for file in trained.folder.iterdir()}
    other = changed(trained.config, tmp_path, "lr = 1e-2", "lr = 2e-2")
    differences = 'name was "tiny" and is now "changed"; schedule.lr was 0.01 and is now 0.02'
    message = f"{trained.folder} holds another run: {differences}; give --out another folder"
    fails(capsys, message, other, "--out", trained.folder)
    assert before == {file.name: file.read_bytes() for file in trained.folder.iterdir()}


WRONG = {
    "data.holdout = 1024, but there are 1024 training images": ("holdout = 64", "holdout = 1024"),
    "960 training images do not fill one batch of 961": ("batch = 32", "batch = 961"),
    "no such file or folder: /none.npz": ('name = "npz:', 'name = "npz:/none.npz"  # '),
    "encoder.layers: 'answer' needs a grid of 1 x 1, not 4 x 4: put 'pool' before it": ('"pool", ', ""),
    "encoder.layers: 'sep4s2 16' halves a grid of 1 x 1": (
        '"sep 12", ', '"sep4s2 12", "sep4s2 12", "sep4s2 12", ',
    ),
    "cannot read 'sept 12'": ('"sep 12"', '"sept 12"'),
    "link.chunks: (0, 232) is outside the 224 symbols": (
        '"head 8", ', "",
    ),
    "teacher checkpoint none.th not found": ("[schedule]", '[teacher]\ncheckpoint = "none.th"\n[schedule]'),
    "the teacher takes colour images, these have 1 channel": (
        "[encoder]", 'grey = true\n[teacher]\ncheckpoint = "README.md"\n[encoder]',
    ),
    "the loss is nan in epoch 1: lower schedule.lr": ("lr = 1e-2", "lr = 1e30"),
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG)
def test_codec_training_refuses_mistake_in_one_line_and_leaves_the_folder_free(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], message: str
) -> None:
    file = train_support.write_config(tmp_path)
    wrong = changed(file, tmp_path, *WRONG[message])
    fails(capsys, message, wrong, "--out", tmp_path / "run")
    if "loss" not in message:
        config = CodecConfig.load(file)
        CodecTrainer(config, datasets.load(config.data.name), tmp_path / "run")


@pytest.mark.training
def test_codec_training_refuses_damaged_run_in_one_line(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained.folder, folder)
    again = (trained.config, "--out", folder)
    whole = (folder / "checkpoint.pt").read_bytes()
    for content in (whole[:-1000], b"", b"junk"):
        (folder / "checkpoint.pt").write_bytes(content)
        fails(capsys, "checkpoint.pt is damaged", *again)
    broken = (("{", "is not a run: "), ("[]", "expected a table"), ('{"name": "x"}', "missing setting"))
    for text, message in broken:
        (folder / "config.json").write_text(text)
        fails(capsys, message, *again)
    (tmp_path / "file").write_text("in the way")
    fails(capsys, "file", trained.config, "--out", tmp_path / "file")


@pytest.mark.training
def test_load_codec_refuses_another_data_set_and_unfinished_run(trained: Trained, tmp_path: Path) -> None:
    data = datasets.load(CodecConfig.load(trained.config).data.name)
    fewer = datasets.Dataset("other", data.x_train, data.y_train, data.x_test, data.y_test, data.classes[:9])
    shutil.copytree(trained.folder, tmp_path / "run")
    config = CodecConfig.load(trained.config)
    with pytest.raises(TrainError, match="was trained on other images, labels or classes than other has now"):
        CodecTrainer(config, fewer, tmp_path / "run")
    with pytest.raises(TrainError, match="was trained on other images, labels or classes than other has now"):
        load_codec(tmp_path / "run", config, fewer)
    (tmp_path / "run" / "data.json").unlink()  # a run from before it was kept
    with pytest.raises(TrainError, match="does not fit the data set: other classes"):
        CodecTrainer(config, fewer, tmp_path / "run").resume()
    with pytest.raises(TrainError, match="does not fit the data set: other classes"):
        load_codec(tmp_path / "run", config, fewer)
    (tmp_path / "run" / "best.pt").unlink()
    with pytest.raises(TrainError, match=r"has no best\.pt: the run has not reached its int8 epochs yet"):
        load_codec(tmp_path / "run", config, data)
