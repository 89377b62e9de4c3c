"""The comparison under equal terms: a cell from training to figures, what is measured again, what is committed."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.accuracy import cli as accuracy
from benchmarks.accuracy import codec
from benchmarks.accuracy import findings as accuracy_findings
from benchmarks.accuracy import models as accuracy_models
from benchmarks.accuracy import page as accuracy_results
from benchmarks.accuracy.experiments import CONFIGS, RESULTS, Experiment, experiments, stored
from benchmarks.delivery import BERS
from host.classify.decoder import Decoder
from tests.conftest import Main
from tests.support.firmware import bundle_path
from tests.support.train import CONFIG, ROOT, golden, one_line, write_npz
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
    assert cell["ratio_rgb"] > 0 and cell["ratio_float_features"] > 1
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
    status, said, complaint = measure("--experiments", "tiny-semanticnn*")
    assert (status, complaint) == (0, "")
    assert "base classifier tiny-resnet20 first" in said and "training runs/tiny-semanticnn-noxai: 1 epochs" in said
    cell = report("tiny-semanticnn-noxai")
    check_schema(cell)
    assert (cell["system"], cell["ablation"], cell["classifier"]) == ("semanticnn", "noxai", "resnet20")
    assert (cell["payload_bytes"], cell["ratio_rgb"], cell["ratio_float_features"]) == (192, 16.0, 341.33)
    assert (cell["images"], cell["draws"], cell["seeds"], cell["epochs"]) == (16, 2, [0], 2)
    assert cell["ber_estimated"]["0"] < 1e-3 and 0.05 < cell["ber_estimated"]["0.1"] < 0.15
    before = (RESULTS / "tiny-semanticnn-noxai.json").stat().st_mtime_ns
    status, said, _ = measure("--experiments", "tiny-semanticnn*")
    assert status == 0 and said == "tiny-semanticnn-noxai: measured already, skipped\n"
    assert (RESULTS / "tiny-semanticnn-noxai.json").stat().st_mtime_ns == before
    assert "not measured" in measure("--list")[1]

    # Without learning: on the same base classifier, which is there.
    status, said, _ = measure("--experiments", "tiny-resnet20-plain")
    assert status == 0 and "training" not in said
    plain = report("tiny-resnet20-plain")
    check_schema(plain)
    assert (plain["system"], plain["epochs_by_part"], plain["recipe"]["config"]) == ("plain", {"classifier": 1}, None)
    assert plain["packets_lost"]["0"] == 0 and plain["packets_lost"]["0.1"] > 0.9
    assert plain["accuracy"]["0"] == pytest.approx(plain["classifier_accuracy"], abs=0.13)  # two pictures of 16
    assert plain["payload_bytes"] > 1000 and plain["encoder_macs"] == 3 * 9 * 16 * 32 * 32

    # More asked for is measured again, from the run that is there; a new config is trained again.
    status, said, _ = measure("--experiments", "tiny-semanticnn*", "--draws", "3")
    assert status == 0 and "measured on less" in said and "training" not in said
    assert report("tiny-semanticnn-noxai")["draws"] == 3
    file = Path("configs/systems/tiny-semanticnn-noxai.toml")
    file.write_text(file.read_text().replace("stage1 = 0.0", "stage1 = 1.0"))
    status, _, complaint = measure("--experiments", "tiny-semanticnn*")
    assert status == 1
    one_line(complaint, "accuracy: runs/tiny-semanticnn-noxai holds a run of another config: move it away")
    shutil.rmtree("runs/tiny-semanticnn-noxai")
    status, said, _ = measure("--experiments", "tiny-semanticnn*")
    assert status == 0 and "config changed" in said and "training runs/tiny-semanticnn-noxai" in said
    assert report("tiny-semanticnn-noxai")["recipe"]["config"]["options"]["stage1"] == 1.0

    # A base classifier that was trained again is not the one inside the system's run.
    shutil.rmtree("runs/tiny-resnet20")
    base = Path("classifiers/tiny-resnet20.toml")
    base.write_text(base.read_text() + "lr = 1e-2\n")
    status, _, complaint = measure("--experiments", "tiny-semanticnn*")
    assert status == 1
    one_line(complaint, "accuracy: runs/tiny-semanticnn-noxai was trained around another tiny-resnet20")


def test_inkling_is_measured_with_several_seeds(measure: Main) -> None:
    status, _, complaint = measure("--experiments", "tiny-inkling", "--seeds", "5", "6")
    assert (status, complaint) == (0, "")
    cell = report("tiny-inkling")
    check_schema(cell)
    assert (cell["classifier"], cell["encoder_arithmetic"], cell["payload_bytes"]) == (None, "int8", 48)
    assert (cell["seeds"], cell["accuracy_std_over"], cell["epochs"]) == ([5, 6], "seeds", 2)
    assert Path("runs/tiny-inkling/best.pt").exists() and Path("runs/tiny-inkling-seed6/best.pt").exists()
    assert (
        measure("--experiments", "tiny-inkling")[1] == "tiny-inkling: measured already, skipped\n"
    )  # seed 5 is among them


def test_hardware_names_the_gpus_that_a_runs_log_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(accuracy_models, "RUNS", tmp_path)
    (cell,) = (cell for cell in experiments(CONFIGS) if cell.name == "cifar10-adjscc")
    (tmp_path / cell.name).mkdir()
    (tmp_path / cell.name / "log.jsonl").write_text('{"epoch": 1}\n{"epoch": 2, "device": "GPU 9000"}\n')
    devices = accuracy_models.trained_on(cell, 0)
    assert devices == {"cpu", "GPU 9000"}
    assert accuracy.hardware(devices).endswith(" threads; trained on GPU 9000")
    assert accuracy.hardware({"cpu"}).endswith(" threads")


def test_wrong_arguments_are_one_line(measure: Main) -> None:
    one_line(measure("--experiments", "nothing")[2], "accuracy: no cell is called nothing")
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
    known = {cell.name: cell for cell in experiments(CONFIGS)}
    for name, figures in stored(RESULTS).items():
        check_schema(figures)
        assert figures["recipe"] == accuracy_models.recipe(known[name]), f"{name}: measure it again"


# The page


def figures_of(cell: Experiment, clean: float, noisy: float, **changes: object) -> dict:
    """What a cell's JSON could hold: `clean` without errors, `noisy` at any BER."""
    grid = dict.fromkeys(GRID, noisy) | {"0": clean}
    return {
        "system": cell.system, "dataset": cell.dataset, "classifier": "mobilenet_v2", "ablation": cell.ablation,
        "payload_bytes": 96, "ratio_rgb": 32.0, "ratio_float_features": 341.33, "encoder_macs": 356352,
        "encoder_arithmetic": "float32", "classifier_accuracy": 0.5, "epochs": 34,
        "epochs_by_part": {"system": 10, "classifier": 24}, "training_seconds": {"system": [60.0], "classifier": [1.0]},
        "accuracy": grid, "accuracy_sent": grid, "accuracy_std": dict.fromkeys(GRID, 0.001),
        "accuracy_std_over": "draws", "accuracy_true_ber_told": grid, "images": 10_000, "draws": 3, "seeds": [0],
        "hardware": "a processor", "date": "2026-11-26", **changes,
    }  # fmt: skip


