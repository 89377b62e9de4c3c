"""Export of a board that classifies alone: no latent heads, no payload, answers only."""

import contextlib
import io
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import pytest

from export import pipeline
from export.evaluation.subject import BundleSubject
from export.inspect_tflite import operators
from firmware.tools import emulator
from firmware.tools.build import build
from host.classify import onnx_check
from host.classify.decoder import decoder_of
from host.reference import ReferenceEncoder
from tests.support import train as train_support
from tests.support.firmware import RunningBoard
from tests.support.once import made_once
from train.config import CodecConfig
from train.data import datasets
from train.trainers.codec import CodecTrainer
from wire import bundle
from wire.answer import Answer
from wire.frame import SYNC, AnswerHeader
from wire.model import ChunkError

pytestmark = pytest.mark.training


class Alone(NamedTuple):
    """The bundle of a board alone, its golden file, and the output of the export."""

    bundle: bundle.Bundle
    golden: dict[str, np.ndarray]
    output: str


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """A run of seconds on images that it learns by heart, exported."""

    def make(folder: Path) -> None:
        images, labels = train_support.golden()
        npz = train_support.write_npz(folder / "few.npz", images, labels, copies=24)
        config = CodecConfig.from_dict(
            {
                "name": "alone",
                "data": {"name": f"npz:{npz}", "holdout": 128, "crop_padding": 1, "flip": False},
                "encoder": {"layers": ["conv4s2 8", "sep4s2 16", "sep4s2 32", "pool", "answer"]},
                "schedule": {"epochs": 4, "qat_epochs": 2, "batch": 16, "lr": 0.01, "warmup_epochs": 0.2},
            }
        )
        (folder / "scratch").mkdir()
        with contextlib.redirect_stdout(io.StringIO()) as output:
            CodecTrainer(config, datasets.load(config.data.name), folder / "run").run()
            pipeline.export(folder / "run", folder / "bundle", 32, folder / "scratch")
        (folder / "output.txt").write_text(output.getvalue())

    folder = made_once(tmp_path_factory, "alone", make)
    loaded = bundle.load(folder / "bundle")
    with np.load(loaded.golden_path) as golden:
        return Alone(loaded, dict(golden), (folder / "output.txt").read_text())


def answers(alone: Alone) -> list[Answer]:
    return [Answer(int(index), int(confidence)) for index, confidence in alone.golden["answers"]]


def test_export_passes_every_proof(alone: Alone) -> None:
    assert len(re.findall(r"\(at most .*\) ok$", alone.output, re.MULTILINE)) == 8
    assert "FAILED" not in alone.output and "symbols received" not in alone.output
    assert "host's confidence" not in alone.output  # there is nothing to fit: the board's is
    assert re.search(r"^  accuracy of the board's answer: \d+\.\d\d %$", alone.output, re.MULTILINE)


def test_manifest_has_neither_heads_nor_chunks_nor_payload(alone: Alone) -> None:
    loaded, manifest = alone.bundle, alone.bundle.manifest
    assert (manifest["heads"], manifest["chunks"], manifest["symbol_order"], manifest["payload_bytes"]) == (
        [],
        [],
        [],
        0,
    )
    assert (loaded.heads, loaded.n_symbols, loaded.latent_size, loaded.class_count) == ((), 0, 0, 10)
    assert loaded.answer is not None and manifest["accuracy_by_symbols"] == {} and manifest["temperature"] == 1.0
    assert loaded.threshold == 0  # every answer is as good as the host's, who has nothing else
    assert [op.name for op in operators(loaded.encoder_path)][-2:] == ["DEPTHWISE_CONV_2D", "CONV_2D"]
    assert manifest["accuracy_board"] == manifest["accuracy"]["0"] > 0.6
    with pytest.raises(ChunkError, match="has no features, only answers"):
        loaded.chunk_symbols(0)


def test_golden_file_has_empty_payloads_and_the_answers(alone: Alone) -> None:
    golden, loaded = alone.golden, alone.bundle
    for name in ("latents", "symbols", "payload"):
        assert golden[name].shape == (32, 0), name
    assert ReferenceEncoder(loaded.encoder_path).shapes == [(1, 1, 10)]
    np.testing.assert_array_equal(ReferenceEncoder(loaded.encoder_path).outputs(golden["images"]), golden["scores"])
    assert loaded.answer is not None
    np.testing.assert_array_equal(np.stack(loaded.answer.answers(golden["scores"]), 1), golden["answers"])
    accuracy = (golden["answers"][:, 0] == golden["labels"]).mean()
    assert accuracy == pytest.approx(loaded.manifest["accuracy_board"])  # the test images are the golden ones


def test_decoder_decides_for_the_answer(alone: Alone) -> None:
    content = alone.bundle.decoder_path.read_bytes()
    onnx_check.check(content)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert "answer" in {node.name for node in session.get_inputs()}
    given = {"symbols": alone.golden["symbols"], "ber": alone.golden["ber"]}
    given["answer"] = np.array([answer.word for answer in answers(alone)])
    (logits,) = session.run(["logits"], {node.name: given[node.name] for node in session.get_inputs()})
    np.testing.assert_array_equal(logits.argmax(1), alone.golden["answers"][:, 0])
    np.testing.assert_allclose(logits, alone.golden["logits"], atol=1e-4)


def test_host_and_evaluation_take_the_bundle(alone: Alone) -> None:
    with pytest.raises(ValueError, match="this model sends no features"):
        decoder_of(alone.bundle).logits(alone.golden["symbols"], alone.golden["ber"])
    subject = BundleSubject(alone.bundle)
    encoded = subject.encode(alone.golden["images"][:3], lambda: None)
    assert subject.prefixes == {} and encoded.symbols is None and encoded.classes is not None
    np.testing.assert_array_equal(encoded.classes, alone.golden["answers"][:3, 0])


def test_model_card_says_that_the_board_sends_answers(alone: Alone) -> None:
    card = (alone.bundle.path / "MODEL_CARD.md").read_text()
    assert "\nSends answers of the board.\n" in card and "latent heads: none\n" in card and "chunks of none\n" in card


def test_board_answers_as_the_golden_file(alone: Alone, tmp_path: Path) -> None:
    elf = build("native", bundle=alone.bundle.path, build_dir=tmp_path)
    with emulator.native(elf) as url, RunningBoard(url) as board:
        board.bundle = alone.bundle
        assert (board.info().symbols, board.info().chunks) == (0, 0)
        for image, answer in zip(alone.golden["images"][:4], answers(alone), strict=False):
            decoded = AnswerHeader.decode(board.run_by_mode(image.tobytes())[len(SYNC) :])
            assert decoded is not None and decoded[0].answer == answer
