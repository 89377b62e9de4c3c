"""The default bundle: every engine that runs on a computer reproduces its golden file."""

import numpy as np
import onnxruntime
import pytest

from export.inspect_tflite import arena_bytes, operators
from export.reference import ReferenceEncoder, int8_pixels
from tests.support.train import ROOT
from train.codecs.codec import sending_order
from train.codecs.encoder import Encoder
from train.config import CodecConfig
from wire.answer import Answer
from wire.bundle import Bundle, load

MAX_BYTES = 8_000_000
MAX_PAYLOAD_BYTES, PREFIX_BYTES = 144, [48, 24, 12]


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load(ROOT / "bundles" / "cifar10")


@pytest.fixture(scope="module")
def golden(shipped: Bundle) -> dict[str, np.ndarray]:
    with np.load(shipped.golden_path) as z:
        return dict(z)


def answers(golden: dict[str, np.ndarray]) -> list[Answer]:
    return [Answer(int(index), int(confidence)) for index, confidence in golden["answers"]]


def golden_outputs(golden: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([golden["latents"], golden["scores"]], 1)


def test_bundle_is_small_and_has_the_documented_payloads(shipped: Bundle) -> None:
    assert sum(file.stat().st_size for file in shipped.path.iterdir()) <= MAX_BYTES
    whole, *prefixes = [shipped.chunk_bytes(i) for i, (first, _) in enumerate(shipped.chunks) if first == 0]
    assert whole <= MAX_PAYLOAD_BYTES and prefixes == PREFIX_BYTES
    first, count = shipped.chunks[4]  # continues the 48 bytes
    assert first == shipped.chunks[1][1] and first + count == shipped.n_symbols
    assert (shipped.input_shape, len(shipped.classes), shipped.class_count) == ((32, 32, 3), 10, 10)


def test_recipe_is_the_default_config(shipped: Bundle) -> None:
    assert CodecConfig.from_dict(shipped.manifest["recipe"]) == CodecConfig.load(ROOT / "configs" / "cifar10.toml")


def test_shapes_are_those_of_the_recipe(shipped: Bundle) -> None:
    encoder = Encoder((32, 32, 3), shipped.manifest["recipe"]["encoder"]["layers"], 10)
    assert shipped.heads == tuple(encoder.heads) and encoder.has_answer
    assert shipped.symbol_order.tolist() == sending_order(encoder.heads).tolist()
    assert shipped.manifest["encoder_macs"] == encoder.macs(32, 32)


def test_shortest_chunk_is_the_pooled_head(shipped: Bundle) -> None:
    """Any prefix decodes; the one of 12 bytes holds a whole head."""
    n = int(np.prod(shipped.heads[-1]))
    assert shipped.heads[-1][:2] == (1, 1) and shipped.chunks[3] == (0, n)


def test_golden_symbols_answers_and_payload_follow_from_the_outputs(
    shipped: Bundle, golden: dict[str, np.ndarray]
) -> None:
    assert len(golden["images"]) >= 16 and golden["latents"].dtype == golden["scores"].dtype == np.int8
    np.testing.assert_array_equal(shipped.symbols(golden["latents"]), golden["symbols"])
    assert shipped.answer is not None
    np.testing.assert_array_equal(np.stack(shipped.answer.answers(golden["scores"]), 1), golden["answers"])
    for payload, symbols, answer in zip(golden["payload"], golden["symbols"], answers(golden), strict=True):
        assert payload.tobytes() == shipped.payload(symbols, answer)


def test_golden_images_are_of_all_classes(golden: dict[str, np.ndarray]) -> None:
    assert set(golden["labels"][:10].tolist()) == set(range(10))


def test_reference_kernels_reproduce_golden_outputs(shipped: Bundle, golden: dict[str, np.ndarray]) -> None:
    reference = ReferenceEncoder(shipped.encoder_path)
    assert reference.shapes == [*shipped.heads, (1, 1, 10)]
    assert reference.output_quantization == (shipped.manifest["output_scale"], shipped.manifest["output_zero_point"])
    np.testing.assert_array_equal(reference.outputs(golden["images"]), golden_outputs(golden))


def test_tflm_reproduces_golden_outputs(shipped: Bundle, golden: dict[str, np.ndarray]) -> None:
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(str(shipped.encoder_path))
    for image, outputs in zip(golden["images"], golden_outputs(golden), strict=True):
        interpreter.set_input(int8_pixels(image)[None], 0)
        interpreter.invoke()
        found = [interpreter.get_output(number).ravel() for number in range(len(shipped.heads) + 1)]
        np.testing.assert_array_equal(np.concatenate(found), outputs)


def test_decoder_reproduces_golden_logits_and_classifies_as_the_manifest_says(
    shipped: Bundle, golden: dict[str, np.ndarray]
) -> None:
    session = onnxruntime.InferenceSession(str(shipped.decoder_path), providers=["CPUExecutionProvider"])
    words = np.array([answer.word for answer in answers(golden)])
    given = {"symbols": golden["symbols"], "ber": golden["ber"], "answer": words}
    (logits,) = session.run(["logits"], given)
    np.testing.assert_allclose(logits, golden["logits"], atol=1e-3)
    n, share = len(golden["labels"]), shipped.manifest["accuracy"]["0.001"]
    chance = 3 * np.sqrt(share * (1 - share) / n)
    assert (logits.argmax(1) == golden["labels"]).mean() == pytest.approx(share, abs=chance)
    board = shipped.manifest["accuracy_board"]
    assert (golden["answers"][:, 0] == golden["labels"]).mean() == pytest.approx(board, abs=chance)


def test_ops_are_few_and_match_the_manifest(shipped: Bundle) -> None:
    ops = [op.name for op in operators(shipped.encoder_path)]
    assert set(ops) == {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD"}  # no PAD, no TRANSPOSE, no QUANTIZE
    assert ops == shipped.manifest["ops"]
    assert arena_bytes(shipped.encoder_path) == shipped.manifest["arena_bytes"]
