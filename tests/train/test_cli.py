"""The command `inkling train`: settings by --set, checks before torch is imported, hints."""

import json
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support import train as train_support
from tests.support.train import changed, fails, main
from train.config import CodecConfig
from train.run_files import read_log


def without_torch(folder: Path, *arguments: object) -> str:
    """Run `inkling train` where importing torch fails; return its only line of errors."""
    (folder / "torch.py").write_text("raise ModuleNotFoundError('torch was imported', name='torch')\n")
    done = train_support.run("train", *arguments, PYTHONPATH=f"{folder}{os.pathsep}{train_support.ROOT}")
    assert done.returncode == 1
    return train_support.one_line(done.stderr, "inkling: ")


# --set


@pytest.mark.training
def test_train_set_overrides_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = train_support.write_config(tmp_path)
    words = ("--set", "schedule.epochs=1", "--set", "schedule.qat_epochs=1", "--set", "seed=3", "--set", 'name="short"')
    assert main(config, *words, "--out", tmp_path / "my run", "--threads", 1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("short: 1,024 training images (64 held out), encoder ") for line in lines)
    assert lines[-1].endswith(f"; next: inkling export '{tmp_path}/my run' -o build/bundles/short")
    saved = CodecConfig.from_run(tmp_path / "my run")
    assert (saved.schedule.epochs, saved.schedule.qat_epochs, saved.seed) == (1, 1, 3)
    assert saved.schedule.batch == CodecConfig.load(config).schedule.batch
    assert len(read_log(tmp_path / "my run")) == 2


def test_train_set_refuses_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = train_support.write_config(tmp_path)
    message = "--set schedule.epoch: unknown setting 'epoch' (did you mean 'epochs'?); known: epochs, "
    fails(capsys, message, config, "--set", "schedule.epoch=5")
    fails(capsys, f"{config}: schedule.epochs must be at least 1", config, "--set", "schedule.epochs=0")


# Before torch is imported


def test_train_prints_images_per_class_before_torch_is_imported(tmp_path: Path) -> None:
    config = train_support.write_config(tmp_path)
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('torch was imported', name='torch')\n")
    done = train_support.run("train", config, PYTHONPATH=f"{tmp_path}{os.pathsep}{train_support.ROOT}")
    assert re.fullmatch(r"npz:\S+: airplane 96, .*, truck 96 to train on; 32 test images\n", done.stdout)
    assert "'torch' is not installed" in train_support.one_line(done.stderr, "inkling: ")


WRONG = {
    "no such file or folder: /none.npz": ('name = "npz:', 'name = "npz:/none.npz"  # '),
    "unknown data set 'cifar11' (did you mean 'cifar10'?)": ('name = "npz:', 'name = "cifar11"  # '),
    "data.size is (64, 64)": ("holdout = 64", "holdout = 64\nsize = [64, 64]"),
    "data.holdout = 1024, but there are 1024 training images": ("holdout = 64", "holdout = 1024"),
    "960 training images do not fill one batch of 961": ("batch = 32", "batch = 961"),
    "unknown setting 'epoch' (did you mean 'epochs'?)": ("epochs = 4", "epoch = 4"),
    "teacher checkpoint none.th not found": ("[schedule]", '[teacher]\ncheckpoint = "none.th"\n[schedule]'),
}


@pytest.mark.parametrize("message", WRONG)
def test_train_reports_mistake_before_torch_is_imported(tmp_path: Path, message: str) -> None:
    wrong = changed(train_support.write_config(tmp_path), tmp_path, *WRONG[message])
    assert message in without_torch(tmp_path, wrong, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_train_reports_another_run_in_the_folder_before_torch_is_imported(tmp_path: Path) -> None:
    config = train_support.write_config(tmp_path)
    (tmp_path / "run").mkdir()
    saved = CodecConfig.load(config, ["seed=6"]).as_dict()
    (tmp_path / "run" / "config.json").write_text(json.dumps(saved))
    line = without_torch(tmp_path, config, "--out", tmp_path / "run")
    assert line.endswith("/run holds another run: seed was 6 and is now 5; give --out another folder\n")


def test_train_reports_empty_class_before_torch_is_imported(tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        (tmp_path / "images" / name).mkdir(parents=True)
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "images" / "ant" / "0.png")
    text = f'name = "folder:{tmp_path}/images"\nsize = [32, 32]  # '
    wrong = changed(train_support.write_config(tmp_path), tmp_path, 'name = "npz:', text)
    assert f"{tmp_path}/images/bee has no image, such as" in without_torch(tmp_path, wrong)


@pytest.mark.parametrize("kind", ["codec", "general"])
def test_train_strict_stops_at_an_image_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    for name in ("ant", "bee"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(600):
            Image.new("RGB", (32, 32), (number % 256, 0, 0)).save(tmp_path / "images" / name / f"{number}.ppm")
    broken = tmp_path / "images" / "bee" / "7.ppm"
    broken.write_bytes(b"")
    text = f'name = "folder:{tmp_path}/images"\nsize = [32, 32]  # '
    config = changed(train_support.write_config(tmp_path), tmp_path, 'name = "npz:', text)
    if kind == "general":
        config.write_text(
            f'[data]\nname = "folder:{tmp_path}/images"\nsize = [32, 32]\n[encoder]\nlayers = ["conv4s2 4", "head 2"]\n'
            "[embedding]\n[schedule]\nepochs = 1\nqat_epochs = 1\n"
        )
    message = f"{broken}: not an image that Pillow can read"
    fails(capsys, message, config, "--strict", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Kinds of config


def test_train_names_the_command_for_another_kind_of_config_with_quotes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my configs").mkdir()
    classifier = tmp_path / "my configs" / "a.toml"
    classifier.write_text('architecture = "resnet20"\n')
    fails(
        capsys,
        f"configures a base classifier; use: inkling train classifier {shlex.quote(str(classifier))}",
        classifier,
    )
    codec = tmp_path / "my configs" / "b.toml"
    codec.write_text("[encoder]\n")
    fails(capsys, f"configures a codec; use: inkling train {shlex.quote(str(codec))}", "classifier", codec)


def test_train_refuses_codec_as_base_classifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codec = train_support.write_config(tmp_path)
    split = tmp_path / "split.toml"
    split.write_text(f'system = "adjscc"\nclassifier = "{codec}"\n[data]\nname = "cifar10"\n[schedule]\nepochs = 1\n')
    fails(capsys, f"{codec} configures a codec, not a base classifier", split)
