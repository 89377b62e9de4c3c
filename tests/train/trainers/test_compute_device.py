"""Training on another device than the CPU: the same weights, and nothing left behind on the CPU."""

import re
from pathlib import Path

import pytest
import torch

from tests.support import train as train_support
from tests.support.far_device import FAR, Far
from tests.support.resume import cut_off
from tests.train.test_teacher import checkpoint
from train.compute_device import CPU, choose_device, device_of
from train.config import CodecConfig
from train.data import datasets
from train.errors import TrainError
from train.run_files import read_log
from train.trainers import codec as run
from train.trainers import split as split_trainer
from train.trainers.classifier import ClassifierConfig, ClassifierTrainer
from train.trainers.split import SplitConfig, SplitTrainer, base_classifier
from train.trainers.trainer import Trainer

DATA = """
[data]
name = "npz:{npz}"
holdout = 16
crop_padding = 1
"""
SCHEDULE = """
[schedule]
epochs = {epochs}
qat_epochs = {qat_epochs}
batch = 16
lr = 1e-2
"""
SYSTEMS = {"semanticnn": 0, "semanticnn_device": 1, "adjscc": 0, "deepcod": 0}  # and epochs in int8


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set of 64 pictures and a config for each kind of run, with a base classifier's."""
    folder = tmp_path_factory.mktemp("device")
    images, labels = train_support.golden()
    npz = train_support.write_npz(folder / "golden.npz", images[:, ::2, ::2], labels, copies=2)
    data, schedule = DATA.format(npz=npz), SCHEDULE.format(epochs=2, qat_epochs=0)
    (folder / "classifier.toml").write_text(f'architecture = "resnet20"\n{data}{schedule}')
    for system, qat_epochs in SYSTEMS.items():
        head = f'system = "{system}"\nclassifier = "{folder}/classifier.toml"\n'
        (folder / f"{system}.toml").write_text(head + data + SCHEDULE.format(epochs=2, qat_epochs=qat_epochs))
    inkling = '[encoder]\nlayers = ["conv4s2 8", "sep4s2 12", "head 8"]\n[decoder]\nwidth = 8\nblocks = 1\n'
    inkling += f'[teacher]\ncheckpoint = "{checkpoint(folder)}"\nviews = 1\n'
    (folder / "inkling.toml").write_text(inkling + data + SCHEDULE.format(epochs=1, qat_epochs=1))
    return folder


def trained(place: Path, name: str, folder: Path, device: torch.device, patch: pytest.MonkeyPatch) -> Trainer:
    """The run of a config to its end on a device."""
    patch.setattr(split_trainer, "RUNS", place / "runs")  # the base classifier's is trained once, on the CPU
    kinds = {
        "classifier": (ClassifierConfig.load, ClassifierTrainer),
        "inkling": (CodecConfig.load, run.CodecTrainer),
    }
    load, kind = kinds.get(name, (SplitConfig.load, SplitTrainer))
    config = load(place / f"{name}.toml")
    if name in SYSTEMS:
        base_classifier(config, datasets.load(config.data.name))
    result = kind(config, datasets.load(config.data.name), folder, device)
    result.run()
    return result


def devices(run: Path) -> set[str]:
    """What a run's log names."""
    return {epoch["device"] for epoch in read_log(run)}


def alike(one: Path, other: Path, part: str, file: str) -> None:
    """Two runs have saved the same weights, but for the order in which sums were taken."""
    weights, others = (torch.load(run / file, weights_only=True)[part] for run in (one, other))
    torch.testing.assert_close(others, weights, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["classifier", "inkling", *SYSTEMS])
def test_another_device_gives_the_same_weights_and_figures(
    name: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = trained(place, name, tmp_path / "here", CPU, monkeypatch)
    with Far():
        there = trained(place, name, tmp_path / "there", FAR, monkeypatch)
        assert devices(there.folder) == {"lazy"}
        assert {part.device for part in there.state.model.state_dict().values()} == {FAR}
    alike(here.folder, there.folder, "average", "checkpoint.pt")
    for one, two in zip(read_log(here.folder), read_log(there.folder), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-3)
        assert two["held_out"] == pytest.approx(one["held_out"], abs=0.07)  # one picture of 16


def test_a_run_goes_on_on_another_device(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained(place, "adjscc", tmp_path / "whole", CPU, monkeypatch)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        cut_off(patch, 1)
        trained(place, "adjscc", tmp_path / "cut", CPU, patch)
    with Far():
        rest = trained(place, "adjscc", tmp_path / "cut", FAR, monkeypatch)
        assert rest.state.epoch == 2 and device_of(rest.state.average) == FAR
    alike(whole.folder, rest.folder, "model", "best.pt")


def test_the_device_of_these_tests_refuses_a_tensor_of_the_cpu() -> None:
    with Far():
        layer = torch.nn.Linear(3, 2).to(FAR)
        assert layer(torch.ones(1, 3).to(FAR)).cpu().shape == (1, 2)
        with pytest.raises(RuntimeError, match="same device"):
            layer(torch.ones(1, 3))
        with pytest.raises((RuntimeError, TypeError)):
            layer.weight.detach().numpy()


def test_a_base_classifier_that_is_not_there_trains_on_the_same_device(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_trainer, "RUNS", tmp_path / "runs")
    config = SplitConfig.load(place / "deepcod.toml")
    with Far():
        SplitTrainer(config, datasets.load(config.data.name), tmp_path / "run", FAR)
    assert devices(tmp_path / "runs" / "classifier") == {"lazy"}


@pytest.mark.parametrize("name", ["classifier", "inkling", "adjscc"])
def test_the_command_line_trains_on_the_device_that_it_names(
    name: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(split_trainer, "RUNS", tmp_path / "runs")
    monkeypatch.setattr("train.compute_device.choose_device", {"far": FAR}.__getitem__)
    words = ["classifier"] if name == "classifier" else []
    command = [*words, place / f"{name}.toml", "--out", tmp_path, "--device", "far"]
    with Far():
        assert train_support.main(monkeypatch, *command) == 0
    assert devices(tmp_path) == {"lazy"}
    assert "; on lazy\n" in capsys.readouterr().out


def test_without_a_name_it_is_the_gpu_if_it_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose_device("cpu") == choose_device(None) == CPU and capsys.readouterr().out == ""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # and yet none works
    assert choose_device(None) == CPU
    assert capsys.readouterr().out.startswith("training on the CPU: the GPU does not work (")
    monkeypatch.setattr("train.compute_device._fault", lambda device: None)
    assert choose_device(None) == torch.device("cuda") and choose_device("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize("name", ["toaster", "lazy", "meta", "cpu:x", "cuda:x", "cuda:99", "cuda"])
def test_a_device_that_is_not_there_is_said_in_one_line(name: str) -> None:
    said = "PyTorch cannot use it here" if re.fullmatch(r"cuda(:99)?", name) else "known are cpu, cuda"
    with pytest.raises(TrainError, match=f"--device {name}: {said}") as error:
        choose_device(name)
    assert "\n" not in str(error.value)


def test_a_gpu_that_is_too_small_is_said_in_one_line(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")

    monkeypatch.setattr(ClassifierTrainer, "loss", full)
    said = "the GPU's memory is full: lower schedule.batch, or try --device cpu"
    train_support.fails(monkeypatch, capsys, said, "classifier", place / "classifier.toml", "--out", tmp_path)
