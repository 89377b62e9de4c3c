"""Senders: losses, late frames, copies and restarts; several devices and models on one line."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from channel_sim import BitFlips
from host.receive.events import FeatureFrame, UnknownModel
from host.receive.sources import Source
from host.receive.stream import StreamReceiver
from tests.support.host import features, images, make_answer, make_bundle, make_frame, receive
from wire.answer import Answer
from wire.bundle import Bundle
from wire.frame import SYNC, FrameType, Header, feature_frame


def test_lost_late_and_duplicate_frames_are_counted(bundle: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    sent = [(0, 0), (1, 0), (1, 0), (4, 1), (4, 2), (4, 1), (3, 0), (3, 0), (1, 0), (9, 0)]
    received = [features(receiver.feed(make_frame(bundle, s, chunk=c)))[0] for s, c in sent]
    assert [frame.lost for frame in received] == [0, 0, 0, 2, 0, 0, 0, 0, 0, 4]
    assert [n for n, frame in enumerate(received) if frame.place.duplicate] == [2, 5, 7, 8]
    assert [n for n, frame in enumerate(received) if frame.place.late] == [6]
    source = receiver.sources[7, bundle.model_id]
    assert (source.received, source.lost, source.duplicates, source.late) == (10, 5, 4, 1), "2 and 5..8 are missing"


def test_frame_before_the_first_does_not_count_as_lost(bundle: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    for sequence in (5, 3, 4, 6):
        receiver.feed(make_frame(bundle, sequence))
    source = receiver.sources[7, bundle.model_id]
    assert (source.received, source.lost, source.late) == (4, 0, 2)


def test_restarted_board_is_not_mistaken_for_copies(bundle: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    rng = np.random.default_rng(3)
    received = []
    for sequence in (0, 1, 2, 3, 0, 1, 2, 3):
        received += features(receiver.feed(make_frame(bundle, sequence, rng.integers(0, 8, 128))))
    assert [frame.image_number for frame in received] == [0, 1, 2, 3, 32, 33, 34, 35]
    assert not any(frame.place.duplicate for frame in received)
    assert receiver.sources[7, bundle.model_id].lost == 0


def test_copy_that_lost_a_byte_counts_nothing_as_lost(bundle: Bundle) -> None:
    frame, receiver = make_frame(bundle, 1), StreamReceiver([bundle])
    stream = make_frame(bundle, 0) + frame[:30] + frame[31:] + frame + make_frame(bundle, 2)
    received = features(receive(receiver, stream))
    assert [f.sequence for f in received] == [0, 1, 1, 2] and sum(f.lost for f in received) == 0
    assert receiver.sources[7, bundle.model_id].lost == 0


@pytest.mark.parametrize("symbols", [128, 64, 16, 4])
def test_copies_are_recognised_at_any_length(symbols: int) -> None:
    rng, source, copies = np.random.default_rng(8), Source(), 0
    for n in range(500):
        bits = rng.integers(0, 2, 3 * symbols)
        for _ in range(2):
            copies += source.record(n % 32, 0, (bits ^ (rng.random(len(bits)) < 0.1)).astype(np.int8), False).duplicate
    assert copies >= 497 and source.lost == 0


def test_copies_are_recognised_through_noise(bundle: Bundle) -> None:
    receiver, rng = StreamReceiver([bundle]), np.random.default_rng(4)
    receiver.feed(make_frame(bundle, 0))
    copies = 0
    for n in range(1, 301):
        sent = make_frame(bundle, n)
        received = features(receive(receiver, b"".join(BitFlips(0.1).corrupt(sent, rng) or b"" for _ in range(2))))
        assert len({frame.image_number for frame in received}) <= 1 or n < 3
        copies += len(received) == 2
    source = receiver.sources[7, bundle.model_id]
    assert copies > 290 and source.duplicates == pytest.approx(copies, abs=3)


def test_devices_and_models_on_one_line_are_distinguished(bundle: Bundle, small: Bundle) -> None:
    receiver, rng = StreamReceiver([bundle, small]), np.random.default_rng(5)
    assert bundle.model_bits != small.model_bits
    senders = [(bundle, 7), (small, 7), (small, 200), (bundle, 0)]
    for n in range(200):
        model, device = senders[rng.integers(4)]
        sent = BitFlips(0.02).corrupt(make_frame(model, n, device=device), rng) if n > 20 else None
        (frame,) = features(receiver.feed(sent or make_frame(model, n, device=device)))
        assert (frame.model, frame.device, frame.sequence) == (model, device, n % 32)
        assert len(frame.symbols) == model.n_symbols
    assert set(receiver.sources) == {(device, model.model_id) for model, device in senders}


def colliding(folder: Path, model: Bundle) -> Iterator[Bundle]:
    """Yield bundles with the same model bits as `model`."""
    for seed in range(10, 1000):
        other = make_bundle(folder / str(seed), seed=seed, n_symbols=100)
        if other.model_bits == model.model_bits:
            yield other


def test_models_with_equal_model_bits_are_distinguished_by_crc(bundle: Bundle, tmp_path: Path) -> None:
    other = next(colliding(tmp_path, bundle))
    receiver, rng = StreamReceiver([bundle, other]), np.random.default_rng(6)
    damaged = BitFlips(0.05).corrupt(make_frame(other, 0, device=2), rng) or b""
    assert features(receive(receiver, damaged)) == [], "its model is undecidable yet"
    for n in range(1, 30):
        for model, device in ((bundle, 1), (other, 2)):
            sent = make_frame(model, n, device=device)
            damaged = BitFlips(0.03).corrupt(sent, rng) or b""
            (frame,) = features(receive(receiver, damaged if n > 1 else sent))
            assert (frame.model, frame.device) == (model, device)


def test_unknown_models_are_reported_and_skipped(bundle: Bundle, small: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    events = receiver.feed(make_frame(bundle, 0) + make_frame(small, 5, device=3) + make_frame(bundle, 1))
    assert [type(event) for event in events] == [FeatureFrame, UnknownModel, FeatureFrame]
    assert events[1] == UnknownModel(Header(FrameType.FEATURE, 3, 5, small.model_bits, 0))
    assert receiver.sources[7, bundle.model_id].lost == 0


def test_false_unknown_model_hides_no_frame(bundle: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    events = receiver.feed(SYNC + bytes(7) + make_frame(bundle, 0))  # 8 bytes of almost 0 are header 0
    assert [type(event) for event in events] == [UnknownModel, FeatureFrame]


def test_chunk_unknown_to_the_model_is_garbage(bundle: Bundle) -> None:
    header = Header(FrameType.FEATURE, 7, 0, bundle.model_bits, 9)
    receiver = StreamReceiver([bundle])
    assert receive(receiver, feature_frame(header, bytes(48), 384, bundle.number)) == []
    assert receiver.garbage_bytes == 62


def test_answers_and_features_of_an_image_are_counted_together(adaptive: Bundle) -> None:
    receiver = StreamReceiver([adaptive])
    stream = [
        make_answer(adaptive, 0),
        make_answer(adaptive, 0),  # a copy
        make_frame(adaptive, 2),
        make_answer(adaptive, 2),  # of the same image
        make_answer(adaptive, 1),  # late
        make_frame(adaptive, 5, chunk=1),
        make_frame(adaptive, 5, chunk=2),
    ]
    places = [frame.place for data in stream for frame in images(receiver.feed(data))]
    assert [place.image_number for place in places] == [0, 0, 2, 2, 1, 5, 5]
    assert [place.lost for place in places] == [0, 0, 1, 0, 0, 2, 0]
    assert [place.duplicate for place in places] == [False, True, False, False, False, False, False]
    assert [place.late for place in places] == [False] * 4 + [True] + [False] * 2
    source = receiver.sources[7, adaptive.model_id]
    assert (source.received, source.lost, source.duplicates, source.late) == (7, 2, 1, 1)


@pytest.mark.parametrize("kinds", ["answer answer", "answer features", "features answer", "features continuation"])
def test_other_answer_shows_that_the_board_restarted(adaptive: Bundle, kinds: str) -> None:
    """All frames of an image carry the same answer."""
    receiver, (before, after) = StreamReceiver([adaptive]), kinds.split()

    def sent(kind: str, answer: Answer) -> bytes:
        if kind == "answer":
            return make_answer(adaptive, 3, answer)
        return make_frame(adaptive, 3, answer=answer, chunk=2 if kind == "continuation" else 1)

    for answer, number in ((Answer(1, 9), 3), (Answer(1, 9), 3), (Answer(2, 9), 3 + 32)):
        kind = before if receiver.sources == {} else after
        (frame,) = images(receiver.feed(sent(kind, answer)))
        assert frame.image_number == number
    assert receiver.sources[7, adaptive.model_id].lost == 0


def test_copies_of_answers_are_recognised_through_noise(adaptive: Bundle) -> None:
    receiver, rng, copies = StreamReceiver([adaptive]), np.random.default_rng(9), 0
    receiver.feed(make_answer(adaptive, 0))
    for n in range(1, 301):
        sent = make_answer(adaptive, n)
        received = images(receive(receiver, b"".join(BitFlips(0.05).corrupt(sent, rng) or b"" for _ in range(2))))
        assert {frame.image_number for frame in received} == {n}
        copies += len(received) == 2
    source = receiver.sources[7, adaptive.model_id]
    assert copies > 295 and source.duplicates == copies
