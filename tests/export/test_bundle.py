"""The export by its command line: what it prints, and a bundle in which every number follows from the others."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from export.bundle import symbol_table
from export.inspect_tflite import operators
from export.reference import ReferenceEncoder
from tests.conftest import Exported, Trained
from tests.support import train as train_support
from tests.support.codec import make_codec
from tests.support.train import EPOCHS
from train import config
from wire import bundle
from wire.payload import pack


def golden_of(exported: Exported) -> dict[str, np.ndarray]:
    with np.load(exported.folder / "golden.npz") as z:
        return dict(z)


# What it prints


def test_every_proof_is_printed_and_holds(exported: Exported) -> None:
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
        assert re.search(rf"^  {re.escape(step)}.*\(at most .*\) ok$", exported.said, re.MULTILINE), step
    assert "FAILED" not in exported.said
    for figure in (
        r"int8 against float latents, mean difference: \d",
        r"tf2onnx round trip, share of latent bytes that differ: \d+\.\d %, by at most \d",
        r"accuracy on 32 test images, float encoder: \d+\.\d\d %",
        r"accuracy by BER, int8, .*: 0: \d+\.\d\d %, 0\.001: ",
        r"accuracy of the first half of the payload, clean: \d+\.\d\d %",
        r"ops: CONV_2D, ",
        r"arena in TFLM's interpreter: \d+,\d\d\d bytes; MACs: 136,960",
    ):
        assert re.search(rf"^  {figure}", exported.said, re.MULTILINE), figure
    assert "  PAD, TRANSPOSE and QUANTIZE ops: none\n" in exported.said


def test_the_converters_own_chatter_is_swallowed(exported: Exported) -> None:
    steps = ("confidence: ", "convert: PyTorch -> ONNX -> onnx2tf -> TFLite", "proofs, on 32 test images:")
    known = ("run ", *steps, "  ", "bundle ")
    assert [line for line in exported.said.splitlines() if not line.startswith(known)] == []


# What it makes


def test_the_manifest_says_what_the_files_are(exported: Exported, trained: Trained) -> None:
    loaded, manifest = bundle.load(exported.folder), json.loads((exported.folder / "bundle.json").read_text())
    assert (loaded.name, loaded.input_shape, loaded.latent_shape) == ("tiny", (32, 32, 3), (4, 4, 8))
    assert loaded.chunks == [(0, 128), (0, 64), (64, 64)] and manifest["payload_bytes"] == 48
    assert loaded.classes == list(train_support.CIFAR10_CLASSES)
    assert f"model {loaded.model_id}, " in exported.said
    assert manifest["task"] == "classification"
    assert manifest["dataset"] == config.load(trained.config).data.name
    assert config.from_dict(manifest["recipe"]) == config.load(trained.config)
    assert (manifest["seed"], manifest["encoder_macs"], manifest["levels"]) == (5, 136_960, 8)
    assert (manifest["input_scale"], manifest["input_zero_point"]) == (pytest.approx(1 / 255), -128)
    scale, zero_point = ReferenceEncoder(loaded.encoder_path).output_quantization
    assert (manifest["latent_scale"], manifest["latent_zero_point"]) == (scale, zero_point)
    assert manifest["ops"] == [op.name for op in operators(loaded.encoder_path)]
    assert {"PAD", "PADV2", "TRANSPOSE", "QUANTIZE", "DEQUANTIZE"}.isdisjoint(manifest["ops"])
    assert f"{manifest['arena_bytes']:,} bytes" in exported.said and 4000 < manifest["arena_bytes"] < 40_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", manifest["date"])
    assert manifest["held_out"]["0"] > 0.9 and manifest["proofs"]["tflm_bytes_differing"] == 0
    assert {p.name for p in exported.folder.iterdir()} == {
        "bundle.json", "encoder.tflite", "decoder.onnx", "golden.npz",
    }  # fmt: skip


def test_golden_follows_from_the_bundle(exported: Exported) -> None:
    loaded, golden = bundle.load(exported.folder), golden_of(exported)
    images, labels = train_support.golden()
    np.testing.assert_array_equal(golden["images"], images)
    np.testing.assert_array_equal(golden["labels"], labels)
    latents = ReferenceEncoder(loaded.encoder_path).latents(images)
    assert latents.std() > 5 and golden["latents"].dtype == np.int8
    np.testing.assert_array_equal(golden["latents"], latents)
    np.testing.assert_array_equal(golden["symbols"], loaded.symbols(latents))
    assert len(np.unique(golden["symbols"])) == 8
    for payload, symbols in zip(golden["payload"], golden["symbols"], strict=True):
        assert payload.tobytes() == pack(symbols, 3)
    session = onnxruntime.InferenceSession(str(loaded.decoder_path), providers=["CPUExecutionProvider"])
    for rows in (slice(0, 32), slice(3, 4)):  # any number at once
        given = {"symbols": golden["symbols"][rows], "ber": golden["ber"][rows]}
        (logits,) = session.run(["logits"], given)
        np.testing.assert_allclose(logits, golden["logits"][rows], atol=1e-4)


def test_accuracies_are_those_of_the_golden_pictures(exported: Exported) -> None:
    """The data set's test pictures are the golden ones here."""
    manifest, golden = bundle.load(exported.folder).manifest, golden_of(exported)
    right = (golden["logits"].argmax(1) == golden["labels"]).mean()
    assert list(manifest["accuracy"]) == ["0", "0.001", "0.003", "0.01", "0.03", "0.05", "0.1"]
    assert manifest["accuracy"]["0.001"] == pytest.approx(right, abs=1 / 32)
    assert manifest["accuracy"]["0"] > 0.9 and manifest["accuracy_float_clean"] > 0.9
    assert manifest["test_images"] == 32
    loaded = bundle.load(exported.folder)
    symbols = golden["symbols"].copy()
    symbols[:, 64:] = -1
    session = onnxruntime.InferenceSession(str(loaded.decoder_path), providers=["CPUExecutionProvider"])
    (half,) = session.run(["logits"], {"symbols": symbols, "ber": np.zeros(32, np.float32)})
    assert manifest["accuracy_half_payload"] == (half.argmax(1) == golden["labels"]).mean()


