"""The receiver on streams of frames, garbage, flipped bits and missing bytes."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channel_sim import BitFlips, ByteLoss, Compose, Stream, Truncation
from host.receive import frames
from host.receive.events import ControlFrame, Event, FeatureFrame, UnknownModel
from host.receive.sources import Source
from host.receive.stream import StreamReceiver
from tests.support.host import features, levels_of, make_bundle, make_frame, receive
from wire.bundle import Bundle
from wire.control import ErrorReply, Opcode, reply
from wire.frame import SYNC, FrameType, Header, feature_frame


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("receiver") / "default")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("receiver") / "small", seed=1, symbols=41, bits=5, classes=3)


def outline(event: Event) -> tuple:
    """An event as plain values, to compare."""
    if isinstance(event, FeatureFrame):
        return (
            event.header,
            event.symbols.tolist(),
            event.received_bits,
            (event.sync_flips, event.header_flips),
            (event.crc_ok, event.place),
        )
    return (event,)


def test_clean_frames_come_back_as_they_were_sent(bundle: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    for sequence in range(40):
        for chunk, (first, count) in enumerate(bundle.chunks):
            (frame,) = features(receiver.feed(make_frame(bundle, sequence, chunk=chunk)))
            levels = levels_of(bundle, sequence, chunk=chunk)
            assert (frame.device, frame.sequence, frame.chunk) == (7, sequence % 32, chunk)
            assert frame.symbols[first : first + count].tolist() == levels.tolist()
            assert (np.delete(frame.symbols, np.arange(first, first + count)) == -1).all()
            assert frame.crc_ok and frame.whole and frame.sync_flips == frame.header_flips == frame.lost == 0
    assert receiver.garbage_bytes == receiver.waiting_bytes == 0


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=80),
        st.tuples(st.integers(0, 40), st.integers(0, 2), st.sampled_from([0.0, 0.0, 0.02, 0.1])),
        st.tuples(st.integers(0, 40), st.integers(0, 60)),  # a frame that lost one byte
        st.just(SYNC),
        st.just(reply(Opcode.ERROR, 5, ErrorReply(3, 2).pack(), 9, 11)),
    ),
    max_size=12,
)


def build(bundle: Bundle, pieces: list, seed: int) -> bytes:
    rng, stream = np.random.default_rng(seed), b""
    for piece in pieces:
        match piece:
            case bytes():
                stream += piece
            case (sequence, chunk, ber):
                stream += BitFlips(ber).corrupt(make_frame(bundle, sequence, chunk=chunk), rng) or b""
            case (sequence, missing):
                frame = make_frame(bundle, sequence)
                stream += frame[:missing] + frame[missing + 1 :]
    return stream


@settings(max_examples=150, deadline=None)
@given(pieces=PIECES, cuts=st.lists(st.integers(0, 900), max_size=30), seed=st.integers(0, 1000))
def test_it_does_not_matter_how_a_stream_is_cut(bundle: Bundle, pieces: list, cuts: list, seed: int) -> None:
    stream = build(bundle, pieces, seed)
    whole, cut, single = StreamReceiver([bundle]), StreamReceiver([bundle]), StreamReceiver([bundle])
    expected = [outline(event) for event in receive(whole, stream)]
    edges = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    events = [e for a, b in pairwise(edges) for e in cut.feed(stream[a:b])] + cut.flush()
    assert [outline(event) for event in events] == expected
    events = [e for i in range(len(stream)) for e in single.feed(stream[i : i + 1])] + single.flush()
    assert [outline(event) for event in events] == expected
    assert whole.garbage_bytes == cut.garbage_bytes == single.garbage_bytes <= len(stream)


@settings(max_examples=150, deadline=None)
@given(noise=st.lists(st.binary(max_size=100), min_size=1, max_size=8), data=st.data())
def test_clean_frames_are_found_in_garbage(bundle: Bundle, noise: list[bytes], data: st.DataObject) -> None:
    chunks = data.draw(st.lists(st.integers(0, 2), min_size=len(noise), max_size=len(noise)))
    frames = [make_frame(bundle, n, chunk=chunk) for n, chunk in enumerate(chunks)]
    stream = b"".join(garbage + frame for garbage, frame in zip(noise, frames, strict=True))
    receiver = StreamReceiver([bundle])
    found = features(receive(receiver, stream))
    clean = [(f.sequence, f.chunk, f.symbols[f.symbols >= 0].tolist()) for f in found if f.crc_ok]
    assert clean == [(n, c, levels_of(bundle, n, chunk=c).tolist()) for n, c in enumerate(chunks)]
    assert len(found) > len(clean) or receiver.garbage_bytes == sum(map(len, noise))


@settings(max_examples=100, deadline=None)
@given(stream=st.binary(max_size=3000), ends=st.lists(st.integers(0, 3000), max_size=5))
def test_garbage_never_raises_and_is_never_kept(bundle: Bundle, stream: bytes, ends: list[int]) -> None:
    receiver = StreamReceiver([bundle])
    for a, b in zip([0, *sorted(ends)], [*sorted(ends), 3000], strict=True):
        receiver.feed(stream[a:b])
        assert receiver.waiting_bytes <= 300
        if b % 2:
            receiver.flush()
            assert receiver.waiting_bytes == 0


def test_random_bytes_hold_no_frames(bundle: Bundle, small: Bundle) -> None:
    """Of a megabyte, ten thousand places look like a sync word, and 270 well enough for the code alone."""
    receiver = StreamReceiver([bundle, small])
    for device in range(3):
        receiver.feed(make_frame(bundle, 0, device=device))
    assert features(receive(receiver, np.random.default_rng(0).bytes(1_000_000))) == []
    assert receiver.garbage_bytes == pytest.approx(1_000_000, abs=100)


@pytest.mark.parametrize(("ber", "limit"), [(0.01, 0.0), (0.05, 0.001), (0.1, 0.02)])
def test_frames_of_known_devices_are_rarely_lost(bundle: Bundle, ber: float, limit: float) -> None:
    frames = 3000
    receiver, stream = StreamReceiver([bundle]), Stream(BitFlips(ber), seed=1)
    receiver.feed(make_frame(bundle, 0))
    found = 0
    for n in range(1, frames + 1):
        events = features(receiver.feed(stream.feed(make_frame(bundle, n))))
        right = [e for e in events if (e.device, e.sequence, e.chunk) == (7, n % 32, 0)]
        assert len(right) <= 1
        found += len(right)
        if right:  # the bits after the header are as many wrong as the channel has made
            wrong = int((right[0].symbols != levels_of(bundle, n)).sum())
            assert wrong <= 128 * 6 * ber + 20
    loss = 1 - found / frames
    print(f"BER {ber:g}: {loss:.2%} of {frames} frames lost, limit {limit:.0%}")
    assert loss <= limit
    assert receiver.sources[7, bundle.model_id].lost == pytest.approx(frames - found, abs=3)


def test_a_device_that_was_never_clean_becomes_known(bundle: Bundle) -> None:
    receiver, stream = StreamReceiver([bundle]), Stream(BitFlips(0.1), seed=2)
    found = [features(receiver.feed(stream.feed(make_frame(bundle, n)))) for n in range(1000)]
    assert not any(frame.crc_ok for frames in found[:100] for frame in frames)
    assert sum(bool(frames) for frames in found[20:]) > 0.97 * 980


def test_lost_bytes_cost_only_their_own_frame(bundle: Bundle) -> None:
    """A frame that lost bytes swallows the start of the next; that one is found all the same."""
    receiver = StreamReceiver([bundle])
    frame = make_frame(bundle, 0)
    for n in range(1, 60):
        missing = 12 + n % 50
        damaged = make_frame(bundle, 2 * n)
        stream = damaged[:missing] + damaged[missing + 1 :] + make_frame(bundle, 2 * n + 1)
        first, second = features(receiver.feed(frame + stream)[1:])
        assert first.sequence == 2 * n % 32 and not first.crc_ok
        assert second.sequence == (2 * n + 1) % 32 and second.crc_ok
        frame = make_frame(bundle, 2 * n + 1)


def test_byte_loss_and_flips_together(bundle: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    stream = Stream(Compose(BitFlips(0.01), ByteLoss(0.002)), seed=3)
    receiver.feed(make_frame(bundle, 0))
    found = sum(len(features(receiver.feed(stream.feed(make_frame(bundle, n))))) for n in range(1, 2001))
    # A frame is lost when one of its first bytes is; the header's last few count as flips that it bears.
    assert 1 - 0.998**4 - 0.006 < 1 - found / 2000 < 1 - 0.998**12 + 0.006


def test_a_frame_cut_short_gives_what_came(bundle: Bundle) -> None:
    for received in range(62):
        receiver = StreamReceiver([bundle])
        assert receiver.feed(make_frame(bundle, 3)[:received]) == []
        found = features(receiver.flush())
        payload = min(max(0, received - 12), 48)
        assert len(found) == (payload >= 24)
        for frame in found:
            assert frame.received_bits == 8 * payload and not frame.crc_ok and not frame.whole
            known = frame.symbols >= 0
            assert (frame.symbols[known] == levels_of(bundle, 3)[known]).all()
            assert known.sum() >= 128 - (384 - 8 * payload) and (known.all() == (payload == 48))


def test_truncated_frames_one_after_the_other(bundle: Bundle) -> None:
    receiver, rng, found = StreamReceiver([bundle]), np.random.default_rng(4), set()
    intact = set()
    for n in range(31):
        sent = make_frame(bundle, n)
        got = Truncation(0.4).corrupt(sent, rng) or b""
        intact |= {n} if got == sent else set()
        found |= {f.sequence for f in features(receiver.feed(got)) if f.crc_ok}
    assert 10 < len(intact) < 25 and found == intact


@pytest.mark.parametrize("missing", [1, 2, 3, 4, 11, 12, 30])
def test_a_crc_that_is_right_by_chance_hides_no_clean_frame(
    bundle: Bundle, missing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame that lost its last bytes, and takes the head of the next for them; here its CRC passes by decree."""
    cut, following = make_frame(bundle, 1)[:-missing], make_frame(bundle, 2)
    stream, seen = make_frame(bundle, 0) + cut + following + make_frame(bundle, 3), frames.is_clean
    monkeypatch.setattr(
        frames, "is_clean", lambda body, header, bundle: header.sequence == 1 or seen(body, header, bundle)
    )
    for size in (1, 5, len(stream)):
        receiver = StreamReceiver([bundle])
        found = [e for at in range(0, len(stream), size) for e in receiver.feed(stream[at : at + size])]
        found = features(found + receiver.flush())
        assert [(f.sequence, f.crc_ok) for f in found] == [(0, True), (1, True), (2, True), (3, True)]
        assert receiver.garbage_bytes == 0


