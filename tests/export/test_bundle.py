"""The export by its command line: its output, and a bundle whose numbers agree with each other."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from export import card
from export.bundle import check_out
from export.inspect_tflite import operators
from host.reference import ReferenceEncoder
from tests.conftest import Exported, Trained
from tests.support import ROOT
from tests.support import train as train_support
from tests.support.train import EPOCHS
from train.codecs.codec import sending_order
from train.codecs.encoder import SCORE_SCALE
from train.config import CodecConfig
from train.data.sampling import stratified
from wire import bundle
from wire.answer import Answer

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
        r"int8 against float outputs, mean difference: \d",
        r"tf2onnx round trip, share of output bytes that differ: \d+\.\d %, by at most \d",
        r"accuracy on 32 test images, float encoder: \d+\.\d\d %",
        r"accuracy by BER, int8, .*: 0: \d+\.\d\d %, 0\.001: ",
        r"accuracy by number of symbols received, clean: 232: \d+\.\d\d %, 104: \d+\.\d\d %, 8: \d+\.\d\d %$",
        r"accuracy of the board's answer: \d+\.\d\d %$",
        r"ops: CONV_2D, ",
        r"arena in TFLM's interpreter: \d+,\d\d\d bytes; MACs: 138,528",
        r"estimate: 0\.8 M instructions per image on a Cortex-M4; the encoder needs about \d+ kB of RAM and \d+ kB of",
    ):
        assert re.search(rf"^  {figure}", exported.output, re.MULTILINE), figure
    assert "  PAD, TRANSPOSE and QUANTIZE ops: none\n" in exported.output


def test_export_suppresses_output_of_the_converters(exported: Exported) -> None:
    steps = ("convert: PyTorch -> ONNX -> onnx2tf -> TFLite", "proofs, on 32 test images:")
    known = ("run ", "host's confidence: ", *steps, "board's confidence: ", "  ", "bundle ")
    assert [line for line in exported.output.splitlines() if not line.startswith(known)] == []


# Bundle


def test_manifest_describes_the_files(exported: Exported, trained: Trained) -> None:
    loaded, manifest = bundle.load(exported.folder), json.loads((exported.folder / "bundle.json").read_text())
    assert (manifest["schema"], loaded.name, loaded.input_shape) == (2, "tiny", (32, 32, 3))
    assert loaded.heads == ((8, 8, 2), (4, 4, 6), (1, 1, 8))
    assert loaded.symbol_order.tolist() == sending_order([*loaded.heads]).tolist()
    assert loaded.chunks == [(0, 232), (0, 104), (0, 8), (104, 128)]
    assert manifest["payload_bytes"] == 89  # 16 bits of the answer, 232 symbols of 3 bits
    assert [loaded.chunk_bytes(chunk) for chunk in range(4)] == [89, 41, 5, 50]
    assert loaded.classes == list(train_support.CIFAR10_CLASSES)
    assert f"model {loaded.model_id}, " in exported.output
    assert manifest["task"] == "classification"
    assert manifest["dataset"] == CodecConfig.load(trained.config).data.name
    assert CodecConfig.from_dict(manifest["recipe"]) == CodecConfig.load(trained.config)
    assert (manifest["seed"], manifest["encoder_macs"], manifest["levels"]) == (5, 138_528, 8)
    assert (manifest["input_scale"], manifest["input_zero_point"]) == (pytest.approx(1 / 255), -128)
    reference = ReferenceEncoder(loaded.encoder_path)
    assert (manifest["output_scale"], manifest["output_zero_point"]) == reference.output_quantization
    assert reference.shapes == [*loaded.heads, (1, 1, 10)]
    assert manifest["ops"] == [op.name for op in operators(loaded.encoder_path)]
    assert {"PAD", "PADV2", "TRANSPOSE", "QUANTIZE", "DEQUANTIZE"}.isdisjoint(manifest["ops"])
    assert f"{manifest['arena_bytes']:,} bytes" in exported.output and 4000 < manifest["arena_bytes"] < 40_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", manifest["date"])
    assert manifest["held_out"]["0"] > 0.9 and manifest["proofs"]["tflm_bytes_differing"] == 0
    assert {p.name for p in exported.folder.iterdir()} == {
        "bundle.json", "encoder.tflite", "decoder.onnx", "golden.npz", "MODEL_CARD.md",
    }  # fmt: skip


def test_manifest_lists_size_and_hash_of_each_file(exported: Exported) -> None:
    manifest = json.loads((exported.folder / "bundle.json").read_text())
    assert list(manifest["files"]) == ["encoder.tflite", "decoder.onnx", "golden.npz"]
    for name, listed in manifest["files"].items():
        content = (exported.folder / name).read_bytes()
        assert listed == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    loaded = bundle.load(exported.folder)
    assert loaded.answer is not None
    parts = (
        loaded.encoder_path.read_bytes(),
        loaded.symbol_table.tobytes(),
        bytes([3]),
        loaded.symbol_order.astype("<u2").tobytes(),
        loaded.answer.weights.astype("<u2").tobytes(),
    )
    assert manifest["model_id"] == hashlib.sha256(b"".join(parts)).hexdigest()[:8]


def test_manifest_has_the_calibrated_answer_head(exported: Exported) -> None:
    loaded, manifest = bundle.load(exported.folder), json.loads((exported.folder / "bundle.json").read_text())
    assert loaded.answer is not None and loaded.class_count == 10
    step = manifest["output_scale"] * SCORE_SCALE / manifest["board_temperature"]  # logits
    np.testing.assert_allclose(loaded.answer.weights, 32768 * np.exp(-np.arange(256) * step), atol=0.5)
    assert len(loaded.answer.probability) == 16 and 0 <= manifest["threshold"] == loaded.threshold <= 15
    assert manifest["board_calibration_error"] < 0.1
    match = re.search(
        r"^board's confidence: scores divided by (\d+\.\d\d); expected calibration error \d+\.\d\d % -> (\d+\.\d\d) %; "
        r"threshold (\d+), at which the board answers \d+\.\d % of the held-out images$",
        exported.output,
        re.MULTILINE,
    )
    assert match is not None and int(match[3]) == loaded.threshold
    assert float(match[1]) == pytest.approx(manifest["board_temperature"], abs=0.006)
    assert float(match[2]) == pytest.approx(100 * manifest["board_calibration_error"], abs=0.006)
    match = re.search(
        r"^host's confidence: logits divided by (\d+\.\d\d), fitted on 64 held", exported.output, re.MULTILINE
    )
    assert match is not None and float(match[1]) == pytest.approx(manifest["temperature"], abs=0.006)


def test_model_card_shows_the_figures_of_the_manifest(exported: Exported) -> None:
    manifest, card = bundle.load(exported.folder).manifest, (exported.folder / "MODEL_CARD.md").read_text()
    assert card.startswith("# tiny\n\nClassifies images of 32 x 32 x 3 in 10 classes (airplane, automobile, ")
    assert f"- model {manifest['model_id']}, {manifest['date']}\n" in card
    assert "Sends up to 89 bytes of features or answers of the board.\n" in card
    assert "latent heads: 8x8x2, 4x4x6, 1x1x8\n" in card
    assert f"| BER 0.05, whole payload | {100 * manifest['accuracy']['0.05']:.2f} % |\n" in card
    assert f"| the board's answer | {100 * manifest['accuracy_board']:.2f} % |\n" in card


def test_model_card_shows_the_balance_epochs(exported: Exported) -> None:
    manifest = bundle.load(exported.folder).manifest
    balance = {"epochs": 2, "lr": 2e-3, "answer_weight": 1.0, "prefix_share": 0.3}
    shown = card.text({**manifest, "recipe": {**manifest["recipe"], "balance": balance}})
    line = "- balance: epochs 2, lr 0.002, answer_weight 1.0, prefix_share 0.3\n"
    assert line in shown and "- balance" not in card.text(manifest)


def test_golden_file_follows_from_the_bundle(exported: Exported) -> None:
    loaded, golden = bundle.load(exported.folder), golden_of(exported)
    images, labels = train_support.golden()
    chosen = stratified(labels, len(golden["labels"]))
    np.testing.assert_array_equal(golden["images"], images[chosen])
    np.testing.assert_array_equal(golden["labels"], labels[chosen])
    outputs = ReferenceEncoder(loaded.encoder_path).outputs(golden["images"])
    assert golden["latents"].shape == (32, 232) and golden["scores"].shape == (32, 10)
    assert golden["latents"].std() > 5 and golden["latents"].dtype == golden["scores"].dtype == np.int8
    np.testing.assert_array_equal(np.concatenate([golden["latents"], golden["scores"]], 1), outputs)
    np.testing.assert_array_equal(golden["symbols"], loaded.symbols(golden["latents"]))
    assert len(np.unique(golden["symbols"])) == 8
    assert loaded.answer is not None and golden["answers"].dtype == np.uint16
    np.testing.assert_array_equal(golden["answers"], np.stack(loaded.answer.answers(golden["scores"]), 1))
    answers = [Answer(int(index), int(level)) for index, level in golden["answers"]]
    for payload, symbols, answer in zip(golden["payload"], golden["symbols"], answers, strict=True):
        assert payload.tobytes() == loaded.payload(symbols, answer)
    session = onnxruntime.InferenceSession(str(loaded.decoder_path), providers=["CPUExecutionProvider"])
    words = np.array([answer.word for answer in answers])
    for rows in (slice(0, 32), slice(3, 4)):  # the batch is dynamic
        given = {"symbols": golden["symbols"][rows], "ber": golden["ber"][rows], "answer": words[rows]}
        (logits,) = session.run(["logits"], given)
        np.testing.assert_allclose(logits, golden["logits"][rows], rtol=1e-4, atol=1e-3)


def test_bundle_holds_no_source_traces_and_no_paths_of_this_machine(exported: Exported) -> None:
    for name in ("decoder.onnx", "encoder.tflite", "golden.npz", "MODEL_CARD.md"):
        content = (exported.folder / name).read_bytes()
        for word in (str(ROOT), "stack_trace", "site-packages", "/root", "/home"):
            assert word.encode() not in content, (name, word)


def test_manifest_accuracies_are_those_of_the_golden_images(exported: Exported) -> None:
    """Here, the test images of the data set are the golden ones."""
    manifest, golden = bundle.load(exported.folder).manifest, golden_of(exported)
    correct = (golden["logits"].argmax(1) == golden["labels"]).mean()
    assert list(manifest["accuracy"]) == ["0", "0.001", "0.003", "0.01", "0.03", "0.05", "0.1"]
    assert manifest["accuracy"]["0.001"] == pytest.approx(correct, abs=1 / 32)
    assert manifest["accuracy"]["0"] > 0.9 and manifest["accuracy_float_clean"] > 0.9
    assert manifest["test_images"] == 32
    loaded = bundle.load(exported.folder)
    session = onnxruntime.InferenceSession(str(loaded.decoder_path), providers=["CPUExecutionProvider"])
    words = np.array([Answer(int(index), int(level)).word for index, level in golden["answers"]])
    assert list(manifest["accuracy_by_symbols"]) == ["232", "104", "8"]
    for count, share in manifest["accuracy_by_symbols"].items():
        symbols = golden["symbols"].copy()
        symbols[:, int(count) :] = -1
        (logits,) = session.run(["logits"], {"symbols": symbols, "ber": np.zeros(32, np.float32), "answer": words})
        assert share == (logits.argmax(1) == golden["labels"]).mean()
    assert manifest["accuracy_board"] == (golden["answers"][:, 0] == golden["labels"]).mean() > 0.9


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
    (tmp_path / "old" / "tasks" / "animals").mkdir(parents=True)
    fails(capsys, "has been taught tasks (animals): move them away", trained.folder, "-o", tmp_path / "old", "--force")


def test_export_uses_and_prints_the_best_int8_epoch(exported: Exported) -> None:
    match = re.match(
        r"run .*: epoch (\d+), held-out accuracies 0: (\d+\.\d\d) %, .*, board: (\d+\.\d\d) %\n", exported.output
    )
    assert match is not None
    assert int(match[1]) > EPOCHS and float(match[2]) > 90 and float(match[3]) > 90
