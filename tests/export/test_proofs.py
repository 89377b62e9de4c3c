"""Another codec through the export (64 x 64 grey, 2 bits, three prefixes), its encoder on a board; proofs that fail."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export import confidence, convert, pipeline, proofs
from export.errors import ExportError
from export.inspect_tflite import arena_bytes, operators
from export.reference import ReferenceEncoder
from firmware.tools import emulator
from firmware.tools.build import build
from tests.support import train as train_support
from tests.support.firmware import RunningBoard
from train.codecs.codec import Codec
from train.config import CodecConfig, from_dict
from train.data import datasets
from train.trainers.codec import CodecTrainer, load_best, split
from wire import bundle, payload
from wire.frame import FeatureLayout

CHUNKS = [[0, 256], [0, 64], [0, 128], [128, 128]]


@dataclass
class Grey:
    """A run, its bundle, and what the export left in its scratch folder."""

    config: CodecConfig
    run: Path
    bundle: Path
    scratch: Path
    pictures: np.ndarray  # uint8 (n, 64, 64, 1)


def make_config(npz: Path) -> CodecConfig:
    return from_dict(
        {
            "name": "grey",
            "data": {"name": f"npz:{npz}", "holdout": 16, "crop_padding": 2},
            "encoder": {"layers": ["conv4s2 6", "conv 6", "sep4s2 8", "sep 8", "sep4s2 12", "head 4"]},
            "quantizer": {"bits": 2},
            "decoder": {"width": 16, "blocks": 1},
            "link": {"chunks": CHUNKS},
            "schedule": {"epochs": 4, "qat_epochs": 1, "batch": 16, "lr": 0.01, "warmup_epochs": 0.2},
        }
    )


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Grey:
    folder = tmp_path_factory.mktemp("grey")
    images, labels = train_support.golden()
    large = [Image.fromarray(image).convert("L").resize((64, 64), Image.Resampling.BICUBIC) for image in images]
    pictures = np.stack([np.asarray(picture) for picture in large])  # (n, 64, 64)
    train_support.write_npz(folder / "grey.npz", pictures, labels, copies=12)
    config = make_config(folder / "grey.npz")
    CodecTrainer(config, datasets.load(config.data.name), folder / "run").train()
    (folder / "scratch").mkdir()
    pipeline.export(folder / "run", folder / "bundle", 32, folder / "scratch")
    return Grey(config, folder / "run", folder / "bundle", folder / "scratch", pictures[..., None])


def test_its_bundle_has_its_shapes(grey: Grey) -> None:
    loaded = bundle.load(grey.bundle)
    assert (loaded.input_shape, loaded.latent_shape, loaded.bits_per_symbol) == ((64, 64, 1), (8, 8, 4), 2)
    assert loaded.chunks == [tuple(chunk) for chunk in CHUNKS]
    assert [loaded.chunk_bytes(i) for i in range(4)] == [64, 16, 32, 32]
    with np.load(loaded.golden_path) as golden:
        np.testing.assert_array_equal(golden["images"], grey.pictures)
        np.testing.assert_array_equal(golden["symbols"], loaded.symbols(golden["latents"]))
    assert {"PAD", "PADV2", "TRANSPOSE", "QUANTIZE", "DEQUANTIZE"}.isdisjoint(loaded.manifest["ops"])


def test_its_encoder_on_a_board_gives_the_reference_kernels_symbols(grey: Grey, tmp_path: Path) -> None:
    loaded = bundle.load(grey.bundle)
    expected = loaded.symbols(ReferenceEncoder(loaded.encoder_path).latents(grey.pictures[:8]))
    with emulator.native(build("native", bundle=grey.bundle, build_dir=tmp_path)) as url:
        board = RunningBoard(url)
        board.bundle = loaded
        info = board.info()
        assert (info.input_shape, info.symbols, info.chunks) == ((64, 64, 1), 256, 4)
        for image, symbols in zip(grey.pictures[:8], expected, strict=True):
            for chunk, (first, count) in enumerate(loaded.chunks):
                frame, _ = board.run(image.tobytes(), chunk)
                layout = FeatureLayout(loaded.chunk_bits(chunk))
                sent = payload.deinterleave(frame[4:][layout.payload], layout.n_bits)
                np.testing.assert_array_equal(payload.unpack(sent, count, 2), symbols[first : first + count])
        board.line.close()
    assert len({s.tobytes() for s in expected}) == 8


# Proofs that fail


@pytest.fixture
def quiet_proofs() -> proofs.Proofs:
    return proofs.Proofs(say=lambda _: None)


@pytest.fixture
def codec(grey: Grey) -> Codec:
    """The codec that was exported: the run's best, with its confidences calibrated."""
    data = datasets.load(grey.config.data.name)
    best = load_best(grey.run, grey.config, data)[0]
    _, held_out = split(data, grey.config.data.holdout)
    confidence.calibrate(best, data.x_train[held_out], data.y_train[held_out])
    return best


def test_a_figure_over_its_limit_or_no_number_fails() -> None:
    said: list[str] = []
    collected = proofs.Proofs(say=said.append)
    collected.require("a", "difference", 1.0, 1.0)
    assert said == ["  difference: 1 (at most 1) ok"]
    for value in (1.0001, float("nan"), float("inf")):
        with pytest.raises(ExportError, match="proof failed: difference: "):
            collected.require("a", "difference", value, 1.0)
        assert said[-1].endswith("FAILED")


