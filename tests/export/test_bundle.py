"""The export by its command line: its output, and a bundle whose numbers agree with each other."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from export.bundle import check_out
from export.inspect_tflite import operators
from export.reference import ReferenceEncoder
from tests.conftest import Exported, Trained
from tests.support import ROOT
from tests.support import train as train_support
from tests.support.train import EPOCHS
from train.config import CodecConfig
from train.data.sampling import stratified
from wire import bundle
from wire.payload import pack

pytestmark = pytest.mark.training


def golden_of(exported: Exported) -> dict[str, np.ndarray]:
    with np.load(exported.folder / "golden.npz") as z:
        return dict(z)


# Output


def test_export_prints_every_proof_as_passed(exported: Exported) -> None:
    for step in (
        "PyTorch against ONNX, max difference: ",
        "ONNX against float TFLite, max difference: ",
        "int8 scales against training's, largest relative difference: ",
        "int8 zero points against training's, largest difference: ",
        "int8 against training's fake quantization, mean difference in int8 steps: ",
        "TFLM against reference kernels, 32 images, bytes that differ: 0 ",
        "decoder, PyTorch against ONNX, max difference of logits: ",
        "accuracy lost by int8, share of 32 test images: ",
    ):
        assert re.search(rf"^  {re.escape(step)}.*\(at most .*\) ok$", exported.output, re.MULTILINE), step
    assert "FAILED" not in exported.output
    for figure in (
        r"int8 against float latents, mean difference: \d",
        r"tf2onnx round trip, share of latent bytes that differ: \d+\.\d %, by at most \d",
        r"accuracy on 32 test images, float encoder: \d+\.\d\d %",
        r"accuracy by BER, int8, .*: 0: \d+\.\d\d %, 0\.001: ",
        r"accuracy of the first half of the payload, clean: \d+\.\d\d %",
        r"ops: CONV_2D, ",
        r"arena in TFLM's interpreter: \d+,\d\d\d bytes; MACs: 136,960",
    ):
        assert re.search(rf"^  {figure}", exported.output, re.MULTILINE), figure
    assert "  PAD, TRANSPOSE and QUANTIZE ops: none\n" in exported.output


def test_export_suppresses_output_of_the_converters(exported: Exported) -> None:
    steps = ("confidence: ", "convert: PyTorch -> ONNX -> onnx2tf -> TFLite", "proofs, on 32 test images:")
    known = ("run ", *steps, "  ", "bundle ")
    assert [line for line in exported.output.splitlines() if not line.startswith(known)] == []


# Bundle


def test_manifest_describes_the_files(exported: Exported, trained: Trained) -> None:
    loaded, manifest = bundle.load(exported.folder), json.loads((exported.folder / "bundle.json").read_text())
    assert (loaded.name, loaded.input_shape, loaded.latent_shape) == ("tiny", (32, 32, 3), (4, 4, 8))
    assert loaded.chunks == [(0, 128), (0, 64), (64, 64)] and manifest["payload_bytes"] == 48
    assert loaded.classes == list(train_support.CIFAR10_CLASSES)
    assert f"model {loaded.model_id}, " in exported.output
    assert manifest["task"] == "classification"
    assert manifest["dataset"] == CodecConfig.load(trained.config).data.name
    assert CodecConfig.from_dict(manifest["recipe"]) == CodecConfig.load(trained.config)
    assert (manifest["seed"], manifest["encoder_macs"], manifest["levels"]) == (5, 136_960, 8)
    assert (manifest["input_scale"], manifest["input_zero_point"]) == (pytest.approx(1 / 255), -128)
    scale, zero_point = ReferenceEncoder(loaded.encoder_path).output_quantization
    assert (manifest["latent_scale"], manifest["latent_zero_point"]) == (scale, zero_point)
    assert manifest["ops"] == [op.name for op in operators(loaded.encoder_path)]
    assert {"PAD", "PADV2", "TRANSPOSE", "QUANTIZE", "DEQUANTIZE"}.isdisjoint(manifest["ops"])
    assert f"{manifest['arena_bytes']:,} bytes" in exported.output and 4000 < manifest["arena_bytes"] < 40_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", manifest["date"])
    assert manifest["held_out"]["0"] > 0.9 and manifest["proofs"]["tflm_bytes_differing"] == 0
    assert {p.name for p in exported.folder.iterdir()} == {
        "bundle.json", "encoder.tflite", "decoder.onnx", "golden.npz",
    }  # fmt: skip


def test_golden_file_follows_from_the_bundle(exported: Exported) -> None:
    loaded, golden = bundle.load(exported.folder), golden_of(exported)
    images, labels = train_support.golden()
    chosen = stratified(labels, len(golden["labels"]))
    np.testing.assert_array_equal(golden["images"], images[chosen])
    np.testing.assert_array_equal(golden["labels"], labels[chosen])
    latents = ReferenceEncoder(loaded.encoder_path).latents(images)
    assert latents.std() > 5 and golden["latents"].dtype == np.int8
    np.testing.assert_array_equal(golden["latents"], latents)
    np.testing.assert_array_equal(golden["symbols"], loaded.symbols(latents))
    assert len(np.unique(golden["symbols"])) == 8
    for payload, symbols in zip(golden["payload"], golden["symbols"], strict=True):
        assert payload.tobytes() == pack(symbols, 3)
    session = onnxruntime.InferenceSession(str(loaded.decoder_path), providers=["CPUExecutionProvider"])
    for rows in (slice(0, 32), slice(3, 4)):  # the batch is dynamic
        given = {"symbols": golden["symbols"][rows], "ber": golden["ber"][rows]}
        (logits,) = session.run(["logits"], given)
        np.testing.assert_allclose(logits, golden["logits"][rows], atol=1e-4)


def test_decoder_file_holds_no_source_traces(exported: Exported) -> None:
    content = (exported.folder / "decoder.onnx").read_bytes()
    assert str(ROOT).encode() not in content and b"stack_trace" not in content


def test_manifest_accuracies_are_those_of_the_golden_images(exported: Exported) -> None:
    """Here, the test images of the data set are the golden ones."""
    manifest, golden = bundle.load(exported.folder).manifest, golden_of(exported)
    correct = (golden["logits"].argmax(1) == golden["labels"]).mean()
    assert list(manifest["accuracy"]) == ["0", "0.001", "0.003", "0.01", "0.03", "0.05", "0.1"]
    assert manifest["accuracy"]["0.001"] == pytest.approx(correct, abs=1 / 32)
    assert manifest["accuracy"]["0"] > 0.9 and manifest["accuracy_float_clean"] > 0.9
    assert manifest["test_images"] == 32
    loaded = bundle.load(exported.folder)
    symbols = golden["symbols"].copy()
    symbols[:, 64:] = -1
    session = onnxruntime.InferenceSession(str(loaded.decoder_path), providers=["CPUExecutionProvider"])
    (half,) = session.run(["logits"], {"symbols": symbols, "ber": np.zeros(32, np.float32)})
    assert manifest["accuracy_half_payload"] == (half.argmax(1) == golden["labels"]).mean()


# Errors


def fails(capsys: pytest.CaptureFixture[str], message: str, *arguments: object) -> None:
    """Assert that `python -m export` fails with this message in its only line."""
    train_support.fails(capsys, message, *arguments, module="export")


def test_export_refuses_unfinished_and_damaged_runs(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, folder = tmp_path / "out", tmp_path / "run"
    fails(capsys, "no such run: ", tmp_path / "none", "-o", out)
    (tmp_path / "empty").mkdir()
    fails(capsys, "is not a run: ", tmp_path / "empty", "-o", out)
    shutil.copytree(trained.folder, folder)
    (folder / "best.pt").write_bytes(b"junk")
    fails(capsys, "best.pt is damaged", folder, "-o", out)
    (folder / "best.pt").unlink()
    fails(capsys, "the run has not reached its int8 epochs yet", folder, "-o", out)
    (folder / "config.json").write_text((folder / "config.json").read_text().replace("golden.npz", "gone.npz"))
    fails(capsys, "no such file or folder: ", folder, "-o", out)
    assert not out.exists()
    with pytest.raises(SystemExit):
        train_support.main(folder, "-o", out, "--test-images", 0, module="export")


def test_export_replaces_only_a_bundle(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    for out in (tmp_path / "thesis", tmp_path, tmp_path / "thesis" / "chapter1.tex"):
        fails(capsys, "exists and is no bundle", trained.folder, "-o", out)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "years of work"
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "bundle.json").write_text("{}")
    message = f"{tmp_path / 'old'} is a bundle already; replace it with --force, or give -o another folder"
    fails(capsys, message, trained.folder, "-o", tmp_path / "old")
    assert (tmp_path / "old" / "bundle.json").read_text() == "{}"
    check_out(tmp_path / "old", force=True)


def test_export_uses_and_prints_the_best_int8_epoch(exported: Exported) -> None:
    match = re.match(r"run .*: epoch (\d+), held-out accuracy (\d+\.\d\d) %\n", exported.output)
    assert match is not None
    assert int(match[1]) > EPOCHS and float(match[2]) > 90
