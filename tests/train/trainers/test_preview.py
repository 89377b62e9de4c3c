"""Training of a preview network on the payloads of a small general codec."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.embedding import colours, write_configs
from tests.support.resume import cut_off, differing
from tests.support.train import fails, main
from tests.train.fake_gpu import FAKE_GPU, FakeGpu
from train import evaluate
from train.config import LinkConfig, PreviewConfig
from train.data.datasets import Dataset
from train.data.pool import load_pool
from train.run_files import read_log
from train.trainers.preview import PreviewTrainer, general_config, load_preview

pytestmark = pytest.mark.training


def pool(config: PreviewConfig) -> Dataset:
    return load_pool(general_config(config), lambda _: None)


def test_preview_learns_and_needs_the_symbols(previewed: Path) -> None:
    held_out = [entry["held_out"] for entry in read_log(previewed / "preview")]
    assert list(held_out[-1]) == ["0", "0.01", "0.05", "0.1", "prefix 56", "prefix 28"]
    assert held_out[-1]["0"] > held_out[0]["0"] + 0.05
    assert held_out[-1]["0"] > held_out[-1]["0.1"] + 0.02 and held_out[-1]["0"] > held_out[-1]["prefix 28"] + 0.02


def test_preview_shows_the_colours_of_unseen_images(previewed: Path) -> None:
    preview, codec, _ = load_preview(previewed / "preview")
    seen = colours(20, seed=9)
    found = preview(evaluate.encode(codec, seen).symbols, torch.full((20,), 1e-3)).detach()
    halves = (seen.reshape(20, 2, 128, 3).mean(2) / 255, found.permute(0, 2, 3, 1).reshape(20, 2, 128, 3).mean(2))
    assert np.corrcoef(halves[0].ravel(), halves[1].numpy().ravel())[0, 1] > 0.75


def test_levels_are_of_the_images_and_of_their_mirror_images(previewed: Path, tmp_path: Path) -> None:
    config = PreviewConfig.load(previewed / "preview.toml")
    trainer = PreviewTrainer(config, pool(config), tmp_path / "run")
    images = trainer.data.x_test[:4]
    first = len(trainer.data.x_train)
    for mirrored, views in enumerate((images, images[:, :, ::-1].copy())):
        expected = evaluate.encode(trainer.codec, views).symbols
        np.testing.assert_array_equal(trainer.levels[mirrored, first : first + 4], expected)
    assert (trainer.levels[0] != trainer.levels[1]).any()


def test_loss_takes_the_symbols_of_each_view(previewed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = PreviewConfig.load(previewed / "preview.toml", ["schedule.epochs=1"])
    trainer = PreviewTrainer(config, pool(config), tmp_path / "run")
    trainer.link = LinkConfig(clean_share=1.0, prefix_share=0.0)
    seen: list[torch.Tensor] = []

    def model(symbols: torch.Tensor, ber: torch.Tensor) -> torch.Tensor:
        seen.append(symbols)
        return torch.zeros(len(symbols), 3, 16, 16)

    monkeypatch.setattr(trainer.state, "model", model)
    trainer.views.choose(0)
    index = torch.arange(0, len(trainer.views), 7)
    batch = trainer.views.batch(index)
    trainer.loss(batch, index, trainer.plan[0], np.random.default_rng(0))
    assert 0 < float(trainer.views.mirrored[index].float().mean()) < 1
    views = (255 * batch).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    torch.testing.assert_close(seen[0], evaluate.encode(trainer.codec, views).symbols)


def test_interrupted_run_is_resumed(previewed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (previewed / "preview.toml", "--out", tmp_path / "run", "--threads", 1)
    with pytest.MonkeyPatch.context() as patch:
        cut_off(patch, 3)
        assert main(*words) == 130
    kept = (tmp_path / "run" / "symbols.npy").stat().st_mtime_ns
    assert main(*words) == 0
    assert "resuming after epoch 3 of 8" in capsys.readouterr().out
    assert (tmp_path / "run" / "symbols.npy").stat().st_mtime_ns == kept
    assert differing(tmp_path / "run", previewed / "preview") == []


def test_training_on_another_device_gives_the_same_figures(previewed: Path, tmp_path: Path) -> None:
    config = PreviewConfig.load(previewed / "preview.toml", ["schedule.epochs=1"])
    runs = []
    for device in (torch.device("cpu"), FAKE_GPU):
        with FakeGpu():
            trainer = PreviewTrainer(config, pool(config), tmp_path / device.type, device)
            trainer.bf16 = False
            trainer.run()
        runs.append(read_log(trainer.folder)[0])
    assert runs[0]["device"] != runs[1]["device"]
    assert runs[1]["loss"] == pytest.approx(runs[0]["loss"], rel=1e-2)
    assert runs[1]["held_out"] == pytest.approx(runs[0]["held_out"], abs=0.02)


def test_run_refuses_another_codec(previewed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(previewed / "preview", tmp_path / "run")
    values = json.loads((folder / "codec.json").read_text())
    (folder / "codec.json").write_text(json.dumps(values | {"sha256": "0" * 64}))
    message = f"{folder} was trained with another codec than {previewed}/general holds now; train again with another"
    fails(capsys, message, previewed / "preview.toml", "--out", folder)
    (folder / "codec.json").write_text("[]")
    fails(capsys, "codec.json cannot be read: ", previewed / "preview.toml", "--out", folder)


def test_config_needs_a_finished_run_of_a_general_codec(
    previewed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_configs(tmp_path)
    config, out = tmp_path / "preview.toml", tmp_path / "run"
    fails(capsys, f"{tmp_path}/general is not a run: cannot read config.json: No such file", config, "--out", out)
    shutil.copytree(previewed / "general", tmp_path / "general")
    (tmp_path / "general" / "best.pt").unlink()
    fails(capsys, f"{tmp_path}/general has no best.pt: the run has not reached its int8 epochs", config, "--out", out)
    text = config.read_text()
    for wrong, message in (
        ("codec = 3\n", "codec must be the folder of a general codec's run, found 3"),
        (text + '[data]\nname = "cifar10"\n', "[data] must be left out: the images are those of the codec's run"),
        (text + "qat_epochs = 1\n", "schedule.qat_epochs is for codecs: a preview is computed on the host"),
        (text.replace("width = 16", "width = 0"), "preview.width must be at least 1"),
        (text.replace("general", "preview"), "holds a run of a preview, not of a general codec"),
    ):
        config.write_text(wrong)
        if "run of a preview" in message:
            shutil.copytree(previewed / "preview", tmp_path / "preview")
        fails(capsys, message, config, "--out", out)
    assert not out.exists()
