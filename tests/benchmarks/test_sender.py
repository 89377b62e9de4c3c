"""Tests of the simulated board: frames by image, delivery over bit flips, and what arrives intact."""

import numpy as np
import pytest

from benchmarks.delivery import Delivery
from benchmarks.encoding import ANSWER, Encoded, classes_if_intact
from benchmarks.sender import WARM_UP, Sender
from host.classify.decoder import Decoder
from host.keys.policy import Auth
from host.receive.events import AnswerFrame, FeatureFrame
from host.receive.radio import PacketReceiver
from tests.host.secured import KEYS
from tests.support.host import make_bundle
from wire.answer import CONFIDENCES
from wire.bundle import Bundle
from wire.secure.keys import Keys

N = 64


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("sender") / "default", answer=True)


@pytest.fixture(scope="module")
def encoded(bundle: Bundle) -> Encoded:
    rng = np.random.default_rng(0)
    return Encoded(rng.integers(0, 8, (N, 128)), rng.integers(0, 10, N), np.arange(N) % CONFIDENCES)


def ignore(done: int) -> None:
    """Take progress and do nothing."""


def test_encoded_splits_the_outputs_of_the_encoder(bundle: Bundle) -> None:
    outputs = np.random.default_rng(1).integers(-128, 128, (5, 138)).astype(np.int8)
    outputs[:, 130] = 127
    encoded = Encoded.of(bundle, outputs)
    np.testing.assert_array_equal(encoded.symbols, bundle.symbols(outputs[:, :128]))
    assert encoded.classes is not None and encoded.classes.tolist() == [2] * 5
    part = encoded[1:3]
    assert len(part.symbols) == 2 and part.answer(0) == encoded.answer(1)


def test_chunks_follow_the_threshold(encoded: Encoded) -> None:
    assert set(encoded.chunks(1)) == {1} and set(encoded.chunks(1, 0)) == {ANSWER}
    assert encoded.chunks(1, 8)[:16].tolist() == [1] * 8 + [ANSWER] * 8
    with pytest.raises(ValueError, match="no threshold"):
        Encoded(encoded.symbols).chunks(1, 8)


@pytest.mark.parametrize("keys", [None, KEYS], ids=["plain", "secured"])
def test_sender_frames_are_received_as_those_of_their_images(
    bundle: Bundle, encoded: Encoded, keys: Keys | None
) -> None:
    sender = Sender(bundle, encoded, encoded.chunks(0, 8), first=100, keys=keys)
    receiver = PacketReceiver([bundle], policies=sender.policies)
    for number in [*range(100 - WARM_UP, 100 + N)]:
        event = receiver.take(sender.frame(number, sync=False))
        frame, others = sender.own([event, None], number)
        i = max(number - 100, 0)
        assert frame is event and others == 0
        assert frame and frame.auth == (Auth.FULL if keys else Auth.NONE)
        assert isinstance(event, AnswerFrame if i % 16 >= 8 else FeatureFrame)
        if isinstance(event, AnswerFrame):
            assert event.answer == encoded.answer(i)
    assert sender.own([event], 100 + N - 2) == (None, 1)


def test_classes_if_intact_are_those_of_a_clean_delivery(bundle: Bundle, encoded: Encoded) -> None:
    decoder = Decoder(bundle)
    for chunk in (0, 1):
        labels = classes_if_intact(bundle, decoder, encoded, chunk)
        delivery = Delivery(bundle, decoder, chunk, 0.0, 0)
        delivery.send(encoded, labels, ignore)
        figures = delivery.figures()
        assert figures["accuracy"] == figures["accuracy_sent"] == figures["accuracy_true_ber_given"] == 1.0
    assert len(set(labels)) > 3


def test_delivery_sends_answers_above_the_threshold(bundle: Bundle, encoded: Encoded) -> None:
    decoder = Decoder(bundle)
    host, board = classes_if_intact(bundle, decoder, encoded, 0), encoded.classes
    assert board is not None
    labels = np.where(np.arange(N) % 16 >= 8, board, host)
    delivery = Delivery(bundle, decoder, 0, 0.0, 0, threshold=8)
    delivery.send(encoded[:20], labels[:20], ignore)
    delivery.send(encoded[20:], labels[20:], ignore)
    figures = delivery.figures()
    assert figures["accuracy_sent"] == 1.0 and "accuracy_true_ber_given" not in figures
    answers = Delivery(bundle, decoder, ANSWER, 0.05, 0)
    answers.send(encoded, board, ignore)
    assert answers.figures()["accuracy_sent"] > 0.95 and 0.02 < answers.figures()["ber_estimated"] < 0.1