@pytest.mark.parametrize("bits", [1, 2, 3, 5])
def test_symbol_table_is_the_nearest_centre(bits: int) -> None:
    codec = make_codec(bits)
    scale, zero_point = 0.031, -17
    values = (np.arange(-128, 128) - zero_point) * scale
    centres = codec.quantizer.centres().detach().double().numpy()
    nearest = abs(values[:, None] - centres).argmin(1)
    np.testing.assert_array_equal(symbol_table(codec, scale, zero_point), nearest)
    assert set(nearest) == set(range(2**bits))


def test_symbol_table_takes_ties_down() -> None:
    codec = make_codec(1)
    codec.quantizer.first.data += 1
    low, high = codec.quantizer.centres().detach().double().tolist()
    middle = (low + high) / 2
    assert middle > 0
    table = symbol_table(codec, middle / 4, 0)  # int8 value 4 lies in the middle, to the last bit
    assert table.tolist() == [0] * (128 + 5) + [1] * (128 - 5)


# What goes wrong


def fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], message: str, *arguments: object
) -> None:
    """`python -m export` must fail, with the message in its one line."""
    train_support.fails(monkeypatch, capsys, message, *arguments, module="export")


def test_runs_that_cannot_be_exported_are_one_line(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, folder = tmp_path / "out", tmp_path / "run"
    fails(monkeypatch, capsys, "no such run: ", tmp_path / "none", "-o", out)
    (tmp_path / "empty").mkdir()
    fails(monkeypatch, capsys, "is no run: ", tmp_path / "empty", "-o", out)
    shutil.copytree(trained.folder, folder)
    (folder / "best.pt").write_bytes(b"junk")
    fails(monkeypatch, capsys, "best.pt is damaged", folder, "-o", out)
    (folder / "best.pt").unlink()
    fails(monkeypatch, capsys, "the run has not reached its int8 epochs yet", folder, "-o", out)
    (folder / "config.json").write_text((folder / "config.json").read_text().replace("golden.npz", "gone.npz"))
    fails(monkeypatch, capsys, "no such file or folder: ", folder, "-o", out)
    assert not out.exists()
    with pytest.raises(SystemExit):
        train_support.main(monkeypatch, folder, "-o", out, "--test-images", 0, module="export")


def test_only_a_bundle_is_replaced(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    for out in (tmp_path / "thesis", tmp_path, tmp_path / "thesis" / "chapter1.tex"):
        fails(monkeypatch, capsys, "exists and is no bundle", trained.folder, "-o", out)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "years of work"


def test_the_best_epoch_is_an_int8_one_and_named(exported: Exported) -> None:
    found = re.match(r"run .*: epoch (\d+), held-out accuracy (\d+\.\d\d) %\n", exported.said)
    assert found is not None
    assert int(found[1]) > EPOCHS and float(found[2]) > 90
