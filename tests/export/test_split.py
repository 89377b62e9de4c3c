"""The deployable SemanticNN on MobileNetV2's own stem: trained, exported, on boards, and decoded by the host."""

import contextlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from export import __main__ as command_line
from export import pipeline
from export.convert import HALF_FROM
from export.inspect_tflite import operators
from export.reference import ReferenceEncoder
from firmware.tools.build import build
from host.classify.decoder import Decoder
from tests.support import firmware as firmware_tools
from tests.support import train as train_support
from train import evaluate
from train.classifiers import architectures as classifiers
from train.codecs.split import semanticnn_device
from train.config import QuantizerConfig
from train.data import datasets
from train.trainers import split as system_run
from train.trainers.trainer import split
from wire import bundle, payload
from wire.frame import FeatureLayout

PICTURES = 8
MAX_BUNDLE_BYTES = 8_000_000
DATA = """
[data]
name = "npz:{npz}"
holdout = 32
crop_padding = 0
flip = false
"""
BASE = """
architecture = "short"
[schedule]
epochs = 4
batch = 32
lr = 1e-2
warmup_epochs = 0.2
"""
SYSTEM = """
system = "semanticnn_device"
classifier = "{base}"
[options]
xai = false
[schedule]
epochs = 6
qat_epochs = 1
batch = 32
lr = 5e-3
warmup_epochs = 0.2
"""


class Made(NamedTuple):
    """A run's folder and config, its bundle with the golden file, what the export said."""

    run: Path
    config: system_run.SplitConfig
    bundle: bundle.Bundle
    golden: dict[str, np.ndarray]
    said: str