def test_right_files_pass_and_one_wrong_weight_does_not(grey: Grey, codec: Codec, quiet_proofs: proofs.Proofs) -> None:
    files = codec, grey.scratch / "encoder.onnx", grey.scratch / "float.tflite", grey.pictures[:4]
    proofs.float_chain(quiet_proofs, *files)
    with torch.no_grad():
        codec.encoder.layers[0].conv.weight[0, 0, 1, 1] += 0.1
    with pytest.raises(ExportError, match="PyTorch against ONNX"):
        proofs.float_chain(quiet_proofs, *files)


def test_another_float_model_is_noticed(grey: Grey, codec: Codec, quiet_proofs: proofs.Proofs, tmp_path: Path) -> None:
    with torch.no_grad():
        codec.encoder.layers[-1].conv.bias += 0.1
    convert.encoder_onnx(codec, tmp_path / "encoder.onnx")
    with pytest.raises(ExportError, match="ONNX against float TFLite"):
        proofs.float_chain(
            quiet_proofs, codec, tmp_path / "encoder.onnx", grey.scratch / "float.tflite", grey.pictures[:4]
        )


def test_scales_that_training_did_not_see_are_noticed(grey: Grey, codec: Codec, quiet_proofs: proofs.Proofs) -> None:
    ops = operators(grey.scratch / "encoder.tflite")
    proofs.scales(quiet_proofs, codec, ops)
    codec.encoder.layers[-1].range.high *= 1.1
    with pytest.raises(ExportError, match="int8 scales against training's"):
        proofs.scales(quiet_proofs, codec, ops)
    with pytest.raises(ExportError, match="the model has 9 computing ops, training has 10 activations"):
        proofs.scales(quiet_proofs, codec, ops[:-1])


def test_an_int8_model_that_differs_from_its_training_is_noticed(
    grey: Grey, codec: Codec, quiet_proofs: proofs.Proofs
) -> None:
    reference = ReferenceEncoder(grey.scratch / "encoder.tflite")
    images = grey.pictures[:4]
    latents = proofs.int8_against_float(quiet_proofs, codec, reference, np.zeros((4, 8, 8, 4), np.float32), images)
    np.testing.assert_array_equal(latents, reference.latents(images))
    with torch.no_grad():
        codec.encoder.layers[1].conv.bias += 0.5
    with pytest.raises(ExportError, match="int8 against training's fake quantization"):
        proofs.int8_against_float(quiet_proofs, codec, reference, np.zeros((4, 8, 8, 4), np.float32), images)


def test_a_single_byte_that_tflm_gives_otherwise_is_noticed(grey: Grey, quiet_proofs: proofs.Proofs) -> None:
    file, images = grey.scratch / "encoder.tflite", grey.pictures[:3]
    latents = ReferenceEncoder(file).latents(images)
    proofs.tflm(quiet_proofs, file, images, latents)
    latents[2, 5, 1, 3] ^= 1
    with pytest.raises(ExportError, match="3 images, bytes that differ: 1, at most 0"):
        proofs.tflm(quiet_proofs, file, images, latents)


def test_another_decoder_is_noticed(grey: Grey, codec: Codec, quiet_proofs: proofs.Proofs) -> None:
    symbols = np.random.default_rng(0).integers(0, 4, (12, 256))
    proofs.decoder(quiet_proofs, codec, grey.scratch / "decoder.onnx", symbols)
    with torch.no_grad():
        codec.quantizer.first += 0.3
    with pytest.raises(ExportError, match="decoder, PyTorch against ONNX"):
        proofs.decoder(quiet_proofs, codec, grey.scratch / "decoder.onnx", symbols)


def test_the_round_trip_is_close(grey: Grey, quiet_proofs: proofs.Proofs, tmp_path: Path) -> None:
    file, images = grey.scratch / "encoder.tflite", grey.pictures[:4]
    proofs.round_trip(quiet_proofs, file, tmp_path / "back.onnx", images, ReferenceEncoder(file).latents(images))
    assert quiet_proofs.figures["tf2onnx_share_differing"] < 0.5


def test_a_file_that_tflm_cannot_load_is_one_line(tmp_path: Path, grey: Grey) -> None:
    assert arena_bytes(grey.scratch / "encoder.tflite") == bundle.load(grey.bundle).manifest["arena_bytes"]
    broken = tmp_path / "broken.tflite"
    broken.write_bytes((grey.scratch / "float.tflite").read_bytes()[:4000])
    with pytest.raises(ExportError, match=r"TFLM's interpreter cannot load broken\.tflite") as caught:
        arena_bytes(broken)
    assert "\n" not in str(caught.value)


def test_a_failed_proof_stops_the_export_and_writes_nothing(
    grey: Grey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Calibrated on pictures at half their brightness, the file has other scales than training saw."""
    right = convert.tflite

    def sabotaged(folder: Path, images: np.ndarray, *files: Path) -> None:
        right(folder, images / 2, *files)

    monkeypatch.setattr(convert, "tflite", sabotaged)
    before = {file.name: file.read_bytes() for file in grey.bundle.iterdir()}
    with pytest.raises(ExportError, match="proof failed: int8 scales against training's"):
        pipeline.export(grey.run, grey.bundle, 32, tmp_path)
    assert before == {file.name: file.read_bytes() for file in grey.bundle.iterdir()}
    assert not list(grey.bundle.parent.glob("*.part"))
    assert "FAILED" in capfd.readouterr().out
