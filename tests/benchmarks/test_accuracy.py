"""Tests of the comparison under equal terms: from training to figures, repetition, committed figures, the page."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import command
from benchmarks.accuracy import cli, learning_rates, models
from benchmarks.accuracy.experiments import CONFIGS, RESULTS, Figures, experiments, stored
from benchmarks.accuracy.measure import hardware
from benchmarks.delivery import Delivery
from benchmarks.encoding import Encoded
from channel_sim.channels.bsc import BER_GRID
from host.classify.decoder import Decoder
from tests.support.host import make_bundle
from tests.support.train import CONFIG, ROOT, golden, one_line, write_npz
from train.codecs.deployable import Payload
from train.trainers.codec import CodecTrainer
from train.trainers.split import SplitConfig, SplitTrainer
from wire.answer import answer_word

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
GRID = [f"{ber:g}" for ber in BER_GRID]
Measure = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with the configs of a tiny system and a tiny Inkling codec."""
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
def measure(place: Path, capsys: pytest.CaptureFixture[str]) -> Measure:
    """Run the command on 16 images and 2 draws; return exit status, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["--images", "16", "--draws", "2", *arguments])
        return status, *capsys.readouterr()

    return call


def report(name: str) -> Figures:
    return json.loads((RESULTS / f"{name}.json").read_text())


def check_schema(figures: Figures) -> None:
    """Check the keys that readers of the committed files rely on, and that the figures are possible."""
    assert isinstance(figures["system"], str) and isinstance(figures["dataset"], str)
    assert figures["classifier"] is None or 0 < figures["classifier_accuracy"] <= 1
    assert figures["payload_bytes"] > 0 and figures["encoder_macs"] > 0
    assert figures["ratio_rgb"] > 0 and figures["ratio_float_features"] > 1
    for key in ("accuracy", "accuracy_sent", "accuracy_std"):
        assert list(figures[key]) == GRID
    assert all(0 <= figures["accuracy_sent"][ber] <= figures["accuracy"][ber] + 1e-6 <= 1.000002 for ber in GRID)
    assert figures["accuracy_std_over"] == ("seeds" if len(figures["seeds"]) > 1 else "draws")
    assert figures["epochs"] == sum(figures["epochs_by_part"].values())
    assert figures["images"] <= figures["test_images"] and figures["draws"] >= 1
    assert all(len(seconds) == len(figures["seeds"]) for seconds in figures["training_seconds"].values())
    assert figures["hardware"]
    assert figures["command"].startswith("python -m benchmarks.accuracy --experiments ")
    assert len(figures["date"]) == 10 and set(figures["recipe"]) == {"system", "config", "classifier"}
    if figures["system"] not in ("plain", "board"):
        assert list(figures["accuracy_true_ber_given"]) == list(figures["ber_estimated"]) == GRID


@pytest.mark.slow
@pytest.mark.training
def test_accuracy_trains_and_measures_each_experiment_once(measure: Measure) -> None:
    status, output, errors = measure("--experiments", "tiny-semanticnn*")
    assert (status, errors) == (0, "")
    assert "base classifier tiny-resnet20 first" in output and "training runs/tiny-semanticnn-noxai: 1 epochs" in output
    figures = report("tiny-semanticnn-noxai")
    check_schema(figures)
    assert (figures["system"], figures["ablation"], figures["classifier"]) == ("semanticnn", "noxai", "resnet20")
    assert (figures["payload_bytes"], figures["ratio_rgb"], figures["ratio_float_features"]) == (192, 16.0, 341.33)
    assert (figures["images"], figures["draws"], figures["seeds"], figures["epochs"]) == (16, 2, [0], 2)
    assert figures["ber_estimated"]["0"] < 1e-3 and 0.05 < figures["ber_estimated"]["0.1"] < 0.15
    before = (RESULTS / "tiny-semanticnn-noxai.json").stat().st_mtime_ns
    status, output, _ = measure("--experiments", "tiny-semanticnn*")
    assert status == 0 and output == "tiny-semanticnn-noxai: already measured, skipped\n"
    assert (RESULTS / "tiny-semanticnn-noxai.json").stat().st_mtime_ns == before
    assert "not measured" in measure("--list")[1]

    # `plain` is measured on the base classifier that is there.
    status, output, _ = measure("--experiments", "tiny-resnet20-plain")
    assert status == 0 and "training" not in output
    plain = report("tiny-resnet20-plain")
    check_schema(plain)
    assert (plain["system"], plain["epochs_by_part"], plain["recipe"]["config"]) == ("plain", {"classifier": 1}, None)
    assert plain["packets_lost"]["0"] == 0 and plain["packets_lost"]["0.1"] > 0.9
    assert plain["accuracy"]["0"] == pytest.approx(plain["classifier_accuracy"], abs=0.13)  # two images of 16
    assert plain["payload_bytes"] > 1000 and plain["encoder_macs"] == 3 * 9 * 16 * 32 * 32

    # More draws: measured again, from the same run. A new config: trained again.
    status, output, _ = measure("--experiments", "tiny-semanticnn*", "--draws", "3")
    assert status == 0 and "measured on less" in output and "training" not in output
    assert report("tiny-semanticnn-noxai")["draws"] == 3
    file = Path("configs/systems/tiny-semanticnn-noxai.toml")
    file.write_text(file.read_text().replace("stage1 = 0.0", "stage1 = 1.0"))
    status, _, errors = measure("--experiments", "tiny-semanticnn*")
    assert status == 1
    one_line(errors, "accuracy: runs/tiny-semanticnn-noxai holds a run of another config: move it away")
    shutil.rmtree("runs/tiny-semanticnn-noxai")
    status, output, _ = measure("--experiments", "tiny-semanticnn*")
    assert status == 0 and "config changed" in output and "training runs/tiny-semanticnn-noxai" in output
    assert report("tiny-semanticnn-noxai")["recipe"]["config"]["options"]["stage1"] == 1.0

    # A base classifier that was trained again is not the one inside the system's run.
    shutil.rmtree("runs/tiny-resnet20")
    base = Path("classifiers/tiny-resnet20.toml")
    base.write_text(base.read_text() + "lr = 1e-2\n")
    status, _, errors = measure("--experiments", "tiny-semanticnn*")
    assert status == 1
    one_line(errors, "accuracy: runs/tiny-semanticnn-noxai was trained around another tiny-resnet20")


@pytest.mark.slow
@pytest.mark.training
def test_accuracy_measures_inkling_with_several_seeds(measure: Measure) -> None:
    status, _, errors = measure("--experiments", "tiny-inkling", "--seeds", "5", "6")
    assert (status, errors) == (0, "")
    figures = report("tiny-inkling")
    check_schema(figures)
    # 16 bits of answer and 232 symbols of 3 bits.
    assert (figures["classifier"], figures["encoder_arithmetic"], figures["payload_bytes"]) == (None, "int8", 89)
    assert (figures["seeds"], figures["accuracy_std_over"], figures["epochs"]) == ([5, 6], "seeds", 2)
    assert Path("runs/tiny-inkling/best.pt").exists() and Path("runs/tiny-inkling-seed6/best.pt").exists()
    # The config's seed, 5, is among them.
    assert measure("--experiments", "tiny-inkling")[1] == "tiny-inkling: already measured, skipped\n"


@pytest.mark.slow
@pytest.mark.training
def test_accuracy_measures_a_board_that_only_answers(measure: Measure) -> None:
    text = Path("configs/systems/tiny-inkling.toml").read_text()
    layers = re.search(r"layers = \[.*?\]\n", text, re.DOTALL)
    assert layers
    board = text.replace(layers[0], 'layers = ["conv4s2 8", "pool", "answer"]\n')
    Path("configs/systems/tiny-board.toml").write_text(re.sub(r"chunks = .*|board_epochs = .*", "", board))
    status, output, errors = measure("--experiments", "tiny-board")
    assert (status, errors) == (0, ""), output
    figures = report("tiny-board")
    check_schema(figures)
    assert (figures["system"], figures["classifier"], figures["payload_bytes"]) == ("board", None, 2)
    assert figures["ratio_float_features"] == 20.0
    assert figures["accuracy"]["0"] == figures["accuracy_board"]["0"]


@pytest.mark.slow
@pytest.mark.training
def test_learning_rates_are_scored_on_held_out_images_only(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for trainer in (SplitTrainer, CodecTrainer):  # not that of the base classifier, which is trained as usual
        monkeypatch.setattr(trainer, "test", lambda _: pytest.fail("test images are used"))
    arguments = ["--experiments", "tiny-*", "--factors", "2", "--epochs", "3"]
    assert learning_rates.main(arguments) == 0
    output = capsys.readouterr().out
    for name, rates in (("tiny-semanticnn-noxai", ["0.006", "0.012"]), ("tiny-inkling", ["0.01", "0.02"])):
        figures = json.loads((command.RESULTS / "learning_rates" / f"{name}.json").read_text())
        assert list(figures["scores"]) == rates and figures["learning_rate"] == rates[0]
        assert figures["scores"][figures["best"]]["score"] == max(row["score"] for row in figures["scores"].values())
        assert figures["epochs"] == (1 if name == "tiny-semanticnn-noxai" else 2) and figures["held_out_images"] >= 32
        assert output.count(f"training runs/learning_rates/{name}-1-epochs-lr-") == 2
    assert learning_rates.main(arguments) == 0
    assert "training" not in capsys.readouterr().out
    assert learning_rates.main(["--experiments", "nothing"]) == 1
    one_line(capsys.readouterr().err, "learning_rates: no experiment is called nothing")


def test_shortened_config_keeps_the_shares_of_its_epochs() -> None:
    config = SplitConfig.load(ROOT / "configs/systems/cifar10-resnet20-agilenn-unfrozen.toml")
    short = learning_rates.shortened(config, 9, 0.5)
    assert isinstance(short, SplitConfig) and short.fine_tune and short.name.startswith(config.name)
    assert (short.schedule.epochs, short.schedule.qat_epochs, short.fine_tune.epochs) == (9, 1, 4)
    assert short.schedule.lr == config.schedule.lr / 2
    assert learning_rates.shortened(config, 1000, 1.0).schedule == config.schedule


def test_hardware_names_the_gpus_of_the_runs_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(models, "RUNS", tmp_path)
    (experiment,) = (one for one in experiments(CONFIGS) if one.name == "cifar10-adjscc")
    (tmp_path / experiment.name).mkdir()
    (tmp_path / experiment.name / "log.jsonl").write_text('{"epoch": 1}\n{"epoch": 2, "device": "GPU 9000"}\n')
    devices = models.trained_on(experiment, 0)
    assert devices == {"cpu", "GPU 9000"}
    assert hardware(devices).endswith(" threads; trained on GPU 9000")
    assert hardware({"cpu"}).endswith(" threads")


def test_accuracy_refuses_unknown_names_in_one_line(measure: Measure) -> None:
    one_line(measure("--experiments", "nothing")[2], "accuracy: no experiment is called nothing")
    one_line(measure("--configs", "nowhere")[2], "accuracy: nowhere has no configs of systems")


def test_framed_system_reports_the_ber_to_the_sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, rng = make_bundle(tmp_path / "bundle"), np.random.default_rng(0)
    images, labels = Encoded(rng.integers(0, 8, (32, 128))), rng.integers(0, 10, 32)
    reported = []

    def encode(part: slice, ber: float | None) -> Encoded:
        reported.append(ber)
        return images[part]

    monkeypatch.setattr(models, "BLOCK", 10)
    decoder = Decoder(bundle)
    system = models.FramedSystem(bundle, encode, decoder, 1, 1, "int8")
    for ber in (0.0, 0.1):
        figures = system.figures(labels, ber, 3, lambda done: None)
        delivery = Delivery(bundle, decoder, 0, ber, 3)
        delivery.send(images, labels, lambda done: None)
        assert figures == {**delivery.figures(), "payload_bytes": bundle.chunk_bytes(0)}
    # Nothing before the first block has arrived, then the receiver's estimate.
    blocks = -(-len(labels) // 10)
    assert reported[0] is None and reported[blocks] is None and len(reported) == 2 * blocks
    clean, noisy = ([ber for ber in part if ber] for part in (reported[:blocks], reported[blocks:]))
    assert len(clean) == len(noisy) == blocks - 1
    assert max(clean) < 1e-3 and 0.03 < noisy[-1] < 0.2


def test_encoded_inverts_the_answer_words_of_a_run(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", answer=True)
    index, confidence = np.array([3, 9, 0]), np.array([15, 0, 7])
    payload = Payload(torch.zeros(3, 128, dtype=torch.int64), torch.from_numpy(answer_word(index, confidence)))
    result = models.encoded(payload, bundle)
    assert result.classes is not None and result.confidences is not None
    assert (result.classes.tolist(), result.confidences.tolist()) == (index.tolist(), confidence.tolist())
    assert models.encoded(Payload(payload.symbols), bundle).classes is None


def test_committed_figures_match_the_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    known = {one.name: one for one in experiments(CONFIGS)}
    for name, figures in stored(RESULTS).items():
        check_schema(figures)
        assert models.is_recipe(figures["recipe"], known[name]), f"{name}: measure it again"
