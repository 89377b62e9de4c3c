"""Training of a split codec by its command line: base classifier first, resumed bit for bit, loaded unchanged."""

import contextlib
import io
import shutil
from pathlib import Path

import pytest
import torch

from tests.support import resume as resume_support
from tests.support import train as train_support
from tests.support.train import changed
from train import evaluate, settings
from train.config import ClassifierConfig
from train.data import datasets
from train.data.sampling import split_holdout
from train.errors import TrainError
from train.run_files import read_log
from train.trainers.classifier import load_classifier
from train.trainers.split import SplitConfig, load_split_codec

CLASSIFIER = """
architecture = "resnet20"

[data]
name = "npz:{npz}"
holdout = 32
crop_padding = 0
flip = false

[schedule]
epochs = 2
batch = 32
lr = 1e-2
warmup_epochs = 0.5
"""
SYSTEM = """
system = "semanticnn"
classifier = "base.toml"
seed = 4

[options]
stage1 = 0.5
xai_images = 4

[data]
name = "npz:{npz}"
holdout = 32
crop_padding = 0
flip = false

[schedule]
epochs = 4
batch = 32
lr = 2e-3
warmup_epochs = 0.2
"""
BASE_EPOCHS, EPOCHS, STAGE_1 = 2, 4, 2


def train(*arguments: object) -> int:
    """Run `python -m train` in this process on one thread, which takes sums in the same order."""
    return train_support.main(*arguments, "--threads", 1)


def write_configs(folder: Path) -> None:
    """Write base.toml and system.toml and their data set."""
    images, labels = train_support.golden()
    npz = train_support.write_npz(folder / "golden.npz", images[:, ::2, ::2], labels, copies=6)
    (folder / "base.toml").write_text(CLASSIFIER.format(npz=npz))
    (folder / "system.toml").write_text(SYSTEM.format(npz=npz))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with base.toml, system.toml, and the `runs` of one command, whose output is in `output`."""
    folder = tmp_path_factory.mktemp("system")
    write_configs(folder)
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch, contextlib.redirect_stdout(output):
        monkeypatch.chdir(folder)
        assert train("system.toml") == 0
    (folder / "output").write_text(output.getvalue())
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: the same configs, and the run of the base classifier alone."""
    for name in ("base.toml", "system.toml"):
        shutil.copy(trained / name, tmp_path / name)
    shutil.copytree(trained / "runs" / "base", tmp_path / "runs" / "base")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# One command


@pytest.mark.training
def test_split_training_trains_the_base_classifier_then_both_stages(trained: Path) -> None:
    lines = (trained / "output").read_text().splitlines()
    assert lines[0].endswith(", truck 18 to train on; 32 test images")
    assert lines[1] == "training the base classifier base first"
    (title,) = (line for line in lines if line.startswith("system: "))
    assert title.startswith("system: 192 training images (32 held out), semanticnn, encoder ")
    assert " MACs, 128 symbols of 3 bits; on cpu in " in title
    stages = [line.split("loss")[0].split(maxsplit=2)[2].strip() for line in lines if line.startswith("epoch ")]
    assert stages == ["float"] * BASE_EPOCHS + ["stage 1"] * STAGE_1 + ["stage 2"] * (EPOCHS - STAGE_1)
    assert lines[-1] == "done: runs/system/best.pt"


@pytest.mark.training
def test_split_training_lowers_the_loss_of_both_stages(trained: Path) -> None:
    losses = [entry["loss"] for entry in read_log(trained / "runs" / "system")]
    assert len(losses) == EPOCHS
    assert losses[1] < losses[0] and losses[-1] < losses[STAGE_1]


@pytest.mark.training
def test_split_training_leaves_the_base_classifier_unchanged(trained: Path) -> None:
    data = datasets.load(SplitConfig.load(trained / "system.toml").data.name)
    base, _, _ = load_classifier(trained / "runs" / "base", data)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(trained)
        codec, _, _ = load_split_codec(trained / "runs" / "system", data)
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(codec.classifier(images), base(images), rtol=1e-4, atol=1e-3)


