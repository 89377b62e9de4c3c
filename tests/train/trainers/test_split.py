"""A system by its command line: base classifier first, resumed bit for bit, loaded with the same figures."""

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
from train.data import datasets
from train.errors import TrainError
from train.run_files import read_log
from train.trainers.classifier import ClassifierConfig, load_classifier
from train.trainers.split import SplitConfig, load_split_codec
from train.trainers.trainer import split_holdout

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


def main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """`python -m train` in this process, on one thread: the same sums in the same order."""
    return train_support.main(monkeypatch, *arguments, "--threads", 1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with base.toml, system.toml, and in `runs` what one command made of them; `said` is its output."""
    folder = tmp_path_factory.mktemp("system")
    images, labels = train_support.golden()
    npz = train_support.write_npz(folder / "golden.npz", images[:, ::2, ::2], labels, copies=6)
    (folder / "base.toml").write_text(CLASSIFIER.format(npz=npz))
    (folder / "system.toml").write_text(SYSTEM.format(npz=npz))
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch, contextlib.redirect_stdout(said):
        monkeypatch.chdir(folder)
        assert main(monkeypatch, "system.toml") == 0
    (folder / "said").write_text(said.getvalue())
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


def test_the_base_classifier_is_trained_first_and_then_both_stages(trained: Path) -> None:
    lines = (trained / "said").read_text().splitlines()
    assert lines[0] == "base classifier base first"
    (title,) = (line for line in lines if line.startswith("system: "))
    assert title.startswith("system: 192 training images (32 held out), semanticnn, encoder ")
    assert title.endswith(" MACs, 128 symbols of 3 bits; on cpu")
    stages = [line.split("loss")[0].split(maxsplit=2)[2].strip() for line in lines if line.startswith("epoch ")]
    assert stages == ["float"] * BASE_EPOCHS + ["stage 1"] * STAGE_1 + ["stage 2"] * (EPOCHS - STAGE_1)
    assert lines[-1] == "done: runs/system/best.pt"


def test_both_stages_learn(trained: Path) -> None:
    losses = [entry["loss"] for entry in read_log(trained / "runs" / "system")]
    assert len(losses) == EPOCHS
    assert losses[1] < losses[0] and losses[-1] < losses[STAGE_1]


def test_the_base_classifier_is_left_as_it_was(trained: Path) -> None:
    data = datasets.load(SplitConfig.load(trained / "system.toml").data.name)
    base, _, _ = load_classifier(trained / "runs" / "base", data)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(trained)
        system, _, _ = load_split_codec(trained / "runs" / "system", data)
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(system.classifier(images), base(images), rtol=1e-4, atol=1e-3)


def test_what_is_loaded_gives_the_figures_of_the_log(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    folder = trained / "runs" / "system"
    config = SplitConfig.load(trained / "system.toml")
    data = datasets.load(config.data.name)
    model, found, saved = load_split_codec(folder, data)
    assert found == config and saved["epoch"] == EPOCHS and not model.training
    _, held = split_holdout(data, config.data.holdout)
    figures = evaluate.accuracies(model, data.x_train[held], data.y_train[held], ())
    assert figures == saved["held_out"] == read_log(folder)[-1]["held_out"]


# It goes on


@pytest.mark.parametrize("epoch", [1, STAGE_1])
def test_cut_off_and_resumed_equals_uninterrupted(
    trained: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], epoch: int
) -> None:
    """In stage 1, and between the stages. The base classifier was there before, unlike in the run of `trained`."""
    with monkeypatch.context() as patch:
        resume_support.cut_off(patch, epoch)
        assert main(patch, "system.toml") == 130
    capsys.readouterr()
    assert main(monkeypatch, "system.toml") == 0
    said = capsys.readouterr().out
    assert f"going on after epoch {epoch} of 4" in said and "base classifier" not in said
    assert resume_support.differing(place / "runs" / "system", trained / "runs" / "system") == []


# It says what is wrong

WRONG = {
    "options: unknown setting 'colour'; known: compression, stage1": ("stage1 = 0.5", "colour = 1"),
    "options: stage1: expected float, found 'half'": ("stage1 = 0.5", 'stage1 = "half"'),
    "options: stage1 must be 0 to 1": ("stage1 = 0.5", "stage1 = 1.5"),
    "options: xai_images must be at least 1": ("xai_images = 4", "xai_images = 0"),
    "unknown system 'jpeg'; known: adjscc, deepcod": ('"semanticnn"', '"jpeg"'),
    "cannot read config none.toml": ('"base.toml"', '"none.toml"'),
    "base.toml is for npz:": ('name = "npz:', 'name = "npz:/'),
    "quantizer.bits must be 1..8": ("[options]", "[quantizer]\nbits = 9\n[options]"),
    "schedule.qat_epochs is for encoders in int8, and semanticnn has none": ("lr = 2e-3", "qat_epochs = 1\nlr = 5e-3"),
    "160 training images do not fill one batch of 161": ("batch = 32", "batch = 161"),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_one_line_and_leaves_no_run(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], message: str
) -> None:
    train_support.fails(monkeypatch, capsys, message, changed(place / "system.toml", place, *WRONG[message]))
    assert not (place / "runs" / "changed" / "config.json").exists()


def test_a_run_of_other_options_is_refused(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    other = changed(place / "system.toml", place, "xai_images = 4", "xai_images = 5")
    other.write_text('name = "system"\n' + other.read_text())
    assert main(monkeypatch, other, "--out", trained / "runs" / "system") == 1
    assert "holds a run of another config" in train_support.one_line(capsys.readouterr().err, "inkling: ")


def test_a_run_that_has_not_ended_has_nothing_to_load(trained: Path, place: Path) -> None:
    shutil.copytree(trained / "runs" / "system", place / "runs" / "system")
    (place / "runs" / "system" / "best.pt").unlink()
    data = datasets.load(SplitConfig.load(place / "system.toml").data.name)
    with pytest.raises(TrainError, match=r"has no best\.pt: the run has not reached its last epoch yet"):
        load_split_codec(place / "runs" / "system", data)


CONFIGS = [
    file
    for file in sorted((train_support.ROOT / "configs" / "systems").glob("*.toml"))
    if "system" in settings.read_toml(file)  # not Inkling's own, which split no classifier
]


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_every_config_that_ships_reads_and_names_a_classifier_of_its_data(file: Path) -> None:
    config = SplitConfig.load(file)
    base = ClassifierConfig.load(train_support.ROOT / config.classifier)
    assert base.data.name == config.data.name and config.name.startswith(config.data.name)
