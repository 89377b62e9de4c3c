"""The default bundle: every engine that runs on a computer reproduces its golden file."""

import numpy as np
import onnxruntime
import pytest

from export.inspect_tflite import arena_bytes, operators
from export.reference import ReferenceEncoder, int8_pixels
from tests.support.train import ROOT
from train.codecs.encoder import Encoder
from train.config import CodecConfig
from wire.bundle import Bundle, load
from wire.payload import pack

MAX_BYTES = 8_000_000
MAX_PAYLOAD_BYTES, PREFIX_BYTES = 48, 24


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load(ROOT / "bundles" / "cifar10")


@pytest.fixture(scope="module")
def golden(shipped: Bundle) -> dict[str, np.ndarray]:
    with np.load(shipped.golden_path) as z:
        return dict(z)


def test_bundle_is_small_and_has_the_documented_payload(shipped: Bundle) -> None:
    assert sum(file.stat().st_size for file in shipped.path.iterdir()) <= MAX_BYTES
    assert shipped.chunk_bytes(0) <= MAX_PAYLOAD_BYTES
    assert PREFIX_BYTES in [shipped.chunk_bytes(i) for i, (first, _) in enumerate(shipped.chunks) if first == 0]
    assert (shipped.input_shape, len(shipped.classes)) == ((32, 32, 3), 10)


def test_recipe_is_the_default_config(shipped: Bundle) -> None:
    recipe = CodecConfig.from_dict(shipped.manifest["recipe"])
    assert recipe == CodecConfig.load(ROOT / "configs" / "cifar10.toml")
    assert shipped.manifest["encoder_macs"] == Encoder(3, recipe.encoder.layers).macs(32, 32)


def test_golden_symbols_and_payload_follow_from_latents(shipped: Bundle, golden: dict[str, np.ndarray]) -> None:
    assert len(golden["images"]) >= 16 and golden["latents"].dtype == np.int8
    np.testing.assert_array_equal(shipped.symbols(golden["latents"]), golden["symbols"])
    for payload, symbols in zip(golden["payload"], golden["symbols"], strict=True):
        assert payload.tobytes() == pack(symbols, shipped.bits_per_symbol)


def test_reference_kernels_reproduce_golden_latents(shipped: Bundle, golden: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(ReferenceEncoder(shipped.encoder_path).latents(golden["images"]), golden["latents"])


def test_tflm_reproduces_golden_latents(shipped: Bundle, golden: dict[str, np.ndarray]) -> None:
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(str(shipped.encoder_path))
    for image, latent in zip(golden["images"], golden["latents"], strict=True):
        interpreter.set_input(int8_pixels(image)[None], 0)
        interpreter.invoke()
        np.testing.assert_array_equal(interpreter.get_output(0)[0], latent)


def test_decoder_reproduces_golden_logits_and_classifies_most_images(
    shipped: Bundle, golden: dict[str, np.ndarray]
) -> None:
    session = onnxruntime.InferenceSession(str(shipped.decoder_path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"symbols": golden["symbols"], "ber": golden["ber"]})
    np.testing.assert_allclose(logits, golden["logits"], atol=1e-3)
    assert (logits.argmax(1) == golden["labels"]).mean() > 0.6


def test_ops_are_few_and_match_the_manifest(shipped: Bundle) -> None:
    ops = [op.name for op in operators(shipped.encoder_path)]
    assert set(ops) == {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD"}  # no PAD, no TRANSPOSE, no QUANTIZE
    assert ops == shipped.manifest["ops"]
    assert arena_bytes(shipped.encoder_path) == shipped.manifest["arena_bytes"]