@pytest.mark.training
def test_load_split_codec_gives_the_accuracies_of_the_log(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    folder = trained / "runs" / "system"
    config = SplitConfig.load(trained / "system.toml")
    data = datasets.load(config.data.name)
    codec, run_config, saved = load_split_codec(folder, data)
    assert run_config == config and saved["epoch"] == EPOCHS and not codec.training
    _, held = split_holdout(data, config.data.holdout)
    accuracies = evaluate.accuracies(codec, data.x_train[held], data.y_train[held], ())
    assert accuracies == saved["held_out"] == read_log(folder)[-1]["held_out"]


# Resuming


@pytest.mark.training
@pytest.mark.parametrize("epoch", [1, STAGE_1])
def test_split_training_cut_off_and_resumed_equals_uninterrupted(
    trained: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], epoch: int
) -> None:
    """Cut off in stage 1 and between the stages. Unlike in the run of `trained`, the base classifier exists before."""
    with monkeypatch.context() as patch:
        resume_support.cut_off(patch, epoch)
        assert train("system.toml") == 130
    capsys.readouterr()
    assert train("system.toml") == 0
    output = capsys.readouterr().out
    assert f"resuming after epoch {epoch} of 4" in output and "base classifier" not in output
    assert resume_support.differing(place / "runs" / "system", trained / "runs" / "system") == []


# Mistakes

WRONG = {
    "options: unknown setting 'colour'; known: compression, stage1": ("stage1 = 0.5", "colour = 1"),
    "options: unknown setting 'stage_1' (did you mean 'stage1'?)": ("stage1 = 0.5", "stage_1 = 0.5"),
    "options: stage1: expected float, found 'half'": ("stage1 = 0.5", 'stage1 = "half"'),
    "options: stage1 must be 0 to 1": ("stage1 = 0.5", "stage1 = 1.5"),
    "options: xai_images must be at least 1": ("xai_images = 4", "xai_images = 0"),
    "unknown system 'jpeg'; known: semanticnn, semanticnn_device, adjscc, deepcod, bottlenetpp, agilenn, "
    "semanticnn_inkling, inkling_frozen": ('"semanticnn"', '"jpeg"'),
    "unknown system 'semantic_nn' (did you mean 'semanticnn'?)": ('"semanticnn"', '"semantic_nn"'),
    "cannot read config none.toml": ('"base.toml"', '"none.toml"'),
    "base.toml has data.name = npz:": ('name = "npz:', 'name = "npz:/'),
    "quantizer.bits must be 1..8": ("[options]", "[quantizer]\nbits = 9\n[options]"),
    "schedule.board_epochs is for codecs with an answer head": ("lr = 2e-3", "board_epochs = 1\nlr = 5e-3"),
    "schedule.qat_epochs is for int8 encoders, semanticnn has none": ("lr = 2e-3", "qat_epochs = 1\nlr = 5e-3"),
    "160 training images do not fill one batch of 161": ("batch = 32", "batch = 161"),
}


@pytest.mark.training
@pytest.mark.parametrize("message", WRONG)
def test_split_training_refuses_mistake_in_one_line_and_leaves_no_run(
    place: Path, capsys: pytest.CaptureFixture[str], message: str
) -> None:
    train_support.fails(capsys, message, changed(place / "system.toml", place, *WRONG[message]))
    assert not (place / "runs" / "changed" / "config.json").exists()


@pytest.mark.training
def test_split_training_refuses_a_run_of_other_options(
    trained: Path, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    other = changed(place / "system.toml", place, "xai_images = 4", "xai_images = 5")
    other.write_text('name = "system"\n' + other.read_text())
    message = "holds another run: options.xai_images was 4 and is now 5; give --out another folder"
    train_support.fails(capsys, message, other, "--out", trained / "runs" / "system", "--threads", 1)


@pytest.mark.training
def test_load_split_codec_refuses_unfinished_run(trained: Path, place: Path) -> None:
    shutil.copytree(trained / "runs" / "system", place / "runs" / "system")
    (place / "runs" / "system" / "best.pt").unlink()
    data = datasets.load(SplitConfig.load(place / "system.toml").data.name)
    with pytest.raises(TrainError, match=r"has no best\.pt: the run has not reached its last epoch yet"):
        load_split_codec(place / "runs" / "system", data)


CONFIGS = [
    file
    for file in sorted((train_support.ROOT / "configs" / "systems").glob("*.toml"))
    if "system" in settings.read_toml(file)  # the others are of Inkling's own codec, which splits no classifier
]


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_split_config_loads_committed_file_whose_classifier_has_the_same_data(file: Path) -> None:
    config = SplitConfig.load(file)
    base = ClassifierConfig.load(train_support.ROOT / config.classifier)
    assert base.data.name == config.data.name and config.name.startswith(config.data.name)
