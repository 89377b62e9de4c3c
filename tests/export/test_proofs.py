"""Another codec through the export (64 x 64 grey, 2 bits, three prefixes), its encoder on a board; failing proofs."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from export import confidence, convert, pipeline, proofs
from export.convert import Conversion
from export.converted import ConvertedCodec
from export.errors import ExportError
from export.finished_run import load_run
from export.inspect_tflite import arena_bytes, operators
from firmware.tools import emulator
from firmware.tools.build import build
from host.reference import ReferenceEncoder
from tests.export.conftest import Converted
from tests.support import train as train_support
from tests.support.firmware import RunningBoard
from tests.support.once import made_once
from train.codecs.codec import Codec
from train.codecs.deployable import DeployableCodec
from train.codecs.encoder import ConvUnit
from train.config import CodecConfig
from train.data import datasets
from train.data.sampling import split_holdout, stratified
from train.trainers.codec import CodecTrainer
from wire import bundle, payload
from wire.frame import FeatureLayout

pytestmark = pytest.mark.training

CHUNKS = [[0, 256], [0, 64], [0, 128], [128, 128]]


@dataclass
class Grey:
    """A run, its bundle, and the files that the export left in its scratch folder."""

    config: CodecConfig
    run: Path
    bundle: Path
    files: Conversion
    images: np.ndarray  # uint8 (n, 64, 64, 1)


def make_config(npz: Path) -> CodecConfig:
    return CodecConfig.from_dict(
        {
            "name": "grey",
            "data": {"name": f"npz:{npz}", "holdout": 16, "crop_padding": 2},
            "encoder": {"layers": ["conv4s2 6", "conv 6", "sep4s2 8", "sep 8", "sep4s2 12", "head 4"]},
            "quantizer": {"bits": 2},
            "decoder": {"width": 16, "blocks": 1},
            "link": {"chunks": CHUNKS},
            "schedule": {"epochs": 10, "qat_epochs": 1, "batch": 16, "lr": 0.01, "warmup_epochs": 0.2},
        }
    )


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Grey:
    images, labels = train_support.golden()
    large = [Image.fromarray(image).convert("L").resize((64, 64), Image.Resampling.BICUBIC) for image in images]
    pixels = np.stack([np.asarray(image) for image in large])  # (n, 64, 64)

    def make(folder: Path) -> None:
        train_support.write_npz(folder / "grey.npz", pixels, labels, copies=12)
        config = make_config(folder / "grey.npz")
        CodecTrainer(config, datasets.load(config.data.name), folder / "run").train()
        (folder / "scratch").mkdir()
        pipeline.export(folder / "run", folder / "bundle", 32, folder / "scratch")

    folder = made_once(tmp_path_factory, "grey", make)
    names = ("encoder.onnx", "decoder.onnx", "float.tflite", "encoder.tflite")
    files = Conversion(*(folder / "scratch" / name for name in names))
    return Grey(make_config(folder / "grey.npz"), folder / "run", folder / "bundle", files, pixels[..., None])


def test_bundle_has_shapes_and_chunks_of_the_config(grey: Grey) -> None:
    loaded = bundle.load(grey.bundle)
    assert (loaded.input_shape, loaded.heads, loaded.bits_per_symbol) == ((64, 64, 1), ((8, 8, 4),), 2)
    assert loaded.chunks == [tuple(chunk) for chunk in CHUNKS]
    assert [loaded.chunk_bytes(i) for i in range(4)] == [64, 16, 32, 32]
    assert loaded.answer is None and loaded.manifest["answer"] is None and "threshold" not in loaded.manifest
    with np.load(loaded.golden_path) as golden:
        assert {"scores", "answers"}.isdisjoint(golden)
        chosen = stratified(train_support.golden()[1], 32)
        np.testing.assert_array_equal(golden["images"], grey.images[chosen])
        np.testing.assert_array_equal(golden["symbols"], loaded.symbols(golden["latents"]))
    assert {"PAD", "PADV2", "TRANSPOSE", "QUANTIZE", "DEQUANTIZE"}.isdisjoint(loaded.manifest["ops"])


def test_encoder_on_a_board_gives_the_symbols_of_the_reference_kernels(grey: Grey, tmp_path: Path) -> None:
    loaded = bundle.load(grey.bundle)
    expected = loaded.symbols(ReferenceEncoder(loaded.encoder_path).outputs(grey.images[:8]))
    with emulator.native(build("native", bundle=grey.bundle, build_dir=tmp_path)) as url, RunningBoard(url) as board:
        board.bundle = loaded
        info = board.info()
        assert (info.input_shape, info.symbols, info.chunks) == ((64, 64, 1), 256, 4)
        for image, symbols in zip(grey.images[:8], expected, strict=True):
            for chunk, (first, count) in enumerate(loaded.chunks):
                frame, _ = board.run(image.tobytes(), chunk)
                layout = FeatureLayout(loaded.chunk_bits(chunk))
                sent = payload.deinterleave(frame[4:][layout.payload], layout.n_bits)
                np.testing.assert_array_equal(payload.unpack(sent, count, 2), symbols[first : first + count])
    assert len({s.tobytes() for s in expected}) == 8


# Failing proofs


@pytest.fixture
def quiet_proofs() -> proofs.Proofs:
    return proofs.Proofs(log=lambda _: None)


@pytest.fixture(scope="module")
def exported_codec(grey: Grey) -> Codec:
    """The codec that was exported: the run's best one, with calibrated confidences."""
    run = load_run(grey.run)
    _, held_out = split_holdout(run.data, grey.config.data.holdout)
    confidence.calibrate(run.codec, run.data.x_train[held_out], run.data.y_train[held_out])
    assert isinstance(run.codec, Codec)
    return run.codec