def cell_of(name: str, system: str) -> Experiment:
    return Experiment(f"cifar100-{name}", system, "cifar100", Path("a.toml"), Path("b.toml"))


WHOLE, NOXAI, PLAIN = (
    cell_of(*pair)
    for pair in (("semanticnn", "semanticnn"), ("semanticnn-noxai", "semanticnn"), ("mobilenet_v2-plain", "plain"))
)


@pytest.mark.parametrize(
    ("without", "said"),
    [(0.5, "it helps (+4.14 points"), (0.545, "no difference that"), (0.58, "it does harm (-3.86")],
)
def test_an_ablation_is_judged_by_its_figures(without: float, said: str) -> None:
    measured = {WHOLE.name: figures_of(WHOLE, 0.55, 0.54), NOXAI.name: figures_of(NOXAI, without, without)}
    lines = accuracy_findings.findings(measured, {WHOLE.name: None, NOXAI.name: "noxai"})
    assert lines[0].startswith(f"- **XAI.** CIFAR-100, `mobilenet_v2`: {said}"), lines[0]


@pytest.mark.parametrize(("noisy", "plain", "verdict"), [(0.5, 0.1, "supported"), (0.4, 0.1, "not supported")])
def test_robustness_is_judged_by_its_figures(noisy: float, plain: float, verdict: str) -> None:
    measured = {WHOLE.name: figures_of(WHOLE, 0.55, noisy), PLAIN.name: figures_of(PLAIN, 0.55, plain)}
    lines = accuracy_findings.findings(measured, {WHOLE.name: None, PLAIN.name: None})
    robust = next(line for line in lines if "Robust" in line)
    assert f"keeps {100 * noisy / 0.55:.1f} %" in robust and robust.endswith(f": {verdict}.")
    assert any("341 : 1, supported; against the raw pixels 32 : 1" in line for line in lines)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    text = accuracy_results.section([WHOLE, NOXAI, PLAIN], {WHOLE.name: figures_of(WHOLE, 0.55, 0.5)})
    assert "| `mobilenet_v2-plain` | not measured yet |" in text
    assert "| CIFAR-100 | `semanticnn-noxai` | not measured yet |" in text and "- **XAI.** Not measured yet." in text
    assert "`mobilenet_v2` 50.00 % (the paper's: 58.26 %)" in text
    assert "| `semanticnn` | 96 | 32.0 | 341.3 | 356,352 | 24 + 10 | 1 | 55.00 | 50.00 |" in text
    assert accuracy_results.draw(tmp_path, {WHOLE.name: figures_of(WHOLE, 0.55, 0.5)}) == ["systems-cifar100.png"]
    assert (tmp_path / "systems-cifar100.png").stat().st_size > 1000


def test_only_the_section_of_the_page_is_renewed() -> None:
    heading = accuracy_results.HEADING
    page = f"# Results\n\n## A\n\nfirst\n\n{heading}\nold\n\n### inside\n\n## B\n\nlast\n"
    renewed = accuracy_results.replaced(page, f"{heading}\nnew\n")
    assert renewed == f"# Results\n\n## A\n\nfirst\n\n{heading}\nnew\n\n## B\n\nlast\n"
    assert accuracy_results.replaced("# Results\n", f"{heading}\nnew\n") == f"# Results\n\n{heading}\nnew\n"


def test_the_page_is_what_the_committed_figures_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = accuracy_results.PAGE.read_text()
    assert accuracy_results.replaced(page, accuracy_results.section(experiments(), stored())) == page, (
        "python -m benchmarks.accuracy.page"
    )
