"""Configs: the committed ones load, and each mistake is an error of one line that says where."""

import json
import tomllib
from pathlib import Path

import pytest

from tests.support import train as train_support
from train.config import CODEC, GENERAL, CodecConfig, GeneralConfig, LatentRunConfig, QuantizerConfig, kind_of
from train.errors import TrainError

LEAST = """
[data]
name = "cifar10"
[encoder]
layers = ["conv4s2 8", "head 8"]
[schedule]
epochs = 1
qat_epochs = 1
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return file


CONFIGS = train_support.ROOT / "configs"


KINDS: dict[str | None, type[LatentRunConfig]] = {CODEC: CodecConfig, GENERAL: GeneralConfig}


@pytest.mark.parametrize("file", sorted([*CONFIGS.glob("*.toml"), *CONFIGS.glob("curve/*.toml")]), ids=lambda f: f.name)
def test_config_loads_committed_file(file: Path) -> None:
    assert KINDS[kind_of(tomllib.loads(file.read_text()))].load(file).name == file.stem


def test_codec_config_has_the_settings_of_the_file_and_defaults(tmp_path: Path) -> None:
    text = LEAST + "lr = 1\n[link]\nber = [0.01, 0.1]\nchunks = [[0, 8], [0, 4]]\n"
    config = CodecConfig.load(written(tmp_path, text))
    assert (config.name, config.seed, config.teacher) == ("mine", 0, None)
    assert config.encoder.layers == ("conv4s2 8", "head 8")
    assert config.schedule.lr == 1.0 and type(config.schedule.lr) is float
    assert config.link.ber == (0.01, 0.1) and config.link.chunks == ((0, 8), (0, 4))
    assert config.quantizer == QuantizerConfig(bits=3, temperature=0.3)


@pytest.mark.parametrize("extra", ["", '[teacher]\ncheckpoint = "a.th"'])
def test_codec_config_round_trip_through_json(tmp_path: Path, extra: str) -> None:
    config = CodecConfig.load(written(tmp_path, LEAST + extra))
    assert CodecConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


def test_codec_config_without_channels_has_independent_flips(tmp_path: Path) -> None:
    """Runs from before the setting existed have none in their config.json."""
    now = CodecConfig.load(written(tmp_path, LEAST))
    before = now.as_dict()
    del before["link"]["channels"]
    assert CodecConfig.from_dict(before) == now and now.link.channels == ("bsc",)


WRONG = {
    LEAST.replace("epochs = 1", "epochs = 1.5", 1): "schedule: epochs: expected int, found 1.5",
    LEAST.replace("epochs = 1", "epochs = true", 1): "schedule: epochs: expected int, found True",
    LEAST.replace("epochs = 1\n", "", 1): "schedule: missing setting 'epochs'",
    LEAST.replace("epochs = 1", "epochs = 0", 1): "schedule.epochs must be at least 1",
    LEAST.replace("qat_epochs = 1", "qat_epochs = 0"): "schedule.qat_epochs must be at least 1",
    LEAST + "batch = 1": "schedule.batch must be at least 2",
    LEAST + "lr = -1.0": "schedule.lr, board_lr and qat_lr must be above 0",
    LEAST + "lr = nan": "schedule.lr, board_lr and qat_lr must be above 0",
    LEAST + 'lr = "fast"': "schedule: lr: expected float, found 'fast'",
    LEAST + "ema = 1": "schedule.ema must be 0 to below 1",
    LEAST + "epoch = 3": "schedule: unknown setting 'epoch' (did you mean 'epochs'?); known: epochs, ",
    LEAST + "[scedule]\nepochs = 3": "unknown table 'scedule' (did you mean 'schedule'?); known: name, seed, data",
    LEAST.replace('["conv4s2 8", "head 8"]', '"head 8"'): "encoder: layers: expected a list, found 'head 8'",
    LEAST.replace('["conv4s2 8", "head 8"]', '["conv4s2 8", 8]'): "encoder: layers: expected str, found 8",
    LEAST.replace('name = "cifar10"', "name = 10"): "data: name: expected str, found 10",
    LEAST.replace("[data]", "[date]"): "unknown table 'date' (did you mean 'data'?)",
    LEAST.replace("[data]\nname", "data"): "data: expected a table, found 'cifar10'",
    LEAST.replace("[encoder]", "size = 32\n[encoder]"): "data: size: expected a list, found 32",
    LEAST.replace("[encoder]", "size = [32]\n[encoder]"): "data: size: expected 2 values, found [32]",
    LEAST.replace("[encoder]", "size = [32, 0]\n[encoder]"): "data.size must be at least 1 by 1",
    LEAST.replace("[encoder]", "holdout = 0\n[encoder]"): "data.holdout must be a number of images (1 or more) or",
    LEAST.replace("[encoder]", "holdout = 1.0\n[encoder]"): "or a share (above 0, below 1)",
    LEAST.replace("[encoder]", "holdout = true\n[encoder]"): "data: holdout: expected int or float, found True",
    LEAST.replace("[encoder]", "test_share = 1\n[encoder]"): "data.test_share must be above 0 and below 1",
    LEAST.replace("[encoder]", "crop_padding = -1\n[encoder]"): "data.crop_padding must be at least 0",
    LEAST.replace("[encoder]", "flip = 1\n[encoder]"): "data: flip: expected bool, found 1",
    "seed = -1" + LEAST: "seed must be at least 0",
    'name = "a/b"' + LEAST: "name must be that of a folder, without /",
    LEAST + "[quantizer]\nbits = 9": "quantizer.bits must be 1..8",
    LEAST + "[quantizer]\nbits = [3]": "quantizer: bits: expected int, found [3]",
    LEAST + "[quantizer]\ntemperature = 0": "quantizer.temperature must be above 0",
    LEAST + "[decoder]\nwidth = 0": "decoder.width must be at least 1",
    LEAST + "[decoder]\nblocks = -1": "decoder.blocks must be at least 0",
    LEAST + "[decoder]\ndropout = 1.0": "decoder.dropout must be 0 to below 1",
    LEAST + "[link]\nber = 0.1": "link: ber: expected a list, found 0.1",
    LEAST + "[link]\nber = [0.1]": "link: ber: expected 2 values, found [0.1]",
    LEAST + "[link]\nber = [0.1, 0.01]": "link.ber must be two numbers, 0 < low <= high <= 0.5",
    LEAST + "[link]\nber = [0, 0.1]": "link.ber must be two numbers, 0 < low <= high <= 0.5",
    LEAST + "[link]\nchunks = [0, 8]": "link: chunks: expected a list, found 0",
    LEAST + "[link]\nchunks = [[0, 8, 1]]": "link: chunks: expected 2 values, found [0, 8, 1]",
    LEAST + "[link]\nchunks = []": "link.chunks must be 1 to 16 pairs",
    LEAST
    + "[link]\nchannels = []": "link.channels must be some of bsc, gilbert-elliott, bpsk-awgn, bpsk-rayleigh, lora",
    LEAST + '[link]\nchannels = ["bsc", "awgn"]': "link.channels must be some of bsc",
    LEAST + "[link]\nclean_share = 1.5": "link.clean_share must be 0 to 1",
    LEAST + "[teacher]": "teacher: missing setting 'checkpoint'",
    LEAST + '[teacher]\ncheckpoint = "a"\ndepth = 21': "teacher.depth must be 20, 32, 44 or 56",
    LEAST + '[teacher]\ncheckpoint = "a"\nviews = 0': "teacher.views must be at least 1",
    LEAST + '[teacher]\ncheckpoint = "a"\nweight = 2': "teacher.weight must be 0 to 1",
    "epochs = ": "is not valid TOML",
}


@pytest.mark.parametrize("text", WRONG, ids=WRONG.values())
def test_codec_config_refuses_mistake_in_one_line(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(TrainError) as caught:
        CodecConfig.load(file)
    line = str(caught.value)
    assert line.startswith(str(file)) and WRONG[text] in line and "\n" not in line, line


def test_codec_config_refuses_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"cannot read config .*none\.toml: No such file or directory"):
        CodecConfig.load(tmp_path / "none.toml")
    with pytest.raises(TrainError, match=r"cannot read config .*: Is a directory"):
        CodecConfig.load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(TrainError, match=r"latin\.toml is not valid TOML"):
        CodecConfig.load(tmp_path / "latin.toml")
