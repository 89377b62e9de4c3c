"""Training on another device than the CPU: the same weights, and no tensor left on the CPU."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support import train as train_support
from tests.support.resume import cut_off
from tests.train.fake_gpu import FAKE_GPU, FakeGpu
from train.compute_device import CPU, choose_device, device_of
from train.config import ClassifierConfig, CodecConfig
from train.data import datasets
from train.errors import TrainError
from train.run_files import read_log
from train.trainers import split as split_trainer
from train.trainers.classifier import ClassifierTrainer
from train.trainers.codec import CodecTrainer
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
# -> int8 epochs
SYSTEMS = {"semanticnn": 0, "semanticnn_device": 1, "adjscc": 0, "deepcod": 0, "inkling_frozen": 1}


@pytest.fixture(autouse=True, scope="module")
def float32() -> Iterator[None]:
    """Runs in float32, on CPUs that are faster in bfloat16, too: the fake GPU has no other type."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set of 64 images and a config for each kind of run, and for a base classifier."""
    folder = tmp_path_factory.mktemp("device")
    images, labels = train_support.golden()
    npz = train_support.write_npz(folder / "golden.npz", images[:, ::2, ::2], labels, copies=2)
    data, schedule = DATA.format(npz=npz), SCHEDULE.format(epochs=2, qat_epochs=0)
    (folder / "classifier.toml").write_text(f'architecture = "resnet20"\n{data}{schedule}')
    for system, qat_epochs in SYSTEMS.items():
        head = f'system = "{system}"\nclassifier = "{folder}/classifier.toml"\n'
        (folder / f"{system}.toml").write_text(head + data + SCHEDULE.format(epochs=2, qat_epochs=qat_epochs))
    inkling = '[encoder]\nlayers = ["conv4s2 8", "sep4s2 12", "head 8"]\n[decoder]\nwidth = 8\nblocks = 1\n'
    inkling += f'[teacher]\ncheckpoint = "{train_support.write_teacher(folder)}"\nviews = 1\n'
    (folder / "inkling.toml").write_text(inkling + data + SCHEDULE.format(epochs=1, qat_epochs=1))
    return folder


def train(place: Path, name: str, folder: Path, device: torch.device) -> Trainer[Any, Any]:
    """Train the run of a config on a device to its end."""
    file = place / f"{name}.toml"
    data = datasets.load(CodecConfig.load(place / "inkling.toml").data.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split_trainer, "RUNS", place / "runs")
        trainer: Trainer[Any, Any]
        if name == "classifier":
            trainer = ClassifierTrainer(ClassifierConfig.load(file), data, folder, device)
        elif name == "inkling":
            trainer = CodecTrainer(CodecConfig.load(file), data, folder, device)
        else:
            config = SplitConfig.load(file)
            base_classifier(config, data)  # trained once, on the CPU
            trainer = SplitTrainer(config, data, folder, device)
    trainer.run()
    return trainer


@pytest.fixture(scope="module")
def trained_on_cpu(place: Path) -> Callable[[str], Path]:
    """A function from a config's name to the folder of its run on the CPU."""

    @cache
    def folder(name: str) -> Path:
        return train(place, name, place / "on_cpu" / name, CPU).folder

    return folder


def devices(run: Path) -> set[str]:
    """Return the devices in a run's log."""
    return {epoch["device"] for epoch in read_log(run)}


def assert_close(one: Path, other: Path, part: str, file: str) -> None:
    """Assert that two runs have saved the same weights, except for rounding, which depends on the order of sums."""
    weights, others = (torch.load(run / file, weights_only=True)[part] for run in (one, other))
    torch.testing.assert_close(others, weights, rtol=1e-3, atol=1e-4)