@pytest.fixture
def codec(exported_codec: Codec) -> Codec:
    """A copy that the test may change."""
    return copy.deepcopy(exported_codec)


def layer(codec: Codec, number: int) -> ConvUnit:
    """Return a layer of the encoder, which must be a convolution."""
    unit = codec.encoder.layers[number]
    assert isinstance(unit, ConvUnit) and unit.conv.bias is not None
    return unit


def test_require_fails_over_its_limit_and_without_a_number() -> None:
    lines: list[str] = []
    collected = proofs.Proofs(log=lines.append)
    collected.require("a", "difference", 1.0, 1.0)
    assert lines == ["  difference: 1 (at most 1) ok"]
    for value in (1.0001, float("nan"), float("inf")):
        with pytest.raises(ExportError, match="proof failed: difference: "):
            collected.require("a", "difference", value, 1.0)
        assert lines[-1].endswith("FAILED")


def test_float_chain_detects_one_changed_weight(grey: Grey, codec: Codec, quiet_proofs: proofs.Proofs) -> None:
    proofs.float_chain(quiet_proofs, codec, grey.files, grey.images[:4])
    with torch.no_grad():
        layer(codec, 0).conv.weight[0, 0, 1, 1] += 0.1
    with pytest.raises(ExportError, match="PyTorch against ONNX"):
        proofs.float_chain(quiet_proofs, codec, grey.files, grey.images[:4])


def test_float_chain_detects_another_float_model(
    grey: Grey, codec: Codec, quiet_proofs: proofs.Proofs, tmp_path: Path
) -> None:
    with torch.no_grad():
        layer(codec, -1).conv.get_parameter("bias").add_(0.1)
    convert.encoder_onnx(codec, tmp_path / "encoder.onnx")
    files = replace(grey.files, encoder_onnx=tmp_path / "encoder.onnx")
    with pytest.raises(ExportError, match="ONNX against float TFLite"):
        proofs.float_chain(quiet_proofs, codec, files, grey.images[:4])


