"""Base classifiers of split codecs: what their runs keep, and where a split codec finds them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.support import train as train_support
from train.classifiers.architectures import Classifier
from train.config import ClassifierConfig
from train.data import datasets
from train.data.datasets import Dataset
from train.errors import TrainError
from train.trainers import split as split_trainer
from train.trainers.classifier import ClassifierTrainer, accuracy, load_classifier
from train.trainers.split import SplitConfig, base_classifier

CLASSIFIER = """
architecture = "resnet20"

[data]
name = "{data}"
holdout = 32
crop_padding = 0

[schedule]
epochs = 1
batch = 32
lr = 1e-2
"""
SYSTEM = """
system = "semanticnn"
classifier = "{classifier}"

[data]
name = "{data}"
holdout = 32

[schedule]
epochs = 1
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set, `small.toml` and its finished run in `runs`, and a split codec's `system.toml`."""
    folder = tmp_path_factory.mktemp("classifier")
    data = f"npz:{train_support.write_npz(folder / 'golden.npz', *train_support.golden(), copies=3)}"
    (folder / "small.toml").write_text(CLASSIFIER.format(data=data))
    (folder / "system.toml").write_text(SYSTEM.format(classifier=folder / "small.toml", data=data))
    config = ClassifierConfig.load(folder / "small.toml")
    ClassifierTrainer(config, datasets.load(data), folder / "runs" / "small").run()
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder without the run, where split codecs search for runs and pretrained classifiers."""
    for name in ("small.toml", "system.toml"):
        (tmp_path / name).write_text((trained / name).read_text().replace(f"{trained}/small", f"{tmp_path}/small"))
    monkeypatch.setattr(split_trainer, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(split_trainer, "PRETRAINED", tmp_path / "pretrained")
    (tmp_path / "pretrained").mkdir()
    return tmp_path


def config_and_data(place: Path) -> tuple[SplitConfig, Dataset]:
    config = SplitConfig.load(place / "system.toml")
    return config, datasets.load(config.data.name)


def same(one: Classifier, other: Classifier) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_classifier_run_keeps_half_precision_weights_config_and_their_accuracy(trained: Path) -> None:
    folder = trained / "runs" / "small"
    best = torch.load(folder / "best.pt", weights_only=True)
    kinds = {part.dtype for part in best["model"].values()}
    assert kinds == {torch.float16, torch.int64}  # int64: the number of batches that each batch norm has seen
    assert ClassifierConfig.from_dict(best["config"]) == ClassifierConfig.load(trained / "small.toml")
    data = datasets.load(best["config"]["data"]["name"])
    model, config, saved = load_classifier(folder, data)
    assert saved["epoch"] == 1 and not model.training
    run = ClassifierTrainer(config, data, folder)
    assert saved["held_out"] == {"0": accuracy(model, run.x_held, run.y_held)}


def test_classifier_trainer_evaluates_the_rounded_weights(trained: Path) -> None:
    config = ClassifierConfig.load(trained / "small.toml")
    run = ClassifierTrainer(config, datasets.load(config.data.name), trained / "runs" / "small")
    model = run.build()
    linear = model.head.get_submodule("2")
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        # Both biases become 1: the fourth class wins by 1e-4 in float32, the first, as on every tie, when rounded.
        linear.weight.zero_()
        linear.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 1.0001] + [0.0] * 6))
    assert run.evaluate(model, run.x_held, run.y_held) == {"0": float(np.mean(run.y_held == 0))}
    assert accuracy(model, run.x_held, run.y_held) == np.mean(run.y_held == 3)
    assert np.mean(run.y_held == 0) != np.mean(run.y_held == 3)


def test_base_classifier_uses_pretrained_file_and_trains_none(trained: Path, place: Path) -> None:
    shutil.copy(trained / "runs" / "small" / "best.pt", place / "pretrained" / "small.pt")
    config, data = config_and_data(place)
    assert same(base_classifier(config, data), load_classifier(trained / "runs" / "small", data)[0])
    assert not (place / "runs").exists()


def test_base_classifier_prefers_a_run_to_pretrained_file(trained: Path, place: Path) -> None:
    shutil.copytree(trained / "runs", place / "runs")
    best = torch.load(place / "runs" / "small" / "best.pt", weights_only=True)
    best["model"]["head.2.bias"] += 1
    torch.save(best, place / "pretrained" / "small.pt")
    config, data = config_and_data(place)
    assert same(base_classifier(config, data), load_classifier(trained / "runs" / "small", data)[0])


def test_base_classifier_ignores_pretrained_file_of_another_config(
    trained: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(trained / "runs" / "small" / "best.pt", place / "pretrained" / "small.pt")
    toml = place / "small.toml"
    toml.write_text(toml.read_text().replace("lr = 1e-2", "lr = 2e-2"))
    config, data = config_and_data(place)
    classifier = base_classifier(config, data)
    output = capsys.readouterr().out
    assert f"{place / 'pretrained' / 'small.pt'} was trained by another config than {toml}, and is not used\n" in output
    assert "training the base classifier small first" in output
    assert same(classifier, load_classifier(place / "runs" / "small", data)[0])
    assert not same(classifier, load_classifier(trained / "runs" / "small", data)[0])


def test_base_classifier_comes_from_the_checkpoint_of_its_config(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, toml = train_support.write_teacher(place), place / "small.toml"
    toml.write_text(f'checkpoint = "{checkpoint}"\nmean = [0.5, 0.5, 0.5]\n{toml.read_text()}')
    config, data = config_and_data(place)
    classifier = base_classifier(config, data)
    saved = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert torch.equal(classifier.state_dict()["stem.0.weight"], saved["module.conv1.weight"])
    assert classifier.normalize is not None and not classifier.training
    assert not (place / "runs").exists()
    train_support.fails(capsys, "small has a checkpoint: there is nothing to train", "classifier", toml)
    checkpoint.unlink()
    train_support.fails(capsys, f"small: checkpoint {checkpoint} not found", place / "system.toml")


def test_base_classifier_that_holds_out_less_is_refused(place: Path) -> None:
    config, data = config_and_data(place)
    more = replace(config, data=replace(config.data, holdout=33))
    with pytest.raises(TrainError, match=r"holds 32 training images out, system 33: .* \(data\.holdout\)$"):
        base_classifier(more, data)


def test_base_classifier_of_other_images_is_refused(place: Path) -> None:
    config, data = config_and_data(place)
    grey = replace(config, data=replace(config.data, grey=True))
    with pytest.raises(TrainError, match=r"small\.toml has data\.grey = False, system has True$"):
        base_classifier(grey, data)


def test_base_classifier_refuses_wrong_pretrained_file_in_one_line(trained: Path, place: Path) -> None:
    config, data = config_and_data(place)
    (place / "pretrained" / "small.pt").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(TrainError, match=r"^.*small\.pt is damaged, or not a PyTorch file [^\n]*$"):
        base_classifier(config, data)
    torch.save(torch.zeros(3), place / "pretrained" / "small.pt")
    with pytest.raises(TrainError, match=r"small\.pt is not the best\.pt of a base classifier's run$"):
        base_classifier(config, data)
    best = torch.load(trained / "runs" / "small" / "best.pt", weights_only=True)
    torch.save(best | {"config": {"name": "small"}}, place / "pretrained" / "small.pt")
    with pytest.raises(TrainError, match=r"small\.pt: config: missing setting 'data'$"):
        base_classifier(config, data)


@pytest.mark.parametrize("file", sorted((train_support.ROOT / "pretrained").glob("*.pt")))
def test_committed_pretrained_file_was_trained_by_the_config_of_its_name(file: Path) -> None:
    saved = torch.load(file, weights_only=True)
    config = ClassifierConfig.load(train_support.ROOT / "configs" / "classifiers" / f"{file.stem}.toml")
    assert ClassifierConfig.from_dict(saved["config"]) == config
    assert 0 < saved["held_out"]["0"] < 1
    assert {part.dtype for part in saved["model"].values()} == {torch.float16, torch.int64}