def test_what_looks_like_a_sync_at_a_clean_frames_end_costs_nothing(bundle: Bundle) -> None:
    rng, seen = np.random.default_rng(12), 0
    while seen < 5:
        levels = rng.integers(0, 8, 128)
        frame, receiver = make_frame(bundle, 1, levels), StreamReceiver([bundle])
        if frame[-1] == SYNC[0]:
            seen += 1
            stream = make_frame(bundle, 0) + frame + make_frame(bundle, 2) + frame
            assert len(features(receiver.feed(stream))) == 4 and receiver.waiting_bytes == 1
            assert receiver.flush() == [] and receiver.garbage_bytes == 0


def test_a_frame_that_starts_within_a_false_sync_cuts_it_off(tmp_path: Path) -> None:
    """Found by fuzzing: two bytes of the true sync before it look like a sync, 4 flips, and a header, 6 flips."""
    threes = make_bundle(tmp_path / "threes", seed=0, symbols=96, bits=3, classes=4)
    fives = make_bundle(tmp_path / "fives", seed=1, symbols=11, bits=5, classes=3)
    stream = SYNC[:3] + make_frame(threes, 0, device=200, chunk=1)[1:]
    whole, pieces = StreamReceiver([threes, fives]), StreamReceiver([threes, fives])
    events = receive(whole, stream)
    assert [(event.device, event.crc_ok) for event in features(events)] == [(200, True)]
    single = [e for i in range(len(stream)) for e in pieces.feed(stream[i : i + 1])] + pieces.flush()
    assert [outline(event) for event in single] == [outline(event) for event in events]


