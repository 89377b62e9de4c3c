"""Tests of a bundle as the subject of an evaluation: prefixes, flips, answers as the decoder's input."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from export.evaluation import subject
from export.evaluation.runs import answers_of
from export.evaluation.subject import BundleSubject
from host.classify.classifier import Classifier
from host.errors import HostError
from tests.support.host import make_bundle
from wire.answer import answer_word
from wire.bundle import Bundle

N = 24


class FakeEncoder:
    """An encoder with random outputs."""

    def __init__(self, file: Path) -> None:
        self._rng = np.random.default_rng(0)

    def outputs(self, images: np.ndarray, on_progress: Callable[[], None]) -> np.ndarray:
        for _ in images:
            on_progress()
        return self._rng.integers(-128, 128, images.shape).astype(np.int8)


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "ReferenceEncoder", FakeEncoder)


def outputs(bundle: Bundle) -> np.ndarray:
    """Return a stand-in for images, of the shape of the encoder's outputs."""
    return np.zeros((N, bundle.latent_size + bundle.class_count))


@pytest.mark.parametrize("answer", [True, False])
def test_predict_is_what_the_host_decodes(tmp_path: Path, answer: bool) -> None:
    bundle, done = make_bundle(tmp_path / "bundle", answer=answer), []
    tested = BundleSubject(bundle)
    encoded = tested.encode(outputs(bundle), lambda: done.append(1))
    assert len(done) == N and encoded.symbols is not None
    assert list(tested.prefixes.values()) == [128, 64]
    words = None
    if answer:
        assert encoded.classes is not None and encoded.confidences is not None
        words = answer_word(encoded.classes, encoded.confidences)
        classes, levels = answers_of(words, bundle.class_count)
        assert (classes == encoded.classes).all() and (levels == encoded.confidences).all()
    for count in tested.prefixes.values():
        received = encoded.symbols.copy()
        received[:, count:] = -1
        host = Classifier.of([bundle]).decode(bundle.model_id, received, np.full(N, 1e-4), words)
        clean = tested.predict(encoded, count, 0.0, 0)
        np.testing.assert_array_equal(clean, [prediction.index for prediction in host])
        noisy = [tested.predict(encoded, count, 0.3, draw) for draw in (0, 0, 1)]
        assert (noisy[0] == noisy[1]).all() and (noisy[0] != noisy[2]).any() and (noisy[0] != clean).any()


def test_a_board_that_only_answers_has_no_payload(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", n_symbols=0, answer=True)
    tested = BundleSubject(bundle)
    encoded = tested.encode(outputs(bundle), lambda: None)
    assert tested.prefixes == {} and encoded.symbols is None
    assert encoded.classes is not None and encoded.classes.shape == (N,)


def test_decoder_is_checked_as_the_host_does(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle")
    model = onnx.load(bundle.decoder_path)
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    bundle.decoder_path.write_bytes(model.SerializeToString())
    with pytest.raises(HostError, match=r"decoder\.onnx is refused: a tensor is in an external file$"):
        BundleSubject(bundle)
