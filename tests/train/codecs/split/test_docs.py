"""docs/systems.md: it lists every codec, and its example works as printed."""

import re
import sys
import tomllib
from types import ModuleType

import numpy as np
import pytest
import torch

from tests.support import ROOT
from tests.train.codecs.split.support import gradient
from train.classifiers.architectures import build
from train.codecs.split.registry import SPLIT_CODECS
from train.impairment import draw_impairment
from train.trainers.split import SplitConfig

PAGE = (ROOT / "docs" / "systems.md").read_text()


def block(language: str) -> str:
    """Return the page's only example in a language."""
    (example,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return example


def test_page_lists_file_and_command_of_every_split_codec() -> None:
    for name in SPLIT_CODECS:
        assert f"`train/codecs/split/{name}.py`" in PAGE
        assert f"inkling train configs/systems/cifar10-{name.replace('_', '-')}.toml" in PAGE


def test_page_names_only_files_and_anchors_that_exist() -> None:
    files = set(re.findall(r"\b(?:train/codecs|configs)/[\w/.-]+\.(?:py|toml)", PAGE))
    examples = {"train/codecs/split/mine.py", "configs/systems/cifar10-mine.toml"}
    assert examples < files
    assert [file for file in sorted(files - examples) if not (ROOT / file).is_file()] == []
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^## (.*)$", PAGE, re.M)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= anchors


def test_example_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("train.codecs.split.mine")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(block("python"), vars(module))
    monkeypatch.setitem(SPLIT_CODECS, "mine", module.Mine)
    config = SplitConfig.from_dict({"name": "mine", **tomllib.loads(block("toml"))})

    torch.manual_seed(0)
    codec = SPLIT_CODECS["mine"](build("resnet20", 10), (32, 32, 3), config.quantizer, config.build_options())
    assert codec.n_symbols == 8 * 8 * 16
    link = config.link.whole_payloads()
    impairment = draw_impairment(link, 4, codec.n_symbols, codec.quantizer.bits, np.random.default_rng(0))
    codec.loss("task", torch.rand(4, 3, 32, 32), torch.arange(4), impairment).backward()
    missing = [name for name, p in codec.named_parameters() if p.requires_grad and not gradient(codec, name).any()]
    assert missing == []
