"""Base classifiers: the split model is the whole one, freezing changes nothing, and the command line trains them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.support import resume as resume_support
from tests.support import train as train_support
from train.classifiers.architectures import ARCHITECTURES, Classifier, build, feature_shape
from train.classifiers.teacher import CifarResNet
from train.codecs.split.split_codec import frozen
from train.data.datasets import load as load_data
from train.data.torchvision_import import models
from train.errors import TrainError
from train.run_files import read_log
from train.trainers.classifier import ClassifierConfig, accuracy, load_classifier

FEATURES = {
    "mobilenet_v2": (32, 16, 16),
    "resnet50": (64, 8, 8),
    "efficientnet_v2_s": (24, 16, 16),
    "resnet20": (16, 32, 32),
}
CLASSES = 7
EPOCHS = 6
CONFIG = """
architecture = "resnet20"
seed = 3

[data]
name = "npz:{npz}"
holdout = 32
crop_padding = 0
flip = false

[schedule]
epochs = 6
batch = 32
lr = 1e-2
warmup_epochs = 0.5
"""


def pictures(count: int = 4) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def seeded(architecture: str) -> Classifier:
    torch.manual_seed(2)
    return build(architecture, CLASSES).eval()


# The split


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_stem_and_rest_fit_and_have_the_documented_features(architecture: str) -> None:
    model = seeded(architecture)
    assert feature_shape(model, 32, 32) == FEATURES[architecture]
    with torch.no_grad():
        features = model.features(pictures())
        outputs = model.block_outputs(features)
        assert features.shape == (4, *FEATURES[architecture])
        assert len(outputs) == len(model.blocks)
        torch.testing.assert_close(model.head(outputs[-1]), model(pictures()), rtol=0, atol=0)
        assert model(pictures()).shape == (4, CLASSES)


@pytest.mark.parametrize("architecture", sorted(FEATURES.keys() - {"resnet20"}))
def test_the_split_model_is_torchvisions_whole_one_bit_for_bit(architecture: str) -> None:
    split = seeded(architecture)
    torch.manual_seed(2)  # the same draws, hence the same weights
    whole = getattr(models, architecture)(num_classes=CLASSES).eval()
    with torch.no_grad():
        assert torch.equal(split(pictures()), whole(pictures()))


def test_resnet20_is_the_teachers_network_without_its_normalisation() -> None:
    split = seeded("resnet20")
    torch.manual_seed(2)
    whole = CifarResNet(20, CLASSES).eval()
    with torch.no_grad():
        torch.testing.assert_close(split((pictures() - whole.mean) / whole.std), whole(pictures()))


def test_asking_for_the_feature_shape_leaves_the_mode_alone() -> None:
    model = seeded("resnet20").train()
    before = [buffer.clone() for buffer in model.buffers()]
    feature_shape(model, 32, 32)
    assert model.training and all(torch.equal(a, b) for a, b in zip(before, model.buffers(), strict=True))


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(TrainError, match="unknown architecture 'vgg'; known: mobilenet_v2, resnet50"):
        build("vgg", 10)


# Freezing


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_frozen_classifier_says_the_same_and_learns_nothing(architecture: str) -> None:
    model = seeded(architecture).train()
    with torch.no_grad():
        for _ in range(2):  # batch norms get statistics of their own: merging identities would prove nothing
            model(pictures())
        before = model.eval()(pictures())
        merged = frozen(model)
        after = merged(pictures())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in merged.blocks.modules())
    assert not any(parameter.requires_grad for parameter in merged.parameters())
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4 * float(before.abs().max()))


# The command line


def main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """`python -m train classifier` in this process."""
    return train_support.main(monkeypatch, "classifier", *arguments)


def write_config(folder: Path, size: int = 16) -> Path:
    """CONFIG and its data set, real pictures of every second pixel; returns the config's path."""
    images, labels = train_support.golden()
    step = 32 // size
    npz = train_support.write_npz(folder / "golden.npz", images[:, ::step, ::step], labels, copies=8)
    file = folder / "small.toml"
    file.write_text(CONFIG.format(npz=npz))
    return file


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `small.toml`, trained by the command line, uninterrupted, into `run`."""
    folder = tmp_path_factory.mktemp("classifier")
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert main(monkeypatch, write_config(folder), "--out", folder / "run", "--threads", 1) == 0
    return folder


def test_it_learns_pictures_by_heart(trained: Path) -> None:
    log = read_log(trained / "run")
    assert [entry["epoch"] for entry in log] == list(range(1, EPOCHS + 1))
    assert log[-1]["loss"] < 0.5 * log[0]["loss"]
    assert log[-1]["held_out"]["0"] > 0.8  # other copies of the same pictures
    assert [bool(entry["held_out"]) for entry in log] == [False, False, False, True, False, True]


def test_what_is_loaded_has_the_accuracy_of_the_log(trained: Path) -> None:
    config = ClassifierConfig.load(trained / "small.toml")
    data = load_data(config.data.name)
    model, found, saved = load_classifier(trained / "run", data)
    assert found == config and saved["epoch"] == EPOCHS and not model.training
    # Held-out and test pictures are copies of the same ones, not the same number of each.
    assert accuracy(model, data.x_test, data.y_test) > 0.8


def test_cut_off_and_resumed_equals_uninterrupted(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (trained / "small.toml", "--out", tmp_path / "run", "--threads", 1)
    with monkeypatch.context() as patch:
        resume_support.cut_off(patch, 3)
        assert main(patch, *command) == 130
    assert not (tmp_path / "run" / "best.pt").exists()
    capsys.readouterr()
    assert main(monkeypatch, *command) == 0
    assert "going on after epoch 3 of 6" in capsys.readouterr().out
    assert resume_support.differing(tmp_path / "run", trained / "run") == []


WRONG = {
    "architecture must be one of mobilenet_v2, resnet50": ('"resnet20"', '"vgg"'),
    "schedule.qat_epochs is for codecs: a classifier stays on the host": ("batch = 32", "batch = 32\nqat_epochs = 1"),
    "base classifiers take colour pictures, and these have 1 channel": ("holdout = 32", "holdout = 32\ngrey = true"),
    "schedule.lr and qat_lr must be above 0": ("lr = 1e-2", "lr = 0.0"),
    "data.holdout = 9999, but there are": ("holdout = 32", "holdout = 9999"),
    "unknown setting 'link'": ("[schedule]", "[link]\n[schedule]"),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_one_line_and_leaves_no_run(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    message: str,
) -> None:
    wrong = train_support.changed(trained / "small.toml", tmp_path, *WRONG[message])
    train_support.fails(monkeypatch, capsys, message, "classifier", wrong, "--out", tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


CONFIGS = sorted((train_support.ROOT / "configs" / "classifiers").glob("*.toml"))


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_every_config_that_ships_reads_and_is_named_after_what_it_trains(file: Path) -> None:
    config = ClassifierConfig.load(file)
    assert config.name == f"{config.data.name}-{config.architecture}"
