"""The bundles of this repository: every engine that runs on a computer reproduces their golden files."""

import numpy as np
import onnxruntime
import pytest

from export.inspect_tflite import arena_bytes, operators
from host.classify import onnx_check
from host.reference import ReferenceEncoder, int8_pixels
from tests.support.train import ROOT
from wire.answer import Answer
from wire.bundle import Bundle, load

MAX_BYTES = 8_000_000
BUNDLES = sorted(folder.name for folder in (ROOT / "bundles").iterdir() if (folder / "bundle.json").is_file())
Golden = dict[str, np.ndarray]


@pytest.fixture(scope="module", params=BUNDLES)
def shipped(request: pytest.FixtureRequest) -> Bundle:
    return load(ROOT / "bundles" / request.param)


@pytest.fixture(scope="module")
def golden(shipped: Bundle) -> Golden:
    with np.load(shipped.golden_path) as z:
        return dict(z)


def answers(golden: Golden) -> list[Answer | None]:
    """Return the answers, None for each image of a bundle without an answer head."""
    if "answers" not in golden:
        return [None] * len(golden["images"])
    return [Answer(int(index), int(confidence)) for index, confidence in golden["answers"]]


def golden_outputs(golden: Golden) -> np.ndarray:
    """Return the outputs int8 (n, L + classes)."""
    return np.concatenate([golden["latents"], golden["scores"]] if "scores" in golden else [golden["latents"]], 1)


def test_bundle_is_small_and_has_a_model_card(shipped: Bundle) -> None:
    assert sum(file.stat().st_size for file in shipped.path.iterdir()) <= MAX_BYTES
    assert shipped.model_id in (shipped.path / "MODEL_CARD.md").read_text()
    assert shipped.name == shipped.path.name


def test_golden_symbols_answers_and_payload_follow_from_the_outputs(shipped: Bundle, golden: Golden) -> None:
    assert len(golden["images"]) >= 16 and golden_outputs(golden).dtype == np.int8
    np.testing.assert_array_equal(shipped.symbols(golden["latents"]), golden["symbols"])
    assert ("answers" in golden) == ("scores" in golden) == (shipped.answer is not None)
    if shipped.answer is not None:
        np.testing.assert_array_equal(np.stack(shipped.answer.answers(golden["scores"]), 1), golden["answers"])
    for payload, symbols, answer in zip(golden["payload"], golden["symbols"], answers(golden), strict=True):
        assert payload.tobytes() == shipped.payload(symbols, answer)


def test_reference_kernels_reproduce_golden_outputs(shipped: Bundle, golden: Golden) -> None:
    reference = ReferenceEncoder(shipped.encoder_path)
    assert reference.shapes == [*shipped.heads, *([(1, 1, shipped.class_count)] if shipped.answer else [])]
    assert reference.output_quantization == (shipped.manifest["output_scale"], shipped.manifest["output_zero_point"])
    np.testing.assert_array_equal(reference.outputs(golden["images"]), golden_outputs(golden))


def test_tflm_reproduces_golden_outputs(shipped: Bundle, golden: Golden) -> None:
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(str(shipped.encoder_path))
    count = len(shipped.heads) + (shipped.answer is not None)
    for image, outputs in zip(golden["images"], golden_outputs(golden), strict=True):
        interpreter.set_input(int8_pixels(image)[None], 0)
        interpreter.invoke()
        found = [interpreter.get_output(number).ravel() for number in range(count)]
        np.testing.assert_array_equal(np.concatenate(found), outputs)


def test_decoder_reproduces_golden_outputs_and_classifies_as_the_manifest_says(shipped: Bundle, golden: Golden) -> None:
    content = shipped.decoder_path.read_bytes()
    onnx_check.check(content)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    words = np.array([-1 if answer is None else answer.word for answer in answers(golden)])
    given = {"symbols": golden["symbols"], "ber": golden["ber"], "answer": words}
    name, limit = ("embedding", 1e-4) if shipped.embedding else ("logits", 1e-3)
    (outputs,) = session.run([name], {node.name: given[node.name] for node in session.get_inputs()})
    np.testing.assert_allclose(outputs, golden[name], atol=limit)
    if shipped.embedding:
        return  # it has no classes
    check_share((outputs.argmax(1) == golden["labels"]), shipped.manifest["accuracy"]["0.001"])
    if shipped.answer is not None:
        check_share(golden["answers"][:, 0] == golden["labels"], shipped.manifest["accuracy_board"])


def check_share(correct: np.ndarray, share: float) -> None:
    """Assert that images (n,) are correct with a probability of `share`, within 3 standard deviations."""
    assert correct.mean() == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / len(correct)))


def test_decoder_holds_no_paths_and_no_external_data(shipped: Bundle) -> None:
    content = shipped.decoder_path.read_bytes()
    for word in (b"stack_trace", b"site-packages", b"/root", b"/home", b".data"):
        assert word not in content, word


def test_ops_are_few_and_match_the_manifest(shipped: Bundle) -> None:
    ops = [op.name for op in operators(shipped.encoder_path)]
    assert set(ops) == {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD"}  # no PAD, no TRANSPOSE, no QUANTIZE
    assert ops == shipped.manifest["ops"]
    assert arena_bytes(shipped.encoder_path) == shipped.manifest["arena_bytes"]
