"""Training of a base classifier by its command line: it learns, resumes bit for bit, and refuses mistakes."""

from pathlib import Path

import pytest

from tests.support import resume as resume_support
from tests.support import train as train_support
from train.config import ClassifierConfig
from train.data import datasets
from train.run_files import read_log
from train.trainers.classifier import accuracy, load_classifier

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


def write_config(folder: Path, size: int = 16) -> Path:
    """Write CONFIG and its data set, real images of every second pixel; return the config's path."""
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
    assert train_support.main("classifier", write_config(folder), "--out", folder / "run", "--threads", 1) == 0
    return folder


@pytest.mark.training
def test_classifier_training_learns_its_images_by_heart(trained: Path) -> None:
    log = read_log(trained / "run")
    assert [entry["epoch"] for entry in log] == list(range(1, EPOCHS + 1))
    assert log[-1]["loss"] < 0.5 * log[0]["loss"]
    assert log[-1]["held_out"]["0"] > 0.8  # other copies of the same images
    assert all(entry["held_out"] and entry["held_out_images"] == 32 for entry in log)


@pytest.mark.training
def test_load_classifier_returns_the_trained_one(trained: Path) -> None:
    config = ClassifierConfig.load(trained / "small.toml")
    data = datasets.load(config.data.name)
    model, run_config, saved = load_classifier(trained / "run", data)
    assert run_config == config and saved["epoch"] == EPOCHS and not model.training
    # Held-out and test images are copies of the same ones, but in other shares.
    assert accuracy(model, data.x_test, data.y_test) > 0.8


@pytest.mark.training
def test_classifier_training_cut_off_and_resumed_equals_uninterrupted(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("classifier", trained / "small.toml", "--out", tmp_path / "run", "--threads", 1)
    with monkeypatch.context() as patch:
        resume_support.cut_off(patch, 3)
        assert train_support.main(*command) == 130
    assert not (tmp_path / "run" / "best.pt").exists()
    capsys.readouterr()
    assert train_support.main(*command) == 0
    assert "resuming after epoch 3 of 6" in capsys.readouterr().out
    assert resume_support.differing(tmp_path / "run", trained / "run") == []


WRONG = {
    "architecture must be one of mobilenet_v2, efficientnet_v2_s": ('"resnet20"', '"vgg"'),
    "schedule.qat_epochs is for codecs: a classifier runs on the host": ("batch = 32", "batch = 32\nqat_epochs = 1"),
    "schedule.board_epochs is for codecs with an answer head": ("batch = 32", "batch = 32\nboard_epochs = 1"),
    "schedule.lr, board_lr and qat_lr must be above 0": ("lr = 1e-2", "lr = 0.0"),
    "data.holdout = 9999, but there are": ("holdout = 32", "holdout = 9999"),
    "unknown table 'link'": ("[schedule]", "[link]\n[schedule]"),
}


@pytest.mark.parametrize("message", WRONG)
def test_classifier_training_refuses_mistake_in_one_line_and_leaves_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], message: str
) -> None:
    wrong = train_support.changed(write_config(tmp_path), tmp_path, *WRONG[message])
    train_support.fails(capsys, message, "classifier", wrong, "--out", tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.training
def test_classifier_training_takes_grey_images(tmp_path: Path) -> None:
    config = train_support.changed(write_config(tmp_path), tmp_path, "epochs = 6", "epochs = 1")
    config = train_support.changed(config, tmp_path, "holdout = 32", "holdout = 32\ngrey = true")
    assert train_support.main("classifier", config, "--out", tmp_path / "run", "--threads", 1) == 0
    data = datasets.load_for(ClassifierConfig.load(config).data)
    model, _, _ = load_classifier(tmp_path / "run", data)
    assert model.channels == 1 and 0 <= accuracy(model, data.x_test, data.y_test) <= 1


CONFIGS = sorted((train_support.ROOT / "configs" / "classifiers").glob("*.toml"))


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_classifier_config_loads_committed_file_named_after_data_and_architecture(file: Path) -> None:
    config = ClassifierConfig.load(file)
    origin = "-public" if config.checkpoint else ""  # of weights that are not trained here
    assert config.name == f"{config.data.name}-{config.architecture}{origin}"
