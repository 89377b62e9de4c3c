"""docs/systems.md: every system is in it, and the one it shows as an example works as it is printed."""

import re
import sys
import tomllib
from types import ModuleType

import numpy as np
import pytest
import torch

from tests.support.train import ROOT
from train import settings
from train.classifiers.architectures import build
from train.config import QuantizerConfig
from train.impairment import draw
from train.trainers import split as system_run

PAGE = (ROOT / "docs" / "systems.md").read_text()


def block(language: str) -> str:
    """The page's one example in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


def test_every_system_has_its_file_and_its_command_on_the_page() -> None:
    for name in system_run.systems():
        assert f"`train/codecs/{name}.py`" in PAGE
        assert f"python -m train configs/systems/cifar10-{name.replace('_', '-')}.toml" in PAGE


def test_every_file_and_command_on_the_page_exists() -> None:
    files = set(re.findall(r"\b(?:train/codecs|configs)/[\w/.-]+\.(?:py|toml)", PAGE))
    ours = {"train/codecs/mine.py", "configs/systems/cifar10-mine.toml"}
    assert ours < files
    assert [file for file in sorted(files - ours) if not (ROOT / file).is_file()] == []
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^## (.*)$", PAGE, re.M)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= anchors


def test_the_example_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("train.codecs.mine")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(block("python"), vars(module))
    values = tomllib.loads(block("toml"))
    options = settings.build(module.Options, values.pop("options"), "options")
    assert values.pop("system") == "mine"
    settings.build(system_run.SplitConfig, {"name": "mine", "system": "mine", **values}, "config")

    torch.manual_seed(0)
    model = module.System(build("resnet20", 10), (32, 32, 3), QuantizerConfig(), options)
    assert model.n_symbols == 8 * 8 * 16
    link = draw(system_run.CHANNEL, 4, model.n_symbols, model.quantizer.bits, np.random.default_rng(0))
    model.loss("task", torch.rand(4, 3, 32, 32), torch.arange(4), link).backward()
    missing = [name for name, p in model.named_parameters() if p.requires_grad and not p.grad.any()]
    assert missing == []