def short_mobilenet_v2(classes: int) -> classifiers.Classifier:
    """MobileNetV2's stem and its first blocks, which learn in seconds."""
    whole = classifiers.build("mobilenet_v2", classes)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, classes))
    return classifiers.Classifier(whole.stem, list(whole.blocks[:3]), head)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A run of seconds on a few pictures, which it learns by heart."""
    folder = tmp_path_factory.mktemp("few")
    images, labels = (part[:PICTURES] for part in train_support.golden())
    data = DATA.format(npz=train_support.write_npz(folder / "few.npz", images, labels, copies=40))
    (folder / "base.toml").write_text(BASE + data)
    (folder / "few.toml").write_text(SYSTEM.format(base=folder / "base.toml") + data)
    config = system_run.load(folder / "few.toml")
    (folder / "scratch").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system_run, "RUNS", folder / "runs")
        patch.setitem(classifiers.ARCHITECTURES, "short", short_mobilenet_v2)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            system_run.SplitTrainer(config, datasets.load(config.data.name), folder / "run").go()
            pipeline.export(folder / "run", folder / "bundle", PICTURES, folder / "scratch")
        loaded = bundle.load(folder / "bundle")
        with np.load(loaded.golden_path) as golden:
            yield Made(folder / "run", config, loaded, dict(golden), said.getvalue())


def test_every_proof_holds_and_the_stems_pad_is_told(made: Made) -> None:
    assert len(re.findall(r"\(at most .*\) ok$", made.said, re.MULTILINE)) == 8
    assert "FAILED" not in made.said
    assert "  ops: PAD, CONV_2D, CONV_2D\n  PAD, TRANSPOSE and QUANTIZE ops: PAD\n" in made.said


def test_the_bundle_says_what_it_is(made: Made) -> None:
    loaded, manifest = made.bundle, made.bundle.manifest
    assert (loaded.input_shape, loaded.latent_shape, loaded.chunks) == ((32, 32, 3), (4, 4, 16), [(0, 256)])
    assert manifest["payload_bytes"] == 96
    assert manifest["encoder_macs"] == 16 * 16 * 32 * 27 + 4 * 4 * 16 * 512
    assert manifest["ops"] == [op.name for op in operators(loaded.encoder_path)] == ["PAD", "CONV_2D", "CONV_2D"]
    assert system_run.from_dict(manifest["recipe"]) == made.config
    assert manifest["accuracy"]["0"] >= 0.8
    assert "accuracy_half_payload" not in manifest and "first half" not in made.said  # it never learned to send one


def test_golden_symbols_are_the_nearest_centres_of_the_reference_kernels_latents(made: Made) -> None:
    latents = ReferenceEncoder(made.bundle.encoder_path).latents(made.golden["images"])
    np.testing.assert_array_equal(latents, made.golden["latents"])
    np.testing.assert_array_equal(made.bundle.symbols(latents), made.golden["symbols"])
    assert len(np.unique(made.golden["symbols"])) == 8
    model, _, _ = system_run.load_system(made.run, datasets.load(made.config.data.name))
    manifest = made.bundle.manifest
    values = (latents.astype(float) - manifest["latent_zero_point"]) * manifest["latent_scale"]
    units = ((values - 3) / 1.5).reshape(PICTURES, -1)[:, model.order.numpy()]
    centres = model.quantizer.centres().detach().double().numpy()
    np.testing.assert_array_equal(abs(units[..., None] - centres).argmin(-1), made.golden["symbols"])


def test_a_run_is_loaded_in_int8_and_gives_the_figures_of_its_log(made: Made) -> None:
    data = datasets.load(made.config.data.name)
    model, config, saved = system_run.load_system(made.run, data)
    _, held = split(data, config.data.holdout)
    figures = evaluate.summary(model, data.x_train[held], data.y_train[held], system_run.CHANNEL.chunks)
    assert figures == saved["held_out"]
    assert {layer.range.mode for layer in model.encoder.layers} == {"quantize"}


@pytest.mark.parametrize("environment", ["qemu_stm32f405", "native_sanitized"])
def test_its_encoder_on_a_board_gives_the_reference_kernels_bytes(made: Made, environment: str, tmp_path: Path) -> None:
    """Flat pictures too: their border shows what the padding holds."""
    flat = np.broadcast_to(np.array([0, 128, 255], np.uint8)[:, None, None, None], (3, *made.bundle.input_shape))
    noise = np.random.default_rng(0).integers(0, 256, (2, *made.bundle.input_shape), dtype=np.uint8)
    images = np.concatenate([made.golden["images"], flat, noise])
    expected = made.bundle.symbols(ReferenceEncoder(made.bundle.encoder_path).latents(images))
    with firmware_tools.build_lock():
        elf = build(environment, bundle=made.bundle.path, build_dir=tmp_path)
    layout = FeatureLayout(made.bundle.chunk_bits(0))
    target = "native" if environment == "native_sanitized" else environment
    with firmware_tools.start(target, elf) as url:
        board = firmware_tools.RunningBoard(url)
        board.bundle = made.bundle
        info = board.info()
        assert (info.engine, info.symbols, info.model_number) == ("aot", 256, made.bundle.number)
        for image, symbols in zip(images, expected, strict=True):
            frame, _ = board.run(image.tobytes())
            sent = payload.deinterleave(frame[4:][layout.payload], layout.n_bits)
            assert sent == payload.pack(symbols, 3)
        assert 0 < info.arena_bytes <= info.encoder_ram_bytes < 32_000
        board.line.close()
    assert len({s.tobytes() for s in expected}) == len(images)


def test_the_host_decodes_any_number_and_decides_as_the_golden_file(made: Made) -> None:
    decoder = Decoder(made.bundle)
    for rows in (slice(0, PICTURES), slice(2, 3)):
        logits = decoder.logits(made.golden["symbols"][rows], made.golden["ber"][rows])
        np.testing.assert_allclose(logits, made.golden["logits"][rows], rtol=1e-4, atol=1e-3)
    decided = decoder.logits(made.golden["symbols"], np.full(len(made.golden["symbols"]), 1e-3)).argmax(1).tolist()
    assert decided == made.golden["logits"].argmax(1).tolist()


def test_the_frozen_classifier_is_stored_as_float16_and_what_was_learned_is_not(made: Made) -> None:
    graph = onnx.load(str(made.bundle.decoder_path)).graph
    large = [weight for weight in graph.initializer if np.prod(weight.dims) >= HALF_FROM]
    half = {weight.name for weight in large if weight.data_type == onnx.TensorProto.FLOAT16}
    single = {weight.name for weight in large if weight.data_type == onnx.TensorProto.FLOAT}
    assert len(half) == 8 and all("classifier.blocks" in name for name in half)
    assert any("decoder.last" in name for name in single) and not any("classifier.blocks" in name for name in single)


def test_a_whole_mobilenet_v2_of_100_classes_fits_into_a_bundle_only_so() -> None:
    model = semanticnn_device.SemanticNNDevice(
        classifiers.build("mobilenet_v2", 100), (32, 32, 3), QuantizerConfig(), semanticnn_device.Options()
    )
    frozen = sum(weight.numel() for weight in model.classifier.parameters())
    learned = sum(weight.numel() for weight in model.decoder.parameters())
    assert 2 * frozen + 4 * learned < 6_000_000
    assert 4 * frozen > MAX_BUNDLE_BYTES


# What goes wrong


def test_runs_whose_encoder_is_float_are_refused_in_one_line(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = datasets.load(made.config.data.name)
    for system, message in (
        ("semanticnn", "semanticnn has no encoder in int8, which a board needs"),
        ("semanticnn_device", "was trained without int8 epochs (schedule.qat_epochs)"),
    ):
        run = tmp_path / system
        run.mkdir()
        values = made.config.as_dict() | {"system": system}
        values["schedule"]["qat_epochs"] = 0
        (run / "config.json").write_text(json.dumps(values))
        model = system_run.create(system_run.load_config(run), short_mobilenet_v2(10), data)
        torch.save({"model": model.state_dict(), "epoch": 1, "held_out": {"0": 0.1}}, run / "best.pt")
        monkeypatch.setattr("sys.argv", ["export", str(run), "-o", str(tmp_path / "out")])
        assert command_line.main() == 1
        assert message in train_support.one_line(capsys.readouterr().err, "export: ")
        assert not (tmp_path / "out").exists()
