"""Training of a general codec on a tiny network's embedding."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support import embedding as embedding_support
from tests.support.train import golden, main, write_npz
from train.config import GeneralConfig
from train.data.pool import load_pool
from train.run_files import read_log
from train.trainers.general import GeneralTrainer

CONFIG = """
[data]
name = "npz:{npz}"
holdout = 32

[encoder]
layers = ["conv4s2 8", "sep4s2 12", "head 4"]

[decoder]
width = 16
blocks = 1

[link]
chunks = [[0, 256], [0, 64]]

[embedding]
network = "{network}"
size = 32

[schedule]
epochs = 6
qat_epochs = 2
batch = 32
lr = 1e-2
warmup_epochs = 0.2
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The TOML file of a small general codec, with a cache of its own."""
    monkeypatch.setenv("INKLING_CACHE", str(tmp_path / "cache"))
    network = embedding_support.write_network(tmp_path / "network.onnx")
    npz = write_npz(tmp_path / "data.npz", *golden())
    (tmp_path / "small.toml").write_text(CONFIG.format(npz=npz, network=network))
    return tmp_path / "small.toml"


@pytest.mark.training
def test_general_codec_learns_the_embedding(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(config, "--out", out, "--threads", 1) == 0
    printed = capsys.readouterr().out
    assert "held-out cosine x 100 by BER, 32 images" in printed and "\ntest cosine x 100 by BER, 32 images" in printed
    assert f"256 symbols of 3 bits, embedding of {embedding_support.SIZE} values" in printed
    held_out = [entry["held_out"] for entry in read_log(out)]
    assert set(held_out[0]) == {"0", "0.001", "0.003", "0.01", "0.03", "0.05", "0.1", "prefix 64"}
    assert held_out[0]["0"] < held_out[-1]["0"] and held_out[-1]["0"] > 0.85
    assert held_out[-1]["0.1"] > 0.7 and held_out[-1]["prefix 64"] > 0.7


def test_targets_are_mirrored_with_the_view(config: Path, tmp_path: Path) -> None:
    general = GeneralConfig.load(config)
    trainer = GeneralTrainer(general, load_pool(general, lambda _: None), tmp_path / "run")
    seen: list[np.ndarray] = []

    class Targets:
        shape = trainer.targets.shape

        def __getitem__(self, key: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
            seen.append(np.stack(key))
            return trainer_targets[key]

    trainer_targets, trainer.targets = trainer.targets, Targets()  # type: ignore[assignment]
    trainer.views.choose(0)
    index = torch.arange(len(trainer.views))
    trainer.loss(trainer.views.batch(index), index, trainer.plan[0], np.random.default_rng(0))
    (mirrored, numbers) = seen[0]
    np.testing.assert_array_equal(mirrored, trainer.views.mirrored.int())
    np.testing.assert_array_equal(numbers, trainer.labels)
    assert 0 < mirrored.mean() < 1
