"""The demo on a few images, through the emulated STM32 and the live proxy, and its error messages."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.demo import cli
from host.errors import HostError
from tests.support import ROOT
from tests.support import train as train_support
from tests.support.firmware import bundle_path
from wire.bundle import load
from wire.frame import FeatureLayout

IMAGES = 4
BERS = ["0", "0.01", "0.05", "0.1"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the demo; return its output folder and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    done = train_support.run("benchmarks.demo", "--bundle", bundle_path(), "--images", IMAGES, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return out, done.stdout


@pytest.mark.slow
@pytest.mark.emulated
def test_demo_report_has_consistent_figures(demo: tuple[Path, str]) -> None:
    report = json.loads((demo[0] / "report.json").read_text())
    bundle = load(bundle_path())
    layout = FeatureLayout(bundle.chunk_bits(0))
    kinds = {
        "target": str, "engine": str, "bundle": str, "model_id": str, "dataset": str, "images": int,
        "threshold": int, "payload_bytes": int, "frame_bytes": int,
        "accuracy": dict, "accuracy_sent": dict, "accuracy_float_clean": float,
        "answered": dict, "accuracy_answered": dict, "mean_frame_bytes": dict, "mean_air_time_s": dict,
        "air_time_features_s": float, "frames_lost": dict,
        "ber_estimated": dict, "parity_mismatches": int, "instructions_per_image": int, "model_flash_bytes": int,
        "flash_bytes": int, "ram_bytes": int, "encoder_ram_bytes": int, "encoder_macs": int, "command": str,
        "date": str, "seconds": float,
    }  # fmt: skip
    assert {key: type(value) for key, value in report.items()} == kinds
    shares = ("accuracy", "accuracy_sent", "ber_estimated", "answered", "accuracy_answered")
    numbers = dict.fromkeys((*shares, "mean_frame_bytes", "mean_air_time_s"), float) | {"frames_lost": int}
    for key, kind in numbers.items():
        assert {ber: type(value) for ber, value in report[key].items()} == dict.fromkeys(BERS, kind)
    assert (report["target"], report["engine"]) == ("qemu_stm32f405", "aot")
    assert (report["bundle"], report["model_id"], report["images"]) == (bundle.name, bundle.model_id, IMAGES)
    assert report["dataset"] == bundle.manifest["dataset"]
    assert report["command"] == f"python -m benchmarks.demo --bundle {bundle_path()} --images {IMAGES} --seed 1"
    assert (report["payload_bytes"], report["frame_bytes"]) == (bundle.chunk_bytes(0), layout.serial_size)
    assert report["parity_mismatches"] == 0 and report["frames_lost"]["0"] == 0
    assert 0 <= report["answered"]["0"] <= 1 and report["threshold"] == (bundle.threshold or cli.BOTH_KINDS)
    for ber in BERS:
        assert 12 <= report["mean_frame_bytes"][ber] <= report["frame_bytes"]
        assert 0 < report["mean_air_time_s"][ber] <= report["air_time_features_s"]
        delivered = IMAGES - report["frames_lost"][ber]
        correct = report["accuracy"][ber] * delivered
        assert 0 <= delivered <= IMAGES
        assert correct == pytest.approx(round(correct)) and correct <= delivered
        assert report["accuracy_sent"][ber] == pytest.approx(correct / IMAGES)
    assert report["ber_estimated"]["0"] < 0.003
    assert report["accuracy_float_clean"] == bundle.manifest["accuracy_float_clean"]
    assert 1e6 < report["instructions_per_image"] < 8e6
    assert report["encoder_macs"] < report["instructions_per_image"]
    assert report["model_flash_bytes"] < report["flash_bytes"] < 1_048_576
    assert report["encoder_ram_bytes"] < report["ram_bytes"] < 131_072
    assert report["seconds"] > 0


@pytest.mark.slow
@pytest.mark.emulated
@pytest.mark.parametrize("name", ["accuracy.png", "images.png"])
def test_demo_draws_plots_that_are_not_blank(demo: tuple[Path, str], name: str) -> None:
    with Image.open(demo[0] / name) as plot:
        assert plot.format == "PNG"
        assert 400 <= plot.width <= 4000 and 300 <= plot.height <= 4000
        pixels = np.asarray(plot.convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50


@pytest.mark.slow
@pytest.mark.emulated
def test_demo_prints_a_table_and_its_files(demo: tuple[Path, str]) -> None:
    out, printed = demo
    for ber in BERS:
        assert any(ber in line.replace("│", "|").split("|")[1] for line in printed.splitlines() if "│" in line)
    assert "M instructions per image" in printed
    assert "4 CIFAR-10 test images at each BER" in printed
    assert all(name in printed.replace("\n", "") for name in ("accuracy.png", "images.png", "report.json"))
    assert out.is_dir()


@pytest.mark.parametrize("record", [False, True])
def test_demo_records_its_figures_if_asked_to(record: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "run", lambda *_: {"images": 7})
    monkeypatch.setattr(cli, "RECORD", tmp_path / "demo.json")
    monkeypatch.setattr("sys.argv", ["demo", *["--record"][:record]])
    assert cli.main() == 0
    assert (tmp_path / "demo.json").exists() == record
    assert not record or json.loads((tmp_path / "demo.json").read_text()) == {"images": 7}


@pytest.mark.parametrize(
    ("own", "asked", "threshold", "said"),
    [
        (5, None, 5, "level 5 on, of 0 to 15; the host decides the rest"),
        (
            0,
            None,
            12,
            "level 12 on, of 0 to 15; the host decides the rest (the bundle's own threshold: 0, which always",
        ),
        (0, 0, 0, "level 0 on, of 0 to 15"),
        (5, 9, 9, "(the bundle's own threshold: 5)"),
    ],
)
def test_demo_shows_both_kinds_of_frame_unless_told_otherwise(
    own: int, asked: int | None, threshold: int, said: str
) -> None:
    bundle = replace(load(bundle_path()), threshold=own)
    assert cli._threshold(bundle, asked) == threshold
    assert said in cli._policy(bundle, threshold)


def test_demo_of_a_bundle_without_answers_has_no_threshold() -> None:
    bundle = load(ROOT / "bundles" / "cifar10-features")
    assert cli._threshold(bundle, None) is None
    with pytest.raises(HostError, match="cifar10-features: --threshold needs a bundle with both features and answers"):
        cli._threshold(bundle, 9)


def fails(message: str, *arguments: object) -> None:
    done = train_support.run("benchmarks.demo", *arguments)
    assert done.returncode == 1
    assert message in train_support.one_line(done.stderr, "demo: ")


@pytest.mark.slow
def test_demo_refuses_a_broken_bundle_in_one_line(tmp_path: Path) -> None:
    fails("none: no such folder", "--bundle", tmp_path / "none")
    broken = tmp_path / "broken"
    shutil.copytree(bundle_path(), broken)
    manifest = json.loads((broken / "bundle.json").read_text())
    (broken / "encoder.tflite").write_bytes(b"TFL3")
    fails("encoder.tflite has 4 bytes", "--bundle", broken, "--out", tmp_path / "out")
    shutil.copy(bundle_path() / "encoder.tflite", broken)
    for key, message in (("recipe", "no recipe that names a data set"), ("encoder_macs", "no 'encoder_macs'")):
        (broken / "bundle.json").write_text(json.dumps({k: v for k, v in manifest.items() if k != key}))
        fails(message, "--bundle", broken, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_demo_shows_the_data_set_of_the_bundle(tmp_path: Path) -> None:
    """The images are those of the recipe's data set, and must have the encoder's input size."""
    other = tmp_path / "other"
    shutil.copytree(bundle_path(), other)
    manifest = json.loads((other / "bundle.json").read_text())
    manifest["recipe"]["data"] |= {"name": f"npz:{tmp_path / 'small.npz'}"}
    (other / "bundle.json").write_text(json.dumps(manifest))
    fails("no such file or folder", "--bundle", other)
    images, labels = train_support.golden()
    train_support.write_npz(tmp_path / "small.npz", images[:, :16, :16], labels, copies=1)
    fails("takes (32, 32, 3), the images are (16, 16, 3)", "--bundle", other)


@pytest.mark.parametrize("module", ["demo", "results"])
def test_module_needs_neither_torch_nor_tensorflow(module: str) -> None:
    heavy = {"torch", "torchvision", "tensorflow", "onnx", "onnx2tf", "galois"}
    probe = f"import sys, benchmarks.{module}.cli; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=train_support.ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"
