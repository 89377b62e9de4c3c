"""The comparison under equal terms: a cell from training to figures, what is measured again, what is committed."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import accuracy, accuracy_models, codec
from benchmarks.accuracy_cells import CONFIGS, RESULTS, cells, stored
from benchmarks.delivery import BERS
from host.decode import Decoder
from tests.conftest import Main
from tests.firmware_tools import bundle_path
from tests.train_support import CONFIG, ROOT, golden, one_line, write_npz
from wire.bundle import load as load_bundle

CLASSIFIER = """
architecture = "resnet20"
[data]
name = "npz:{npz}"
holdout = 32
[schedule]
epochs = 1
batch = 32
"""
SYSTEM = """
system = "semanticnn"
classifier = "classifiers/tiny-resnet20.toml"
[data]
name = "npz:{npz}"
holdout = 32
[schedule]
epochs = 1
batch = 32
[options]
stage1 = 0.0
xai = false
"""
GRID = [f"{ber:g}" for ber in BERS]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a tiny system's and a tiny Inkling's config, where the command is given."""
    npz = write_npz(tmp_path / "golden.npz", *golden(), copies=4)
    for name, text in (("classifiers/tiny-resnet20", CLASSIFIER), ("configs/systems/tiny-semanticnn-noxai", SYSTEM)):
        file = tmp_path / f"{name}.toml"
        file.parent.mkdir(parents=True)
        file.write_text(text.format(npz=npz))
    inkling = CONFIG.format(npz=npz).replace("epochs = 4\nqat_epochs = 3", "epochs = 1\nqat_epochs = 1")
    (tmp_path / "configs/systems/tiny-inkling.toml").write_text(inkling)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def measure(place: Path, capsys: pytest.CaptureFixture[str]) -> Main:
    """The command, on 16 images and 2 draws: exit status, output, errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        status = accuracy.main(["--images", "16", "--draws", "2", *arguments])
        return status, *capsys.readouterr()

    return call


def report(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text())


def check_schema(cell: dict) -> None:
    """The keys that readers of the committed files rely on, and figures that can be."""
    assert isinstance(cell["system"], str) and isinstance(cell["dataset"], str)
    assert cell["classifier"] is None or 0 < cell["classifier_accuracy"] <= 1
    assert cell["payload_bytes"] > 0 and cell["encoder_macs"] > 0
    assert cell["ratio_rgb"] > 1 and cell["ratio_float_features"] > 1
    for key in ("accuracy", "accuracy_sent", "accuracy_std"):
        assert list(cell[key]) == GRID
    assert all(0 <= cell["accuracy_sent"][ber] <= cell["accuracy"][ber] + 1e-6 <= 1.000002 for ber in GRID)
    assert cell["accuracy_std_over"] == ("seeds" if len(cell["seeds"]) > 1 else "draws")
    assert cell["epochs"] == sum(cell["epochs_by_part"].values())
    assert cell["images"] <= cell["test_images"] and cell["draws"] >= 1
    assert all(len(seconds) == len(cell["seeds"]) for seconds in cell["training_seconds"].values())
    assert cell["hardware"] and cell["command"].startswith("python -m benchmarks.accuracy ")
    assert len(cell["date"]) == 10 and set(cell["recipe"]) == {"system", "config", "classifier"}
    if cell["system"] != "plain":
        assert list(cell["accuracy_true_ber_told"]) == list(cell["ber_estimated"]) == GRID


def test_a_cell_is_trained_and_measured_once(measure: Main) -> None:
    status, said, complaint = measure("--cells", "tiny-semanticnn*")
    assert (status, complaint) == (0, "")
    assert "base classifier tiny-resnet20 first" in said and "training runs/tiny-semanticnn-noxai: 1 epochs" in said
    cell = report("tiny-semanticnn-noxai")
    check_schema(cell)
    assert (cell["system"], cell["ablation"], cell["classifier"]) == ("semanticnn", "noxai", "resnet20")
    assert (cell["payload_bytes"], cell["ratio_rgb"], cell["ratio_float_features"]) == (192, 16.0, 341.33)
    assert (cell["images"], cell["draws"], cell["seeds"], cell["epochs"]) == (16, 2, [0], 2)
    assert cell["ber_estimated"]["0"] < 1e-3 and 0.05 < cell["ber_estimated"]["0.1"] < 0.15
    before = (RESULTS / "tiny-semanticnn-noxai.json").stat().st_mtime_ns
    status, said, _ = measure("--cells", "tiny-semanticnn*")
    assert status == 0 and said == "tiny-semanticnn-noxai: measured already, skipped\n"
    assert (RESULTS / "tiny-semanticnn-noxai.json").stat().st_mtime_ns == before
    assert "not measured" in measure("--list")[1]

    # More asked for is measured again, from the run that is there; a new config is trained again.
    status, said, _ = measure("--cells", "tiny-semanticnn*", "--draws", "3")
    assert status == 0 and "measured on less" in said and "training" not in said
    assert report("tiny-semanticnn-noxai")["draws"] == 3
    file = Path("configs/systems/tiny-semanticnn-noxai.toml")
    file.write_text(file.read_text().replace("stage1 = 0.0", "stage1 = 1.0"))
    status, _, complaint = measure("--cells", "tiny-semanticnn*")
    assert status == 1
    one_line(complaint, "accuracy: runs/tiny-semanticnn-noxai holds a run of another config: move it away")
    shutil.rmtree("runs/tiny-semanticnn-noxai")
    status, said, _ = measure("--cells", "tiny-semanticnn*")
    assert status == 0 and "config changed" in said and "training runs/tiny-semanticnn-noxai" in said
    assert report("tiny-semanticnn-noxai")["recipe"]["config"]["options"]["stage1"] == 1.0

    # A base classifier that was trained again is not the one inside the system's run.
    shutil.rmtree("runs/tiny-resnet20")
    base = Path("classifiers/tiny-resnet20.toml")
    base.write_text(base.read_text() + "lr = 1e-2\n")
    status, _, complaint = measure("--cells", "tiny-semanticnn*")
    assert status == 1
    one_line(complaint, "accuracy: runs/tiny-semanticnn-noxai was trained around another tiny-resnet20")


def test_inkling_is_measured_with_several_seeds(measure: Main) -> None:
    status, _, complaint = measure("--cells", "tiny-inkling", "--seeds", "5", "6")
    assert (status, complaint) == (0, "")
    cell = report("tiny-inkling")
    check_schema(cell)
    assert (cell["classifier"], cell["encoder_arithmetic"], cell["payload_bytes"]) == (None, "int8", 48)
    assert (cell["seeds"], cell["accuracy_std_over"], cell["epochs"]) == ([5, 6], "seeds", 2)
    assert Path("runs/tiny-inkling/best.pt").exists() and Path("runs/tiny-inkling-seed6/best.pt").exists()
    assert measure("--cells", "tiny-inkling")[1] == "tiny-inkling: measured already, skipped\n"  # seed 5 is among them


def test_wrong_arguments_are_one_line(measure: Main) -> None:
    one_line(measure("--cells", "nothing")[2], "accuracy: no cell is called nothing")
    one_line(measure("--configs", "nowhere")[2], "accuracy: nowhere has no configs of systems")


def test_the_told_ber_is_that_of_the_bundles_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load_bundle(bundle_path())
    decoder = Decoder(bundle)
    with np.load(bundle.golden_path) as golden_file:
        symbols, labels = golden_file["symbols"].astype(np.int64), golden_file["labels"].astype(np.int64)
    bits, shapes = bundle.bits_per_symbol, (bundle.input_shape, bundle.latent_shape)
    link = accuracy_models.stand_in(bundle.name, symbols.shape[1], bits, *shapes)
    told = []

    def encode(part: slice, ber: float | None) -> np.ndarray:
        told.append(ber)
        return symbols[part]

    def decode(got: torch.Tensor, ber: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(decoder.logits(got.numpy(), ber.numpy()))

    monkeypatch.setattr(accuracy_models, "BLOCK", 10)
    link = dataclasses.replace(link, model_id=bundle.model_id, chunks=bundle.chunks)
    model = accuracy_models.Framed(link, encode, decode, 1, 1, "int8")
    for ber in (0.0, 0.1):
        found = model.figures(labels, ber, 3, lambda done: None)
        expected = codec.one_chunk(bundle, decoder, symbols, labels, 0, ber, 3, lambda: None)
        assert found == {**expected, "payload_bytes": bundle.chunk_bytes(0)}
    # The sender hears nothing before its first block has come, then what the receiver made of it.
    blocks = -(-len(labels) // 10)
    assert told[0] is None and told[blocks] is None and all(told[1:blocks]) and len(told) == 2 * blocks
    assert max(told[1:blocks]) < 1e-3 and 0.03 < told[-1] < 0.2


def test_the_committed_figures_are_of_the_configs_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    known = {cell.name: cell for cell in cells(CONFIGS)}
    for name, figures in stored(RESULTS).items():
        check_schema(figures)
        assert figures["recipe"] == accuracy_models.recipe(known[name]), f"{name}: measure it again"