@pytest.mark.training
@pytest.mark.parametrize("name", ["classifier", "inkling", *SYSTEMS])
def test_training_on_another_device_gives_the_same_weights_and_accuracies(
    name: str, place: Path, tmp_path: Path, trained_on_cpu: Callable[[str], Path]
) -> None:
    on_cpu = trained_on_cpu(name)
    with FakeGpu():
        on_gpu = train(place, name, tmp_path / "run", FAKE_GPU)
        assert devices(on_gpu.folder) == {"lazy"}
        assert {part.device for part in on_gpu.state.model.state_dict().values()} == {FAKE_GPU}
    assert_close(on_cpu, on_gpu.folder, "average", "checkpoint.pt")
    for one, two in zip(read_log(on_cpu), read_log(on_gpu.folder), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-3)
        assert two["held_out"] == pytest.approx(one["held_out"], abs=0.07)  # one image of 16


@pytest.mark.training
def test_training_resumes_on_another_device(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained_on_cpu: Callable[[str], Path]
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        cut_off(patch, 1)
        train(place, "adjscc", tmp_path / "run", CPU)
    with FakeGpu():
        rest = train(place, "adjscc", tmp_path / "run", FAKE_GPU)
        assert rest.state.epoch == 2 and device_of(rest.state.average) == FAKE_GPU
    assert_close(trained_on_cpu("adjscc"), rest.folder, "model", "best.pt")


def test_fake_gpu_refuses_a_tensor_of_the_cpu() -> None:
    with FakeGpu():
        layer = torch.nn.Linear(3, 2).to(FAKE_GPU)
        assert layer(torch.ones(1, 3).to(FAKE_GPU)).cpu().shape == (1, 2)
        with pytest.raises(RuntimeError, match="same device"):
            layer(torch.ones(1, 3))
        with pytest.raises((RuntimeError, TypeError)):
            layer.weight.detach().numpy()


@pytest.mark.training
def test_missing_base_classifier_trains_on_the_same_device(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_trainer, "RUNS", tmp_path / "runs")
    config = SplitConfig.load(place / "deepcod.toml")
    with FakeGpu():
        SplitTrainer(config, datasets.load(config.data.name), tmp_path / "run", FAKE_GPU)
    assert devices(tmp_path / "runs" / "classifier") == {"lazy"}


@pytest.mark.training
@pytest.mark.parametrize("name", ["classifier", "inkling", "adjscc"])
def test_train_command_trains_on_the_device_that_it_names(
    name: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(split_trainer, "RUNS", tmp_path / "runs")
    monkeypatch.setattr("train.compute_device.choose_device", {"fake": FAKE_GPU}.__getitem__)
    words = ["classifier"] if name == "classifier" else []
    command = [*words, place / f"{name}.toml", "--out", tmp_path, "--device", "fake"]
    with FakeGpu():
        assert train_support.main(*command) == 0
    assert devices(tmp_path) == {"lazy"}
    assert "; on lazy in float32\n" in capsys.readouterr().out


def test_choose_device_without_a_name_takes_the_gpu_if_it_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose_device("cpu") == choose_device(None) == CPU and capsys.readouterr().out == ""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # but none works
    assert choose_device(None) == CPU
    assert capsys.readouterr().out.startswith("training on the CPU: the GPU does not work (")
    monkeypatch.setattr("train.compute_device._fault", lambda device: None)
    assert choose_device(None) == torch.device("cuda") and choose_device("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize("name", ["toaster", "lazy", "meta", "cpu:x", "cuda:x", "cuda:99", "cuda"])
def test_choose_device_refuses_missing_device_in_one_line(name: str) -> None:
    message = "PyTorch cannot use it here" if re.fullmatch(r"cuda(:99)?", name) else "unknown device; use cpu, cuda"
    with pytest.raises(TrainError, match=f"--device {name}: {message}") as error:
        choose_device(name)
    assert "\n" not in str(error.value)


def test_train_command_reports_a_full_gpu_in_one_line(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")

    monkeypatch.setattr(ClassifierTrainer, "loss", full)
    message = "the GPU's memory is full: lower schedule.batch, or try --device cpu"
    train_support.fails(capsys, message, "classifier", place / "classifier.toml", "--out", tmp_path)