def test_scales_detects_ranges_other_than_in_training(grey: Grey, codec: Codec, quiet_proofs: proofs.Proofs) -> None:
    ops = operators(grey.files.encoder_tflite)
    proofs.scales(quiet_proofs, codec, ops)
    layer(codec, -1).range.high.mul_(1.1)
    with pytest.raises(ExportError, match="int8 scales against training's"):
        proofs.scales(quiet_proofs, codec, ops)
    with pytest.raises(ExportError, match="the model has 9 computing ops, training has 10 activations"):
        proofs.scales(quiet_proofs, codec, ops[:-1])


def test_scales_detects_two_ranges_in_the_wrong_order(grey: Grey, codec: Codec, quiet_proofs: proofs.Proofs) -> None:
    ops = operators(grey.files.encoder_tflite)
    first = next(op for op in ops if not op.is_output)
    second = next(op for op in ops if op.scale != pytest.approx(first.scale, rel=0.05) and not op.is_output)
    one, two = ops.index(first), ops.index(second)
    ops[one], ops[two] = ops[two], ops[one]
    with pytest.raises(ExportError, match="int8 scales against training's"):
        proofs.scales(quiet_proofs, codec, ops)


def test_int8_against_float_detects_another_training(grey: Grey, codec: Codec, quiet_proofs: proofs.Proofs) -> None:
    reference = ReferenceEncoder(grey.files.encoder_tflite)
    images, zeros = grey.images[:4], np.zeros((4, 256), np.float32)
    outputs = proofs.int8_against_float(quiet_proofs, codec, reference, zeros, images)
    np.testing.assert_array_equal(outputs, reference.outputs(images))
    with torch.no_grad():
        layer(codec, 1).conv.get_parameter("bias").add_(0.5)
    with pytest.raises(ExportError, match="int8 against training's fake quantization"):
        proofs.int8_against_float(quiet_proofs, codec, reference, zeros, images)


def test_tflm_detects_a_single_differing_byte(grey: Grey, quiet_proofs: proofs.Proofs) -> None:
    file, images = grey.files.encoder_tflite, grey.images[:3]
    outputs = ReferenceEncoder(file).outputs(images)
    proofs.tflm(quiet_proofs, file, images, outputs)
    outputs[2, 167] ^= 1
    with pytest.raises(ExportError, match="3 images, bytes that differ: 1, at most 0"):
        proofs.tflm(quiet_proofs, file, images, outputs)


def test_decoder_detects_another_codec(grey: Grey, codec: Codec, quiet_proofs: proofs.Proofs) -> None:
    symbols = np.random.default_rng(0).integers(0, 4, (12, 256))
    converted = ConvertedCodec(codec, grey.files)
    proofs.decoder(quiet_proofs, codec, converted, symbols)
    with torch.no_grad():
        codec.quantizer.first.add_(0.3)
    with pytest.raises(ExportError, match="decoder, PyTorch against ONNX"):
        proofs.decoder(quiet_proofs, codec, converted, symbols)


# Several outputs


def test_proofs_hold_for_several_outputs_and_answers(converted: Converted, quiet_proofs: proofs.Proofs) -> None:
    codec, files, few = copy.deepcopy(converted.codec), converted.files, random_pixels(4)
    field = ConvertedCodec(codec, files)
    floating = proofs.float_chain(quiet_proofs, codec, files, few)
    proofs.scales(quiet_proofs, codec, operators(files.encoder_tflite))
    outputs = proofs.int8_against_float(quiet_proofs, codec, field.reference, floating, few)
    proofs.tflm(quiet_proofs, files.encoder_tflite, few, outputs)
    proofs.round_trip(quiet_proofs, files.encoder_tflite, files.encoder_tflite.with_name("back.onnx"), few, outputs)
    proofs.decoder(quiet_proofs, codec, field, np.random.default_rng(0).integers(0, 8, (30, codec.n_symbols)))
    assert floating.shape == outputs.shape == (4, 186 + 5)
    scale, zero_point = field.reference.output_quantization
    assert quiet_proofs.figures["int8_float_max"] == pytest.approx(
        float(abs((outputs.astype(np.float32) - zero_point) * scale - floating).max())
    )
    assert quiet_proofs.figures["int8_float_max"] < 10 * scale


