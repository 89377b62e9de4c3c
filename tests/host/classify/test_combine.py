"""Combination of chunks and copies, by the reliability of each bit."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from channel_sim import BitFlips
from host.classify.classifier import Classifier
from host.classify.combine import ImageBits
from host.receive.answers import AnswerTable
from host.receive.events import NO_ANSWER, AnswerFrame, FeatureFrame
from host.receive.radio import PacketReceiver
from host.receive.stream import START_BYTES, StreamReceiver
from tests.support.host import (
    answer_of,
    answers,
    features,
    make_answer,
    make_bundle,
    make_frame,
    receive,
    symbols_of,
)
from wire import bch
from wire.answer import CONFIDENCES, Answer
from wire.bundle import Bundle
from wire.frame import SYNC, header_part
from wire.payload import symbols_to_bits


def copy_of(bundle: Bundle, ber: float, rng: np.random.Generator, chunk: int = 0) -> FeatureFrame:
    """Return a frame of image 0 with flips in its payload and a clean header."""
    frame = make_frame(bundle, 0, chunk=chunk)
    damaged = frame[:START_BYTES] + (BitFlips(ber).corrupt(frame[START_BYTES:], rng) or b"")
    (received,) = features(receive(StreamReceiver([bundle]), damaged))
    return received


def wrong_bits(bundle: Bundle, symbols: np.ndarray) -> float:
    """Return the share of wrong bits in the symbols of image 0."""
    sent = symbols_to_bits(symbols_of(bundle, 0), 3)
    return float((symbols_to_bits(symbols, 3) != sent).mean())


def combined(bundle: Bundle, bers: list[float], rounds: int = 200) -> tuple[float, float]:
    """Return the share of wrong bits after combination, and the share that the combination expects."""
    rng, wrong, expected = np.random.default_rng(1), [], []
    for _ in range(rounds):
        image = ImageBits(bundle)
        for ber in bers:
            image.add(copy_of(bundle, ber, rng), ber)
        wrong.append(wrong_bits(bundle, image.symbols()))
        expected.append(image.ber())
    return float(np.mean(wrong)), float(np.mean(expected))


def test_single_frame_keeps_its_ber(bundle: Bundle) -> None:
    wrong, expected = combined(bundle, [0.07])
    assert wrong == pytest.approx(0.07, rel=0.05) and expected == pytest.approx(0.07)


def test_good_copy_outweighs_two_bad_ones(bundle: Bundle) -> None:
    """A vote of three would be wrong in 0.2^2 + 2 * 0.01 * 0.2 * 0.8 = 4.3 % of the bits."""
    wrong, expected = combined(bundle, [0.2, 0.01, 0.2])
    assert wrong == pytest.approx(0.01, rel=0.12), "two bad copies never overrule the good one: 16 < 99"
    assert expected == pytest.approx(wrong, rel=0.12)


def test_copies_are_no_worse_than_the_best(bundle: Bundle) -> None:
    assert combined(bundle, [0.1, 0.02])[0] == pytest.approx(0.02, rel=0.12)
    wrong, expected = combined(bundle, [0.1, 0.1, 0.1])
    assert wrong == pytest.approx(0.1**3 + 3 * 0.1**2 * 0.9, rel=0.12)
    assert expected == pytest.approx(wrong, rel=0.12)


def test_chunks_of_one_image_combine_in_any_order(bundle: Bundle) -> None:
    for order in ([1, 2], [2, 1], [0, 2], [2, 0, 1]):
        receiver, classifier = StreamReceiver([bundle]), Classifier.of([bundle])
        symbols = symbols_of(bundle, 3)
        for chunk in order:
            frame = make_frame(bundle, 3, symbols[bundle.chunk_slice(chunk)], chunk=chunk)
            reading = [classifier.read(f) for f in features(receiver.feed(frame))][-1]
        assert reading.symbols.tolist() == symbols.tolist()
        assert reading.frames == len(order)


def test_other_devices_and_later_images_do_not_interfere(bundle: Bundle) -> None:
    receiver, classifier = StreamReceiver([bundle]), Classifier.of([bundle])
    first_half, second_half = symbols_of(bundle, 3, chunk=1), symbols_of(bundle, 3, chunk=2)
    sent = [(3, 7, 1), (9, 8, 1), (4, 7, 0), (3, 7, 2)]
    readings = [
        classifier.read(frame)
        for sequence, device, chunk in sent
        for frame in features(receiver.feed(make_frame(bundle, sequence, device=device, chunk=chunk)))
    ]
    assert readings[-1].symbols.tolist() == [*first_half, *second_half]
    assert readings[-1].frame.place.late and readings[-1].frames == 2
    assert (readings[1].symbols[64:] == -1).all()


def test_copies_reduce_wrong_symbols(bundle: Bundle) -> None:
    """At 0.1, header flips included: more copies give the decoder fewer wrong symbols."""
    rng, wrong = np.random.default_rng(2), np.zeros(4)
    receiver, classifier = StreamReceiver([bundle]), Classifier.of([bundle])
    for n in range(200):
        readings = []
        for _ in range(4):
            damaged = BitFlips(0.1).corrupt(make_frame(bundle, n), rng) or b""
            readings += [classifier.read(frame) for frame in features(receive(receiver, damaged))]
        if len(readings) == 4 and n > 20:
            wrong += [np.mean(reading.symbols != symbols_of(bundle, n)) for reading in readings]
    print((wrong / wrong[0]).round(2))
    assert wrong[3] < 0.4 * wrong[0] and wrong[2] < 0.6 * wrong[0] and wrong[1] < 1.1 * wrong[0]


def test_clean_copy_decides(bundle: Bundle) -> None:
    rng, receiver, classifier = np.random.default_rng(3), StreamReceiver([bundle]), Classifier.of([bundle])
    sent = make_frame(bundle, 5)
    copies = [BitFlips(0.1).corrupt(sent, rng) or b"" for _ in range(3)]
    receiver.feed(make_frame(bundle, 4))
    readings = [classifier.read(f) for f in features(receive(receiver, b"".join([*copies, sent])))]
    assert readings[-1].as_json()["crc_ok"] and readings[-1].frames >= 3
    assert readings[-1].symbols.tolist() == symbols_of(bundle, 5).tolist()


def test_many_copies_stay_within_limits(bundle: Bundle) -> None:
    image = ImageBits(bundle)
    with np.errstate(all="raise"):
        for _ in range(200):
            image.add(copy_of(bundle, 0.0, np.random.default_rng(0)), 1e-4)
            assert 0 <= image.ber() <= 1e-4 + 1e-12


def test_copies_from_two_gateways_combine(bundle: Bundle) -> None:
    packets, classifier = PacketReceiver([bundle]), Classifier.of([bundle])
    readings = []
    for snr in (-9.0, -6.5):
        frame = packets.take(make_frame(bundle, 2)[len(SYNC) :], snr_db=snr, rssi_dbm=-120.0)
        assert isinstance(frame, FeatureFrame)
        readings.append(classifier.read(frame))
    assert [r.frames for r in readings] == [1, 2] and readings[1].frame.place.duplicate
    assert readings[1].as_json()["snr_db"] == -6.5


def test_memory_does_not_grow_with_images(bundle: Bundle) -> None:
    receiver, classifier = StreamReceiver([bundle]), Classifier.of([bundle])
    for n in range(100):
        for frame in features(receiver.feed(make_frame(bundle, n))):
            classifier.read(frame)
    (link,) = classifier._devices.values()
    (source,) = receiver.sources.values()
    assert len(link._images) <= 16 and [len(track.images) for track in source.tracks] == [32]


def answer_copies(bundle: Bundle, answer: Answer, bers: Sequence[float], rng: np.random.Generator) -> list[AnswerFrame]:
    """Return copies of an answer as of a known device, with these bit error rates; none of them is lost."""
    sent, copies = make_answer(bundle, 5, answer, sync=False), []
    (clean,) = answers([PacketReceiver([bundle]).take(sent)])
    table = AnswerTable(bundle.class_count)
    headers = bch.ANSWER.codewords([header_part(7, 5, bundle.model_bits)])
    for ber in bers:
        distances = table.distances(BitFlips(ber).corrupt(sent, rng) or b"", headers)[0]
        copies.append(replace(clean, distances=distances))
    return copies


def test_copies_of_answers_are_better_than_the_best_of_them(tmp_path: Path) -> None:
    """At 0.25, an answer of 100 classes alone is often wrong. Three add up to more than the nearest of them."""
    many, rng = make_bundle(tmp_path / "many", classes=100, answer=True), np.random.default_rng(4)
    wrong = {"single": 0, "best": 0, "sum": 0}
    for _ in range(600):
        sent = Answer(int(rng.integers(100)), int(rng.integers(CONFIDENCES)))
        copies = answer_copies(many, sent, [0.25] * 3, rng)
        image = ImageBits(many)
        for copy in copies:
            image.add(copy, 0.25)
        nearest = min(copies, key=lambda copy: copy.distances.min())
        wrong["single"] += copies[0].answer.index != sent.index
        wrong["best"] += nearest.answer.index != sent.index
        wrong["sum"] += image.answer()[0].index != sent.index
    print(wrong)
    assert wrong["sum"] * 5 < wrong["best"] < wrong["single"]


def test_sum_of_copies_is_unsure_where_it_is_wrong(tmp_path: Path) -> None:
    many, rng = make_bundle(tmp_path / "many", classes=100, answer=True), np.random.default_rng(5)
    for bers in ([0.15], [0.2, 0.2], [0.3, 0.1]):
        wrong = unsure = 0
        for _ in range(300):
            image, sent = ImageBits(many), Answer(int(rng.integers(100)), 7)
            for copy, ber in zip(answer_copies(many, sent, bers, rng), bers, strict=True):
                image.add(copy, ber)
            answer, doubtful = image.answer()
            unsure += doubtful
            wrong += answer.index != sent.index and not doubtful
        print(bers, wrong, unsure)
        assert wrong == 0 and unsure < 100


def test_single_copy_is_as_unsure_as_its_frame(adaptive: Bundle) -> None:
    rng, differing = np.random.default_rng(6), 0
    for _ in range(300):
        (copy,) = answer_copies(adaptive, Answer(3, 8), [0.2], rng)
        image = ImageBits(adaptive)
        image.add(copy, 0.01)
        assert image.answer() == (copy.answer, copy.unsure) and not image.has_features
        differing += copy.unsure
    assert 0 < differing < 300


@pytest.mark.parametrize("ber", [1e-4, 0.05, 0.4999])
def test_single_frame_is_what_the_combination_of_its_bits_is(adaptive: Bundle, ber: float) -> None:
    """A single frame is passed on as it is, without the ratios of its bits."""
    rng = np.random.default_rng(8)
    for chunk in (0, 1, 2):
        frame = copy_of(adaptive, 0.05, rng, chunk)
        single, ratios = ImageBits(adaptive), ImageBits(adaptive)
        single.add(frame, ber)
        ratios.frames = 1
        ratios._add_features(frame, ber)
        assert single.symbols().tolist() == ratios.symbols().tolist() and single.has_features
        assert single.answer_word() == ratios.answer_word() and single.ber() == pytest.approx(ratios.ber())


def test_answer_word_of_features_is_combined_over_chunks_and_copies(adaptive: Bundle) -> None:
    rng, sent = np.random.default_rng(7), answer_of(adaptive, 0)
    wrong = np.zeros(4)
    for _ in range(300):
        image, receiver = ImageBits(adaptive), StreamReceiver([adaptive])
        assert image.answer_word() == NO_ANSWER
        for n, chunk in enumerate((1, 2, 0, 0)):
            frame = make_frame(adaptive, 0, symbols_of(adaptive, 0)[adaptive.chunk_slice(chunk)], chunk=chunk)
            damaged = frame[:START_BYTES] + (BitFlips(0.1).corrupt(frame[START_BYTES:], rng) or b"")
            (received,) = features(receive(receiver, damaged))
            image.add(received, 0.1)
            wrong[n] += (image.answer_word() ^ sent.word).bit_count() / 16 / 300
    print(wrong.round(4))
    assert wrong[0] == pytest.approx(0.1, rel=0.1) and wrong[2] == pytest.approx(0.028, rel=0.25)
    assert image.symbols().shape == (128,) and image.has_features


def test_missing_answer_bit_leaves_no_answer_word(adaptive: Bundle) -> None:
    frame = make_frame(adaptive, 0)
    whole, cut = (features(receive(StreamReceiver([adaptive]), data))[0] for data in (frame, frame[:40]))
    image = ImageBits(adaptive)
    image.add(cut, 0.01)
    assert not cut.whole and image.answer_word() == NO_ANSWER
    image.add(whole, 0.01)
    assert image.answer_word() == answer_of(adaptive, 0).word


def test_answer_frame_corrects_the_answer_word_of_features(adaptive: Bundle) -> None:
    sent = answer_of(adaptive, 0)
    frame = bytearray(make_frame(adaptive, 0))
    frame[START_BYTES:] = bytes(byte ^ 0x11 for byte in frame[START_BYTES:])
    (damaged,) = features(receive(StreamReceiver([adaptive]), bytes(frame)))
    (answer,) = answers([PacketReceiver([adaptive]).take(make_answer(adaptive, 0, sync=False))])
    image = ImageBits(adaptive)
    image.add(damaged, 0.2)
    assert image.answer_word() != sent.word
    image.add(answer, 0.2)
    assert image.answer_word() == sent.word and image.has_features and image.frames == 2
    alone = ImageBits(adaptive)
    alone.add(answer, 0.2)
    assert alone.answer_word() == sent.word and not alone.has_features
