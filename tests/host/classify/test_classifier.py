"""The classifier: single frames, batches of frames, several devices and models."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from channel_sim import BitFlips
from host.classify import network
from host.classify.classifier import AnsweredBy, Classifier, Reading
from host.classify.decoder import Decoders, Prediction
from host.errors import HostError
from host.receive.events import AnswerFrame, FeatureFrame
from host.receive.stream import StreamReceiver
from tests.support.host import (
    ANSWER_WEIGHT,
    PROBABILITY,
    answers,
    features,
    images,
    make_answer,
    make_bundle,
    make_frame,
    symbols_of,
    weights,
)
from wire.answer import CONFIDENCES, Answer
from wire.bundle import Bundle


class FakeDecoder:
    """Decoder whose logits are the number of symbols of each level, and which records the size of each batch."""

    batch = 3
    classes: Sequence[str] = [f"level{i}" for i in range(8)]

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def logits(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None = None) -> np.ndarray:
        assert answers is not None and len(symbols) == len(ber) == len(answers)
        self.sizes.append(len(symbols))
        return (symbols[..., None] == np.arange(8)).sum(1).astype(np.float32)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("classifier") / "other", seed=1, n_symbols=41, bits=5)


def noisy_frames(bundles: Sequence[Bundle], count: int) -> list[FeatureFrame]:
    """Return frames of several devices, models and chunks through flips at 1e-2, every image twice."""
    receiver, rng = StreamReceiver(bundles), np.random.default_rng(1)
    frames = []
    for n in range(count):
        for bundle in bundles:
            for device in (1, 2):
                sent = make_frame(bundle, n, device=device, chunk=n % 3)
                frames += features(receiver.feed(sent + (BitFlips(0.01).corrupt(sent, rng) or b"")))
    return frames + features(receiver.flush())


def values(reading: Reading) -> tuple:
    """Return a reading as values that can be compared exactly, its confidence rounded."""
    prediction, confidence = reading.prediction, round(reading.prediction.confidence, 4)
    return (
        (reading.frame, prediction.index, prediction.label, confidence),
        (reading.ber, reading.payload_ber, reading.symbols.tolist(), reading.frames),
    )


def test_decode_gives_class_label_and_confidence(bundle: Bundle) -> None:
    symbols = np.random.default_rng(0).integers(-1, 8, (5, 128))
    ber = np.linspace(0, 0.5, 5)
    logits = np.maximum(symbols, 0) @ weights(0) - ber[:, None]
    prediction = Classifier.of([bundle]).decode(bundle.model_id, symbols, ber)[2]
    odds = np.exp(logits[2] - logits[2].max())
    assert prediction.index == logits[2].argmax() and prediction.label == f"class{prediction.index}"
    assert prediction.confidence == pytest.approx((odds / odds.sum()).max(), abs=1e-4)


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (3, [3]), (4, [3, 1]), (8, [3, 3, 2])])
def test_decode_splits_batches_at_size_of_decoder(count: int, sizes: list[int]) -> None:
    decoder = FakeDecoder()
    symbols = np.random.default_rng(2).integers(0, 8, (count, 1))
    predictions = Classifier({"m": decoder}).decode("m", symbols, np.full(count, 0.01))
    assert decoder.sizes == sizes
    assert [(p.index, p.label) for p in predictions] == [(i, f"level{i}") for i in symbols[:, 0].tolist()]
    assert [p.confidence for p in predictions] == pytest.approx([np.e / (np.e + 7)] * count)


def test_decode_keeps_confidence_finite_for_large_logits() -> None:
    (prediction,) = Classifier({"m": FakeDecoder()}).decode("m", np.full((1, 5000), 6), np.full(1, 0.01))
    assert prediction == Prediction(6, "level6", 1.0)


def test_read_all_gives_the_readings_of_read(bundle: Bundle, other: Bundle) -> None:
    frames = noisy_frames([bundle, other], 12)
    assert len(frames) > 90 and len({frame.model.model_id for frame in frames}) == 2
    single = Classifier.of([bundle, other])
    expected = [values(single.read(frame)) for frame in frames]
    assert [values(reading) for reading in Classifier.of([bundle, other]).read_all(frames)] == expected
    parts = Classifier.of([bundle, other])
    readings = [reading for i in range(0, len(frames), 7) for reading in parts.read_all(frames[i : i + 7])]
    assert [values(reading) for reading in readings] == expected


def test_read_all_decodes_each_model_in_its_batches(bundle: Bundle, other: Bundle) -> None:
    frames = noisy_frames([bundle, other], 5)
    decoders = {bundle.model_id: FakeDecoder(), other.model_id: FakeDecoder()}
    readings = Classifier(decoders).read_all(frames)
    assert [reading.frame for reading in readings] == frames
    for model_id, decoder in decoders.items():
        count = sum(frame.model.model_id == model_id for frame in frames)
        assert sum(decoder.sizes) == count > 9
        assert decoder.sizes == [3] * (count // 3) + [count % 3] * (count % 3 > 0)


def test_read_all_of_nothing_is_empty(bundle: Bundle) -> None:
    assert Classifier.of([bundle]).read_all([]) == []


def test_read_combines_prefix_and_continuation(bundle: Bundle) -> None:
    receiver, classifier = StreamReceiver([bundle]), Classifier.of([bundle])
    frames = [make_frame(bundle, 3, chunk=1), make_frame(bundle, 3, chunk=2), make_frame(bundle, 4, chunk=2)]
    prefix, both, alone = (classifier.read(features(receiver.feed(frame))[0]) for frame in frames)
    head, tail = symbols_of(bundle, 3, chunk=1), symbols_of(bundle, 3, chunk=2)
    assert prefix.symbols.tolist() == [*head, *[-1] * 64]
    assert both.symbols.tolist() == [*head, *tail]
    assert alone.symbols.tolist() == [*[-1] * 64, *symbols_of(bundle, 4, chunk=2)]
    assert both.prediction.index == (both.symbols @ weights(0)).argmax()


def test_each_device_and_model_has_its_own_estimate(tmp_path: Path) -> None:
    first, second = make_bundle(tmp_path / "a"), make_bundle(tmp_path / "b", seed=1, n_symbols=41, bits=5)
    receiver, classifier = StreamReceiver([first, second]), Classifier.of([first, second])
    for n in range(20):
        noisy = bytearray(make_frame(first, n, device=1))
        noisy[0] ^= 0x81
        for device, bundle, frame in [
            (1, first, bytes(noisy)),
            (2, first, make_frame(first, n, device=2)),
            (1, second, make_frame(second, n, device=1)),
        ]:
            reading = classifier.read(features(receiver.feed(frame))[0])
            assert (reading.frame.device, reading.frame.model) == (device, bundle)
            assert (reading.ber > 3e-3) == (bundle is first and device == 1)
    assert reading.as_json()["model_id"] == second.model_id


def readings_of(bundle: Bundle, *frames: bytes) -> list[Reading]:
    """Return the readings of frames that arrive on one line."""
    receiver, classifier = StreamReceiver([bundle]), Classifier.of([bundle])
    return [classifier.read(frame) for data in frames for frame in images(receiver.feed(data))]


def test_answer_is_the_boards_reading(adaptive: Bundle) -> None:
    (reading,) = readings_of(adaptive, make_answer(adaptive, 4, Answer(6, 9)))
    assert reading.prediction == Prediction(6, "class6", PROBABILITY[9])
    assert reading.answered_by == AnsweredBy.BOARD and not reading.unsure and reading.frames == 1
    assert (reading.symbols == -1).all() and len(reading.symbols) == adaptive.n_symbols
    values = reading.as_json()
    assert (values["frame"], values["answered_by"], values["unsure"]) == ("answer", "board", False)
    assert [values[name] for name in ("chunk", "crc_ok", "received_bits", "payload")] == [None] * 4
    assert (values["class"], values["index"], values["confidence"]) == ("class6", 6, PROBABILITY[9])
    assert json.loads(json.dumps(values)) == values


def test_features_are_the_hosts_reading_with_the_answer_as_input(adaptive: Bundle) -> None:
    for answer in (Answer(0, 0), Answer(9, 15)):
        (reading,) = readings_of(adaptive, make_frame(adaptive, 4, answer=answer))
        symbols = symbols_of(adaptive, 4)
        logits = symbols @ weights(2) - reading.payload_ber + answer.word * ANSWER_WEIGHT * np.arange(10)
        assert reading.prediction.index == logits.argmax() and reading.answered_by == AnsweredBy.HOST
        assert reading.answer_word == answer.word
        assert (reading.as_json()["frame"], reading.as_json()["answered_by"]) == ("features", "host")
        assert reading.as_json()["payload"].startswith(f"{answer.word:04x}")


def test_answer_and_features_of_one_image_combine_to_the_hosts_reading(adaptive: Bundle) -> None:
    answer, frame = make_answer(adaptive, 4), make_frame(adaptive, 4)
    (alone,) = readings_of(adaptive, frame)
    for sent in ((answer, frame), (frame, answer)):
        first, second = readings_of(adaptive, *sent)
        assert first.answered_by == (AnsweredBy.BOARD if sent[0] is answer else AnsweredBy.HOST)
        assert (second.answered_by, second.frames) == (AnsweredBy.HOST, 2)
        assert second.prediction.index == alone.prediction.index
        assert second.answer_word == alone.answer_word and second.symbols.tolist() == alone.symbols.tolist()
    assert second.as_json()["frame"] == "answer" and second.as_json()["answered_by"] == "host"


def test_read_all_mixes_answers_and_features(adaptive: Bundle) -> None:
    rng, receiver, frames = np.random.default_rng(8), StreamReceiver([adaptive]), []
    for n in range(60):
        sent = make_answer(adaptive, n) if n % 3 else make_frame(adaptive, n)
        frames += images(receiver.feed(sent) + receiver.feed(BitFlips(0.03).corrupt(sent, rng) or b""))
    single = Classifier.of([adaptive])
    expected = [values(single.read(frame)) for frame in frames]
    readings = Classifier.of([adaptive]).read_all(frames)
    assert [values(reading) for reading in readings] == expected and len(frames) > 110
    by_board = [reading.answered_by == AnsweredBy.BOARD for reading in readings]
    assert by_board == [isinstance(frame, AnswerFrame) for frame in frames]


def test_unsure_answer_becomes_sure_by_a_copy(adaptive: Bundle) -> None:
    receiver, classifier = StreamReceiver([adaptive]), Classifier.of([adaptive])
    (frame,) = answers(receiver.feed(make_answer(adaptive, 1, Answer(3, 8))))
    doubtful = frame.distances.copy()
    doubtful[6 * CONFIDENCES] = doubtful.min() + 3
    first = classifier.read(replace(frame, distances=doubtful))
    assert first.unsure and first.prediction.index == 3 and first.as_json()["unsure"]
    second = classifier.read(frame)
    assert not second.unsure and (second.prediction.index, second.frames) == (3, 2)


def test_bundle_without_features_needs_no_decoder(tmp_path: Path) -> None:
    alone = make_bundle(tmp_path / "alone", n_symbols=0, answer=True)
    alone.decoder_path.write_bytes(b"not read")
    (reading,) = readings_of(alone, make_answer(alone, 4, Answer(6, 9)))
    assert reading.prediction.label == "class6" and reading.symbols.tolist() == []
    with pytest.raises(ValueError, match="this model sends no features"):
        Classifier.of([alone]).decode(alone.model_id, np.zeros((1, 0)), np.zeros(1))


def test_classifiers_share_the_processes_of_their_networks(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    started, start = [], network._start

    def counted() -> "subprocess.Popen[bytes]":
        started.append(start())
        return started[-1]

    monkeypatch.setattr(network, "_start", counted)
    decoders = Decoders()
    classifiers = [Classifier.of([bundle], decoders=decoders) for _ in range(3)]
    symbols, ber = np.zeros((1, bundle.n_symbols), np.int64), np.full(1, 0.1)
    assert len({one.decode(bundle.model_id, symbols, ber)[0] for one in classifiers}) == 1 and len(started) == 1
    started[0].kill()  # as one that exceeds its limits
    with pytest.raises(HostError, match="ended its process"):
        classifiers[0].decode(bundle.model_id, symbols, ber)
    with pytest.raises(HostError, match="has been stopped"):
        classifiers[1].decode(bundle.model_id, symbols, ber)
    assert Classifier.of([bundle], decoders=decoders).decode(bundle.model_id, symbols, ber) and len(started) == 2
