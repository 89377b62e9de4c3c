"""Fine-tuning of base classifiers within split codecs, and the link of their training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support import resume as resume_support
from tests.support import train as train_support
from train.config import LinkConfig
from train.data import datasets
from train.errors import TrainError
from train.impairment import Impairment, draw_impairment
from train.run_files import read_log
from train.trainers import split as split_trainer
from train.trainers.split import SplitConfig, SplitTrainer, load_or_train_classifier, load_split_codec

DATA = """
[data]
name = "npz:{npz}"
holdout = 32
crop_padding = 0
flip = false
"""
BASE = """
architecture = "resnet20"
[schedule]
epochs = 1
batch = 32
lr = 1e-2
"""
SYSTEM = """
system = "{system}"
classifier = "{base}"
[schedule]
epochs = 3
batch = 32
lr = 2e-3
warmup_epochs = 0.2
[fine_tune]
epochs = 1
lr = 1e-3
"""

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set, and `base.toml` with its finished run."""
    folder = tmp_path_factory.mktemp("fine_tuning")
    images, labels = train_support.golden()
    data = DATA.format(npz=train_support.write_npz(folder / "golden.npz", images[:, ::2, ::2], labels, copies=6))
    (folder / "base.toml").write_text(BASE + data)
    for system in ("bottlenetpp", "agilenn"):
        (folder / f"{system}.toml").write_text(SYSTEM.format(system=system, base=folder / "base.toml") + data)
    config = SplitConfig.load(folder / "agilenn.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split_trainer, "RUNS", folder / "runs")
        load_or_train_classifier(folder / "base.toml", datasets.load(config.data.name))
    return folder


@pytest.fixture(autouse=True)
def _runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_trainer, "RUNS", folder / "runs")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # sums in the same order


def trainer(folder: Path, system: str, run: Path) -> SplitTrainer:
    config = SplitConfig.load(folder / f"{system}.toml")
    return SplitTrainer(config, datasets.load(config.data.name), run)


def weights(trained: SplitTrainer) -> dict[str, torch.Tensor]:
    return {name: part.clone() for name, part in trained.state.model.classifier.state_dict().items()}


@pytest.mark.parametrize("system", ["bottlenetpp", "agilenn"])
def test_base_classifier_is_frozen_before_the_epochs_of_fine_tune(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    run = trainer(folder, system, tmp_path / "run")
    assert [(phase.name, phase.epochs, phase.lr) for phase in run.plan] == [
        ("task", 2, 2e-3),
        ("fine-tuning", 1, 1e-3),
    ]
    before, seen = weights(run), []
    evaluate = run.evaluate

    def recorded(*arguments: Any) -> dict[str, float]:  # noqa: ANN401
        seen.append(weights(run))
        return evaluate(*arguments)

    monkeypatch.setattr(run, "evaluate", recorded)
    run.train()
    assert all(torch.equal(before[name], epoch[name]) for epoch in seen[:2] for name in before)
    # Of AgileNN, the classifier's own stem is not used.
    used = [name for name in before if system == "bottlenetpp" or not name.startswith("stem.")]
    learned = [name for name in used if seen[2][name].is_floating_point() and "running" not in name]
    assert all(not torch.equal(before[name], seen[2][name]) for name in learned)
    assert all(torch.equal(before[name], seen[2][name]) for name in before if name not in learned)

    codec, _, saved = load_split_codec(tmp_path / "run", run.data)
    average = run.state.average.state_dict()
    assert saved["epoch"] == 3
    assert all(torch.equal(part, average[name]) for name, part in codec.state_dict().items())


@pytest.mark.parametrize("epoch", [1, 2])
def test_fine_tuning_cut_off_and_resumed_equals_uninterrupted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    for name in ("whole", "resumed"):
        run = trainer(folder, "bottlenetpp", tmp_path / name)
        if name == "resumed":
            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                resume_support.cut_off(patch, epoch)
                run.run()
            run = trainer(folder, "bottlenetpp", tmp_path / name)
        run.run()
    assert resume_support.differing(tmp_path / "resumed", tmp_path / "whole") == []
    assert [entry["phase"] for entry in read_log(tmp_path / "resumed")] == ["task", "task", "fine-tuning"]


def test_link_of_the_config_is_that_of_the_training(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (folder / "agilenn.toml").read_text()
    (tmp_path / "agilenn.toml").write_text(
        text + '[link]\nchannels = ["gilbert-elliott"]\nclean_share = 0.25\nber = [0.01, 0.02]\nestimate_spread = 0\n'
    )
    run = trainer(tmp_path, "agilenn", tmp_path / "run")
    links: list[LinkConfig] = []
    draw = draw_impairment

    def recorded(link: LinkConfig, *arguments: Any) -> Impairment:  # noqa: ANN401
        links.append(link)
        impairment = draw(link, *arguments)
        assert not impairment.missing.any() and not impairment.answer_missing.any()
        return impairment

    monkeypatch.setattr(split_trainer, "draw_impairment", recorded)
    run.train()
    (link,) = set(links)
    assert (link.channels, link.clean_share, link.ber) == (("gilbert-elliott",), 0.25, (0.01, 0.02))
    assert (link.estimate_spread, link.prefix_share, link.answer_missing_share) == (0.0, 0.0, 0.0)


def test_settings_of_link_and_fine_tune_are_checked(folder: Path) -> None:
    values = SplitConfig.load(folder / "agilenn.toml").as_dict()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"link": {"channels": ["fog"]}}, "config: link.channels must be some of "),
        ({"link": {"ber": [0.1, 0.01]}}, "config: link.ber must be two numbers"),
        ({"link": {"prefix_share": 0.1}}, "config: link: unknown setting 'prefix_share'"),
        ({"fine_tune": {"epochs": 4}}, "config: fine_tune.epochs must be 1 to schedule.epochs"),
        ({"fine_tune": {"epochs": 1, "lr": 0.0}}, "config: fine_tune.lr must be above 0"),
    ]
    for changes, message in cases:
        with pytest.raises(TrainError) as caught:
            SplitConfig.from_dict({**values, **changes})
        assert str(caught.value).startswith(message)


def test_lora_carries_no_payload_beyond_a_packet(folder: Path) -> None:
    config = SplitConfig.load(folder / "agilenn.toml")
    config = replace(config, link=replace(config.link, channels=("lora",)), quantizer=replace(config.quantizer, bits=8))
    data = datasets.load(config.data.name)
    wide = replace(data, x_train=data.x_train.repeat(2, 1).repeat(2, 2))
    classifier = load_or_train_classifier(folder / "base.toml", data)
    with pytest.raises(TrainError, match=r"^link\.channels: lora carries up to \d+ bytes, and the payload has 512$"):
        split_trainer.create_codec(config, classifier, wide)
