"""Tests of settings given as `--set NAME=VALUE`, and of the differences between two configs."""

from pathlib import Path

import pytest

from train import settings
from train.config import CodecConfig, SplitRunConfig
from train.errors import TrainError

VALUES = {"name": "mine", "data": {"name": "cifar10"}, "schedule": {"epochs": 3, "qat_epochs": 1}}


def test_override_sets_values_of_any_type_and_leaves_the_rest() -> None:
    assignments = (
        "seed=7",
        "schedule.epochs = 5",
        "schedule.lr=1e-3",
        'data.name="cifar100"',
        "data.size=[64, 48]",
        "data.flip=false",
        "data.holdout=0.1",
        'encoder.layers=["conv4s2 8", "head 4"]',
    )
    new = settings.override(CodecConfig, VALUES, assignments)
    config = CodecConfig.from_dict(new)
    assert (config.seed, config.schedule.epochs, config.schedule.qat_epochs, config.schedule.lr) == (7, 5, 1, 1e-3)
    assert (config.data.name, config.data.size, config.data.flip) == ("cifar100", (64, 48), False)
    assert config.data.holdout == 0.1 and config.encoder.layers == ("conv4s2 8", "head 4")
    assert VALUES["schedule"] == {"epochs": 3, "qat_epochs": 1}


def test_override_later_assignment_wins_and_a_table_can_be_given_whole() -> None:
    new = settings.override(CodecConfig, VALUES, ["seed=1", "seed=2", 'teacher={checkpoint="a.th", views=3}'])
    assert new["seed"] == 2 and new["teacher"] == {"checkpoint": "a.th", "views": 3}


def test_override_options_of_a_split_codec_are_free() -> None:
    assert settings.override(SplitRunConfig, {}, ["options.channels=4"]) == {"options": {"channels": 4}}


WRONG = {
    "schedule.epochs": "--set schedule.epochs: expected NAME=VALUE, as in schedule.epochs=5",
    "schedule.epoch=5": "--set schedule.epoch: unknown setting 'epoch' (did you mean 'epochs'?); known: epochs, ",
    "schedul.epochs=5": "--set schedul.epochs: unknown setting 'schedul' (did you mean 'schedule'?); known: name, ",
    "epochs=5": "--set epochs: unknown setting 'epochs'",
    "schedule.epochs=five": "--set schedule.epochs=five: not a TOML value; a text needs quotes, as in 'data.name=",
    "schedule.epochs=": "--set schedule.epochs=: not a TOML value",
    "schedule.epochs=5\nname=3": "not a TOML value",
    "schedule.epochs=1.5": "--set schedule.epochs: expected int, found 1.5",
    "schedule.lr=1" + "0" * 400: "schedule.lr: the number has hundreds of digits",
    "schedule.epochs=" + "1" * 5000: "not a TOML value",
    "schedule.epochs=" + "[" * 100_000: "not a TOML value",
    "schedule=5": "--set schedule: expected a table, found 5",
    "seed.x=5": "--set seed.x: seed is a setting, not a table",
    "data.size=[1]": "--set data.size: expected 2 values, found [1]",
}


@pytest.mark.parametrize("text", WRONG)
def test_override_refuses_mistake(text: str) -> None:
    with pytest.raises(TrainError) as caught:
        settings.override(CodecConfig, VALUES, [text])
    assert WRONG[text] in str(caught.value)


@pytest.mark.parametrize("text", ["seed = " + "1" * 5000, "seed = " + "[" * 100_000, "seed ="])
def test_read_toml_refuses_mistake(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(TrainError, match=r"a\.toml is not valid TOML: "):
        settings.read_toml(tmp_path / "a.toml")


@pytest.mark.parametrize("text", ["1" * 5000, "[" * 100_000, "{"])
def test_read_run_refuses_mistake(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(TrainError, match=r"is not a run: config\.json is not JSON: "):
        settings.read_run(tmp_path)


def test_differences_name_each_setting_with_both_values() -> None:
    old = {"seed": 0, "teacher": None, "data": {"size": (8, 8), "flip": True}, "link": {"ber": [0.1, 0.2]}}
    new = {"seed": 0, "teacher": {"views": 1}, "data": {"size": [8, 8], "flip": False}, "link": {"ber": (0.1, 0.3)}}
    assert [str(difference) for difference in settings.differences(old, new)] == [
        "data.flip was true and is now false",
        "link.ber was [0.1, 0.2] and is now [0.1, 0.3]",
        'teacher was unset and is now {"views": 1}',
    ]
    assert settings.differences(old, old) == []
