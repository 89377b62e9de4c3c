"""Tests of runs as subjects of an evaluation."""

import numpy as np
import pytest

from export.evaluation.runs import CodecSubject
from tests.train.codecs.split.support import batch, small_classifier
from train import evaluate
from train.codecs.split.registry import SPLIT_CODECS
from train.config import QuantizerConfig


@pytest.mark.parametrize("name", ["adjscc", "deepcod"])
def test_predict_gives_the_ber_to_an_encoder_that_adapts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = SPLIT_CODECS[name]
    codec = kind(small_classifier(), (8, 8, 3), QuantizerConfig(), kind.Options())
    images = (255 * batch()[0]).byte().permute(0, 2, 3, 1).numpy()
    given, encode = [], evaluate.encode

    def recorded(*arguments: object) -> object:
        given.append(arguments[2] if len(arguments) > 2 else None)
        return encode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluate, "encode", recorded)
    subject = CodecSubject(codec, ((0, codec.n_symbols),), 4)
    encoded = subject.encode(images, lambda: None)
    for ber in (0.0, 0.05):
        predicted = subject.predict(encoded, codec.n_symbols, ber, 1)
        expected = evaluate.logits(codec, encode(codec, images, ber), ber, seed=1).argmax(1)
        np.testing.assert_array_equal(predicted, expected.numpy())
    assert given == ([None, 0.0, 0.05] if name == "adjscc" else [None])