def test_lost_late_and_duplicate_frames_are_counted(bundle: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    sent = [(0, 0), (1, 0), (1, 0), (4, 1), (4, 2), (4, 1), (3, 0), (3, 0), (1, 0), (9, 0)]
    got = [features(receiver.feed(make_frame(bundle, s, chunk=c)))[0] for s, c in sent]
    assert [frame.lost for frame in got] == [0, 0, 0, 2, 0, 0, 0, 0, 0, 4]
    assert [n for n, frame in enumerate(got) if frame.place.duplicate] == [2, 5, 7, 8]
    assert [n for n, frame in enumerate(got) if frame.place.late] == [6]
    source = receiver.sources[7, bundle.model_id]
    assert (source.received, source.lost, source.duplicates, source.late) == (10, 5, 4, 1), "2 and 5..8 are missing"


def test_a_frame_of_before_the_first_was_never_missed(bundle: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    for sequence in (5, 3, 4, 6):
        receiver.feed(make_frame(bundle, sequence))
    source = receiver.sources[7, bundle.model_id]
    assert (source.received, source.lost, source.late) == (4, 0, 2)


def test_a_board_that_starts_again_is_not_taken_for_copies(bundle: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    rng = np.random.default_rng(3)
    images = []
    for sequence in (0, 1, 2, 3, 0, 1, 2, 3):
        levels = rng.integers(0, 8, 128)
        images += features(receiver.feed(make_frame(bundle, sequence, levels)))
    assert [frame.image for frame in images] == [0, 1, 2, 3, 32, 33, 34, 35]
    assert not any(frame.place.duplicate for frame in images)
    assert receiver.sources[7, bundle.model_id].lost == 0


def test_a_copy_that_lost_a_byte_counts_nothing_as_lost(bundle: Bundle) -> None:
    frame, receiver = make_frame(bundle, 1), StreamReceiver([bundle])
    stream = make_frame(bundle, 0) + frame[:30] + frame[31:] + frame + make_frame(bundle, 2)
    found = features(receive(receiver, stream))
    assert [f.sequence for f in found] == [0, 1, 1, 2] and sum(f.lost for f in found) == 0
    assert receiver.sources[7, bundle.model_id].lost == 0


@pytest.mark.parametrize("symbols", [128, 64, 16, 4])
def test_copies_are_copies_however_short(tmp_path: Path, symbols: int) -> None:
    short = make_bundle(tmp_path / "short", symbols=symbols)
    rng, source, taken = np.random.default_rng(8), Source(), 0
    for n in range(500):
        header = Header(FrameType.FEATURE, 7, n % 32, short.model_bits, 0)
        bits = rng.integers(0, 2, 3 * symbols)
        for _ in range(2):
            taken += source.note(header, (bits ^ (rng.random(len(bits)) < 0.1)).astype(np.int8), False).duplicate
    assert taken >= 497 and source.lost == 0


def test_copies_are_known_for_copies_through_noise(bundle: Bundle) -> None:
    receiver, rng = StreamReceiver([bundle]), np.random.default_rng(4)
    receiver.feed(make_frame(bundle, 0))
    copies = 0
    for n in range(1, 301):
        sent = make_frame(bundle, n)
        found = features(receive(receiver, b"".join(BitFlips(0.1).corrupt(sent, rng) or b"" for _ in range(2))))
        assert len({frame.image for frame in found}) <= 1 or n < 3
        copies += len(found) == 2
    source = receiver.sources[7, bundle.model_id]
    assert copies > 290 and source.duplicates == pytest.approx(copies, abs=3)


def test_devices_and_bundles_on_one_line_are_told_apart(bundle: Bundle, small: Bundle) -> None:
    receiver, rng = StreamReceiver([bundle, small]), np.random.default_rng(5)
    assert bundle.model_bits != small.model_bits
    senders = [(bundle, 7), (small, 7), (small, 200), (bundle, 0)]
    for n in range(200):
        model, device = senders[rng.integers(4)]
        sent = BitFlips(0.02).corrupt(make_frame(model, n, device=device), rng) if n > 20 else None
        (frame,) = features(receiver.feed(sent or make_frame(model, n, device=device)))
        assert (frame.model, frame.device, frame.sequence) == (model, device, n % 32)
        assert len(frame.symbols) == len(model.symbol_order)
    assert set(receiver.sources) == {(device, model.model_id) for model, device in senders}


def colliding(folder: Path, like: Bundle) -> Iterator[Bundle]:
    for seed in range(10, 1000):
        other = make_bundle(folder / str(seed), seed=seed, symbols=100)
        if other.model_bits == like.model_bits:
            yield other


def test_bundles_with_the_same_model_bits_are_told_apart_by_their_crc(bundle: Bundle, tmp_path: Path) -> None:
    other = next(colliding(tmp_path, bundle))
    receiver, rng = StreamReceiver([bundle, other]), np.random.default_rng(6)
    damaged = BitFlips(0.05).corrupt(make_frame(other, 0, device=2), rng) or b""
    assert features(receive(receiver, damaged)) == [], "nobody can say yet whose it is"
    for n in range(1, 30):
        for model, device in ((bundle, 1), (other, 2)):
            sent = make_frame(model, n, device=device)
            damaged = BitFlips(0.03).corrupt(sent, rng) or b""
            (frame,) = features(receive(receiver, damaged if n > 1 else sent))
            assert (frame.model, frame.device) == (model, device)


def test_frames_of_unknown_models_are_reported_and_passed_over(bundle: Bundle, small: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    events = receiver.feed(make_frame(bundle, 0) + make_frame(small, 5, device=3) + make_frame(bundle, 1))
    assert [type(event) for event in events] == [FeatureFrame, UnknownModel, FeatureFrame]
    assert events[1] == UnknownModel(Header(FrameType.FEATURE, 3, 5, small.model_bits, 0))
    assert receiver.sources[7, bundle.model_id].lost == 0


def test_what_only_looks_like_an_unknown_model_hides_no_frame(bundle: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    events = receiver.feed(SYNC + bytes(7) + make_frame(bundle, 0))  # 8 bytes of almost 0 are header 0
    assert [type(event) for event in events] == [UnknownModel, FeatureFrame]


def test_a_chunk_that_the_bundle_does_not_have_is_garbage(bundle: Bundle) -> None:
    header = Header(FrameType.FEATURE, 7, 0, bundle.model_bits, 9)
    receiver = StreamReceiver([bundle])
    assert receive(receiver, feature_frame(header, bytes(48), 384, bundle.number)) == []
    assert receiver.garbage_bytes == 62


def test_replies_are_told_by_their_crc_even_with_a_damaged_header(bundle: Bundle) -> None:
    sent = reply(Opcode.INFO | 0x80, 77, bytes(range(63)), 12, bundle.number)
    receiver = StreamReceiver([bundle])
    (event,) = receiver.feed(sent)
    assert isinstance(event, ControlFrame)
    assert (event.control.opcode, event.control.request, event.control.data) == (0x81, 77, bytes(range(63)))
    damaged = bytearray(sent)
    for bit in (0, 9, 35, 50, 61, 70, 80):
        damaged[bit // 8] ^= 0x80 >> bit % 8
    assert receiver.feed(bytes(damaged)) == [event]
    damaged[-1] ^= 1
    assert receive(receiver, bytes(damaged)) == []


def test_a_damaged_length_does_not_hold_up_what_follows(bundle: Bundle) -> None:
    sent = bytearray(reply(Opcode.BENCH | 0x80, 1, bytes(17), 12, bundle.number))
    receiver = StreamReceiver([bundle])
    sent[12] ^= 0x40  # 16 kB more
    assert len(features(receiver.feed(bytes(sent) + make_frame(bundle, 0)))) == 1
    sent[12:14] = b"\x00\xc8"  # 200 bytes: waits, but no longer than those
    assert receiver.feed(bytes(sent) + make_frame(bundle, 1)) == []
    later = b"".join(make_frame(bundle, n) for n in (2, 3, 4))
    assert [frame.sequence for frame in features(receiver.feed(later))] == [1, 2, 3, 4]


def test_an_expected_answer_is_found_at_once_through_heavy_noise(bundle: Bundle) -> None:
    rng, found = np.random.default_rng(7), 0
    for n in range(500):
        receiver = StreamReceiver([bundle])
        receiver.expect(Header(FrameType.FEATURE, d, n % 32, bundle.model_bits, 1) for d in range(256))
        got = features(receive(receiver, BitFlips(0.1).corrupt(make_frame(bundle, n, chunk=1), rng) or b""))
        found += [(f.device, f.sequence, f.chunk) for f in got] == [(7, n % 32, 1)]
    assert found >= 0.93 * 500
