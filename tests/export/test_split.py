"""SemanticNN on a device with MobileNetV2's own stem: trained, exported, on boards, and decoded by the host."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.convert import HALF_FROM
from export.inspect_tflite import operators
from firmware.tools.build import build
from host.classify.decoder import Decoder
from host.reference import ReferenceEncoder
from tests.export.split_runs import N_IMAGES, ExportedSplit, exported, short_mobilenet_v2
from tests.support import firmware as firmware_tools
from tests.support import train as train_support
from train import evaluate
from train.classifiers import architectures as classifiers
from train.codecs.split.semanticnn_device import SemanticNNDevice
from train.config import QuantizerConfig
from train.data import datasets
from train.data.sampling import split_holdout
from train.trainers.split import SplitConfig, create_codec, load_split_codec
from wire import payload
from wire.frame import FeatureLayout

pytestmark = pytest.mark.training

MAX_BUNDLE_BYTES = 8_000_000


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExportedSplit]:
    """A run of seconds on a few images, which it learns by heart, and its bundle."""
    with exported(tmp_path_factory, "semanticnn_device", "xai = false") as made:
        yield made


def test_export_passes_every_proof_and_reports_the_pad_of_the_stem(split: ExportedSplit) -> None:
    assert len(re.findall(r"\(at most .*\) ok$", split.output, re.MULTILINE)) == 8
    assert "FAILED" not in split.output
    assert "  ops: PAD, CONV_2D, CONV_2D\n  PAD, TRANSPOSE and QUANTIZE ops: PAD\n" in split.output


def test_manifest_describes_the_split_codec(split: ExportedSplit) -> None:
    loaded, manifest = split.bundle, split.bundle.manifest
    assert (loaded.input_shape, loaded.heads, loaded.chunks) == ((32, 32, 3), ((4, 4, 16),), [(0, 256)])
    assert loaded.answer is None and "threshold" not in manifest
    assert manifest["payload_bytes"] == 96
    assert manifest["encoder_macs"] == 16 * 16 * 32 * 27 + 4 * 4 * 16 * 512
    assert manifest["ops"] == [op.name for op in operators(loaded.encoder_path)] == ["PAD", "CONV_2D", "CONV_2D"]
    assert SplitConfig.from_dict(manifest["recipe"]) == split.config
    assert manifest["accuracy"]["0"] >= 0.8
    # It was never trained with a prefix.
    assert list(manifest["accuracy_by_symbols"]) == ["256"] and "number of symbols received" not in split.output


def test_golden_symbols_are_nearest_centres_of_reference_latents(split: ExportedSplit) -> None:
    latents = ReferenceEncoder(split.bundle.encoder_path).outputs(split.golden["images"])
    np.testing.assert_array_equal(latents, split.golden["latents"])
    np.testing.assert_array_equal(split.bundle.symbols(latents), split.golden["symbols"])
    assert len(np.unique(split.golden["symbols"])) == 8
    model, _, _ = load_split_codec(split.run, datasets.load(split.config.data.name))
    manifest = split.bundle.manifest
    values = (latents.astype(float) - manifest["output_zero_point"]) * manifest["output_scale"]
    units = ((values - 3) / 1.5).reshape(N_IMAGES, -1)[:, model.order.numpy()]
    centres = model.quantizer.centres().detach().double().numpy()
    np.testing.assert_array_equal(abs(units[..., None] - centres).argmin(-1), split.golden["symbols"])


def test_load_split_codec_reproduces_logged_accuracies_in_int8(split: ExportedSplit) -> None:
    data = datasets.load(split.config.data.name)
    model, config, saved = load_split_codec(split.run, data)
    _, held = split_holdout(data, config.data.holdout)
    accuracies = evaluate.accuracies_given_ber(model, data.x_train[held], data.y_train[held])
    assert accuracies == saved["held_out"]
    assert isinstance(model, SemanticNNDevice)
    assert {unit.range.mode for unit in model.encoder.units()} == {"quantize"}


@pytest.mark.parametrize(
    "environment",
    [pytest.param("qemu_stm32f405", marks=[pytest.mark.emulated, pytest.mark.slow]), "native_sanitized"],
)
def test_encoder_on_a_board_gives_the_bytes_of_the_reference_kernels(
    split: ExportedSplit, environment: str, tmp_path: Path
) -> None:
    """Flat images are included: their border shows the value of the padding."""
    flat = np.broadcast_to(np.array([0, 128, 255], np.uint8)[:, None, None, None], (3, *split.bundle.input_shape))
    noise = np.random.default_rng(0).integers(0, 256, (2, *split.bundle.input_shape), dtype=np.uint8)
    images = np.concatenate([split.golden["images"], flat, noise])
    expected = split.bundle.symbols(ReferenceEncoder(split.bundle.encoder_path).outputs(images))
    elf = build(environment, bundle=split.bundle.path, build_dir=tmp_path)
    layout = FeatureLayout(split.bundle.chunk_bits(0))
    target = "native" if environment == "native_sanitized" else environment
    with firmware_tools.start(target, elf) as url, firmware_tools.RunningBoard(url) as board:
        board.bundle = split.bundle
        info = board.info()
        assert (info.engine, info.symbols, info.model_number) == ("aot", 256, split.bundle.number)
        for image, symbols in zip(images, expected, strict=True):
            frame, _ = board.run(image.tobytes())
            sent = payload.deinterleave(frame[4:][layout.payload], layout.n_bits)
            assert sent == payload.pack(symbols, 3)
        assert 0 < info.arena_bytes <= info.encoder_ram_bytes < 32_000
    assert len({s.tobytes() for s in expected}) == len(images)


def test_host_decoder_takes_any_batch_and_decides_as_the_golden_file(split: ExportedSplit) -> None:
    decoder = Decoder(split.bundle)
    for rows in (slice(0, N_IMAGES), slice(2, 3)):
        logits = decoder.logits(split.golden["symbols"][rows], split.golden["ber"][rows])
        np.testing.assert_allclose(logits, split.golden["logits"][rows], rtol=1e-4, atol=1e-3)
    decided = decoder.logits(split.golden["symbols"], np.full(len(split.golden["symbols"]), 1e-3)).argmax(1).tolist()
    assert decided == split.golden["logits"].argmax(1).tolist()


def test_decoder_file_stores_frozen_weights_as_float16_and_learned_ones_as_float32(split: ExportedSplit) -> None:
    graph = onnx.load(str(split.bundle.decoder_path)).graph
    large = [weight for weight in graph.initializer if np.prod(weight.dims) >= HALF_FROM]
    half = {weight.name for weight in large if weight.data_type == onnx.TensorProto.FLOAT16}
    single = {weight.name for weight in large if weight.data_type == onnx.TensorProto.FLOAT}
    assert len(half) == 8 and all("classifier.blocks" in name for name in half)
    assert any("decoder.last" in name for name in single) and not any("classifier.blocks" in name for name in single)


def test_mobilenet_v2_of_100_classes_fits_into_a_bundle_only_as_float16() -> None:
    classifier = classifiers.build("mobilenet_v2", 100)
    model = SemanticNNDevice(classifier, (32, 32, 3), QuantizerConfig(), SemanticNNDevice.Options())
    frozen = sum(weight.numel() for weight in model.classifier.parameters())
    learned = sum(weight.numel() for weight in model.decoder.parameters())
    assert 2 * frozen + 4 * learned < 6_000_000
    assert 4 * frozen > MAX_BUNDLE_BYTES


@pytest.mark.parametrize(("system", "options"), [("semanticnn_inkling", "xai = false\n"), ("inkling_frozen", "")])
def test_export_of_systems_with_inklings_encoder(
    system: str, options: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    trunk = 'trunk = ["conv4s2 8", "sep4s2 16", "sep4s2 16"]'
    with exported(tmp_path_factory, system, f"{options}{trunk}") as made:
        assert len(re.findall(r"\(at most .*\) ok$", made.output, re.MULTILINE)) == 8 and "FAILED" not in made.output
        assert made.bundle.heads == ((4, 4, 16),) and made.bundle.manifest["payload_bytes"] == 96
        latents = ReferenceEncoder(made.bundle.encoder_path).outputs(made.golden["images"])
        np.testing.assert_array_equal(made.bundle.symbols(latents), made.golden["symbols"])
        logits = Decoder(made.bundle).logits(made.golden["symbols"], made.golden["ber"])
        np.testing.assert_allclose(logits, made.golden["logits"], rtol=1e-3, atol=1e-2)
        assert made.bundle.manifest["accuracy"]["0"] >= 0.5


# Errors


def test_export_refuses_runs_with_float_encoder(
    split: ExportedSplit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = datasets.load(split.config.data.name)
    for system, message in (
        ("semanticnn", "semanticnn has no int8 encoder, and boards run only int8 encoders"),
        ("semanticnn_device", "was trained without int8 epochs (schedule.qat_epochs)"),
    ):
        run = tmp_path / system
        run.mkdir()
        values = split.config.as_dict() | {"system": system}
        values["schedule"]["qat_epochs"] = 0
        (run / "config.json").write_text(json.dumps(values))
        model = create_codec(SplitConfig.from_run(run), short_mobilenet_v2(10), data)
        torch.save({"model": model.state_dict(), "epoch": 1, "held_out": {"0": 0.1}}, run / "best.pt")
        train_support.fails(capsys, message, run, "-o", tmp_path / "out", module="export")
        assert not (tmp_path / "out").exists()