def random_pixels(count: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize("output", range(4))
def test_proofs_detect_a_change_of_one_output(converted: Converted, quiet_proofs: proofs.Proofs, output: int) -> None:
    codec, files, few = copy.deepcopy(converted.codec), converted.files, random_pixels(3)
    outputs = ReferenceEncoder(files.encoder_tflite).outputs(few)
    place = [0, 128, 176, 186][output]  # where the head, or the scores, begin
    outputs[1, place] ^= 1
    with pytest.raises(ExportError, match="3 images, bytes that differ: 1, at most 0"):
        proofs.tflm(quiet_proofs, files.encoder_tflite, few, outputs)
    with torch.no_grad():
        layer(codec, codec.encoder.branches[output]).conv.get_parameter("bias")[0] += 0.1
    with pytest.raises(ExportError, match="PyTorch against ONNX"):
        proofs.float_chain(quiet_proofs, codec, files, few)


def test_decoder_detects_another_use_of_the_answer(converted: Converted, quiet_proofs: proofs.Proofs) -> None:
    codec = copy.deepcopy(converted.codec)
    field = ConvertedCodec(codec, converted.files)
    with torch.no_grad():
        codec.decoder.get_parameter("confusion")[2, 3] += 0.5
    with pytest.raises(ExportError, match="decoder, PyTorch against ONNX"):
        proofs.decoder(quiet_proofs, codec, field, np.random.default_rng(0).integers(0, 8, (30, codec.n_symbols)))


def test_round_trip_is_close(grey: Grey, quiet_proofs: proofs.Proofs, tmp_path: Path) -> None:
    file, images = grey.files.encoder_tflite, grey.images[:4]
    proofs.round_trip(quiet_proofs, file, tmp_path / "back.onnx", images, ReferenceEncoder(file).outputs(images))
    assert quiet_proofs.figures["tf2onnx_share_differing"] < 0.5


def test_arena_bytes_refuses_file_that_tflm_cannot_load(tmp_path: Path, grey: Grey) -> None:
    assert arena_bytes(grey.files.encoder_tflite) == bundle.load(grey.bundle).manifest["arena_bytes"]
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(grey.files.float_tflite.read_bytes()[:4000])
    with pytest.raises(ExportError, match=r"TFLM's interpreter cannot load broken\.tflite") as caught:
        arena_bytes(broken)
    assert "\n" not in str(caught.value)


def test_export_writes_nothing_after_a_failed_proof(
    grey: Grey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Calibrate over images at half their brightness: the file gets other scales than training used."""

    def darkened(codec: DeployableCodec, calibration: Tensor, folder: Path) -> Conversion:
        files = replace(grey.files, float_tflite=folder / "float.tflite", encoder_tflite=folder / "encoder.tflite")
        images = calibration.permute(0, 2, 3, 1).numpy() / 2
        model = grey.files.encoder_onnx.with_name("saved_model")  # of the first export, to save its conversion
        convert.tflite(model, images, files.float_tflite, files.encoder_tflite)
        return files

    monkeypatch.setattr(pipeline, "convert", darkened)
    before = {file.name: file.read_bytes() for file in grey.bundle.iterdir()}
    with pytest.raises(ExportError, match="proof failed: int8 scales against training's"):
        pipeline.export(grey.run, grey.bundle, 32, tmp_path, force=True)
    assert before == {file.name: file.read_bytes() for file in grey.bundle.iterdir()}
    assert not list(grey.bundle.parent.glob("*.part"))
    assert "FAILED" in capfd.readouterr().out
