"""AgileNN with MobileNetV2's own stem: trained, exported, on a board, decoded by the host, evaluated."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from firmware.tools.build import build
from host.classify.decoder import Decoder
from host.reference import ReferenceEncoder
from tests.conftest import RunInkling
from tests.export.split_runs import N_IMAGES, ExportedSplit, exported
from tests.support import firmware as firmware_tools
from train import evaluate
from train.data import datasets
from train.data.sampling import split_holdout
from train.trainers.split import load_split_codec
from wire import payload
from wire.answer import ANSWER_BITS, answer_word
from wire.frame import FeatureLayout

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExportedSplit]:
    """A run of seconds on a few images, and its bundle."""
    with exported(tmp_path_factory, "agilenn", "xai_images = 4") as made:
        yield made


def test_export_passes_every_proof(split: ExportedSplit) -> None:
    assert len(re.findall(r"\(at most .*\) ok$", split.output, re.MULTILINE)) == 8
    assert "FAILED" not in split.output
    assert "  ops: PAD, CONV_2D, DEPTHWISE_CONV_2D, CONV_2D, CONV_2D, CONV_2D\n" in split.output


def test_manifest_has_code_and_answer_in_the_bytes_of_the_other_codecs(split: ExportedSplit) -> None:
    loaded, manifest = split.bundle, split.bundle.manifest
    assert (loaded.heads, loaded.chunks) == (((4, 4, 16),), [(0, 250)])
    assert loaded.answer is not None and 0 <= manifest["threshold"] <= 15
    assert manifest["payload_bytes"] == 96
    assert manifest["encoder_macs"] == 16 * 16 * 32 * 27 + 16 * 16 * 6 + 4 * 4 * 16 * 26 * 16 + 6 * 10
    assert manifest["accuracy"]["0"] >= 0.8 and manifest["accuracy_board"] > 0.2


def test_golden_answers_and_symbols_are_those_of_the_reference_kernels(split: ExportedSplit) -> None:
    outputs = ReferenceEncoder(split.bundle.encoder_path).outputs(split.golden["images"])
    latents, scores = outputs[:, : split.bundle.latent_size], outputs[:, split.bundle.latent_size :]
    np.testing.assert_array_equal(split.bundle.symbols(latents), split.golden["symbols"])
    assert split.bundle.answer is not None
    np.testing.assert_array_equal(np.stack(split.bundle.answer.answers(scores), 1), split.golden["answers"])


def test_load_split_codec_reproduces_logged_accuracies_in_int8(split: ExportedSplit) -> None:
    data = datasets.load(split.config.data.name)
    model, config, saved = load_split_codec(split.run, data)
    _, held = split_holdout(data, config.data.holdout)
    images, labels = data.x_train[held], data.y_train[held]
    board = evaluate.board_logits(model, images).argmax(1).numpy()
    found = evaluate.accuracies_given_ber(model, images, labels) | {"board": float((board == labels).mean())}
    assert found == saved["held_out"]
    assert model.temperature != 1.0  # fitted


def test_encoder_on_a_board_sends_answer_and_symbols_of_the_reference_kernels(
    split: ExportedSplit, tmp_path: Path
) -> None:
    elf = build("native_sanitized", bundle=split.bundle.path, build_dir=tmp_path)
    layout, head = FeatureLayout(split.bundle.chunk_bits(0)), split.bundle.answer
    assert head is not None
    outputs = ReferenceEncoder(split.bundle.encoder_path).outputs(split.golden["images"])
    expected = split.bundle.symbols(outputs[:, : split.bundle.latent_size])
    words = answer_word(*head.answers(outputs[:, split.bundle.latent_size :]))
    with firmware_tools.start("native", elf) as url, firmware_tools.RunningBoard(url) as board:
        board.bundle = split.bundle
        for image, symbols, word in zip(split.golden["images"], expected, words, strict=True):
            frame, _ = board.run(image.tobytes())
            sent = payload.deinterleave(frame[4:][layout.payload], layout.n_bits)
            assert sent == int(word).to_bytes(ANSWER_BITS // 8, "big") + payload.pack(symbols, 3)


def test_host_decoder_decides_as_the_golden_file(split: ExportedSplit) -> None:
    decoder, golden = Decoder(split.bundle), split.golden
    words = answer_word(*golden["answers"].astype(np.int64).T)
    logits = decoder.logits(golden["symbols"], golden["ber"], words)
    np.testing.assert_allclose(logits, golden["logits"], rtol=1e-4, atol=1e-3)
    assert decoder.logits(golden["symbols"][2:3], golden["ber"][2:3]).shape == (1, N_IMAGES)


def test_evaluate_measures_a_run_at_any_bit_error_rate(
    split: ExportedSplit, run_inkling: RunInkling, tmp_path: Path
) -> None:
    status, _, errors = run_inkling(
        "evaluate", split.run, "--ber", 0.02, 0.3, "--images", 10, "--draws", 2, "--out", tmp_path / "out"
    )
    assert (status, errors) == (0, "")
    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    (by_ber,) = figures["host"]["accuracy"].values()
    assert list(by_ber) == ["0", "0.02", "0.3"] and by_ber["0"]["accuracy"] >= 0.8
    assert 0 < figures["board"]["accuracy"] <= 1
