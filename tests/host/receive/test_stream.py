"""The stream receiver: frames among garbage, flipped bits and missing bytes."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channel_sim import BitFlips, ByteLoss, Compose, Stream, Truncation
from host.receive import frames
from host.receive.events import AnswerFrame, ControlFrame, Event, FeatureFrame
from host.receive.frames import FrameParser
from host.receive.stream import StreamReceiver
from tests.support.host import features, make_answer, make_bundle, make_frame, receive, symbols_of
from wire.bundle import Bundle
from wire.control import ErrorReply, Opcode, reply
from wire.frame import SYNC


def outline(event: Event) -> tuple:
    """Return an event as plain values that can be compared."""
    if isinstance(event, FeatureFrame):
        return (
            event.header,
            event.symbols.tolist(),
            event.received_bits,
            (event.sync_flips, event.header_flips),
            (event.crc_ok, event.place),
        )
    if isinstance(event, AnswerFrame):
        return (event.header, event.distances.tolist(), (event.sync_flips, event.header_flips), event.place)
    return (event,)


def test_clean_frames_round_trip(bundle: Bundle) -> None:
    receiver = StreamReceiver([bundle])
    for sequence in range(40):
        for chunk in range(len(bundle.chunks)):
            (frame,) = features(receiver.feed(make_frame(bundle, sequence, chunk=chunk)))
            place = bundle.chunk_slice(chunk)
            assert (frame.device, frame.sequence, frame.chunk) == (7, sequence % 32, chunk)
            assert frame.symbols[place].tolist() == symbols_of(bundle, sequence, chunk=chunk).tolist()
            assert (np.delete(frame.symbols, place) == -1).all()
            assert frame.crc_ok and frame.whole and frame.sync_flips == frame.header_flips == frame.lost == 0
    assert receiver.garbage_bytes == receiver.waiting_bytes == 0


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=80),
        st.tuples(st.integers(0, 40), st.integers(0, 2), st.sampled_from([0.0, 0.0, 0.02, 0.1])),
        st.tuples(st.integers(0, 40), st.integers(0, 60)),  # a frame that lost one byte
        st.tuples(st.integers(0, 40), st.sampled_from([0.0, 0.05, 0.1])),  # an answer
        st.just(SYNC),
        st.just(reply(Opcode.ERROR, 5, ErrorReply(3, 2).pack(), 9, 11)),
    ),
    max_size=12,
)


def build(bundle: Bundle, pieces: list, seed: int) -> bytes:
    """Return the stream of PIECES."""
    rng, stream = np.random.default_rng(seed), b""
    for piece in pieces:
        match piece:
            case bytes():
                stream += piece
            case (sequence, chunk, ber):
                stream += BitFlips(ber).corrupt(make_frame(bundle, sequence, chunk=chunk), rng) or b""
            case (sequence, float() as ber):
                stream += BitFlips(ber).corrupt(make_answer(bundle, sequence), rng) or b""
            case (sequence, missing):
                frame = make_frame(bundle, sequence)
                stream += frame[:missing] + frame[missing + 1 :]
    return stream


@settings(max_examples=150, deadline=None)
@given(pieces=PIECES, cuts=st.lists(st.integers(0, 900), max_size=30), seed=st.integers(0, 1000))
def test_events_do_not_depend_on_how_the_stream_is_divided(
    adaptive: Bundle, pieces: list, cuts: list, seed: int
) -> None:
    stream = build(adaptive, pieces, seed)
    whole, cut, single = (StreamReceiver([adaptive], FrameParser([adaptive], clock=lambda: 0.0)) for _ in range(3))
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
    sent = [make_frame(bundle, n, chunk=chunk) for n, chunk in enumerate(chunks)]
    stream = b"".join(garbage + frame for garbage, frame in zip(noise, sent, strict=True))
    receiver = StreamReceiver([bundle])
    received = features(receive(receiver, stream))
    clean = [(f.sequence, f.chunk, f.symbols[f.symbols >= 0].tolist()) for f in received if f.crc_ok]
    assert clean == [(n, c, symbols_of(bundle, n, chunk=c).tolist()) for n, c in enumerate(chunks)]
    assert len(received) > len(clean) or receiver.garbage_bytes == sum(map(len, noise))


@settings(max_examples=100, deadline=None)
@given(stream=st.binary(max_size=3000), ends=st.lists(st.integers(0, 3000), max_size=5))
def test_garbage_is_not_kept_and_raises_nothing(bundle: Bundle, stream: bytes, ends: list[int]) -> None:
    receiver = StreamReceiver([bundle])
    for a, b in zip([0, *sorted(ends)], [*sorted(ends), 3000], strict=True):
        receiver.feed(stream[a:b])
        assert receiver.waiting_bytes <= 300
        if b % 2:
            receiver.flush()
            assert receiver.waiting_bytes == 0


def test_random_bytes_hold_no_frames(bundle: Bundle, small: Bundle) -> None:
    """In a megabyte, ten thousand places look like a sync word, 270 of them well enough for the code alone."""
    receiver = StreamReceiver([bundle, small])
    for device in range(3):
        receiver.feed(make_frame(bundle, 0, device=device))
    assert features(receive(receiver, np.random.default_rng(0).bytes(1_000_000))) == []
    assert receiver.garbage_bytes == pytest.approx(1_000_000, abs=100)


@pytest.mark.parametrize(("ber", "limit"), [(0.01, 0.0), (0.05, 0.001), (0.1, 0.02)])
def test_frames_of_known_device_are_rarely_lost(bundle: Bundle, ber: float, limit: float) -> None:
    sent = 3000
    receiver, stream = StreamReceiver([bundle]), Stream(BitFlips(ber), seed=1)
    receiver.feed(make_frame(bundle, 0))
    found = 0
    for n in range(1, sent + 1):
        received = features(receiver.feed(stream.feed(make_frame(bundle, n))))
        correct = [e for e in received if (e.device, e.sequence, e.chunk) == (7, n % 32, 0)]
        assert len(correct) <= 1
        found += len(correct)
        if correct:  # the payload has about as many wrong bits as the channel made
            wrong = int((correct[0].symbols != symbols_of(bundle, n)).sum())
            assert wrong <= 128 * 6 * ber + 20
    loss = 1 - found / sent
    print(f"BER {ber:g}: {loss:.2%} of {sent} frames lost, limit {limit:.0%}")
    assert loss <= limit
    assert receiver.sources[7, bundle.model_id].lost == pytest.approx(sent - found, abs=3)


def test_device_becomes_known_without_a_clean_frame(bundle: Bundle) -> None:
    receiver, stream = StreamReceiver([bundle]), Stream(BitFlips(0.1), seed=2)
    received = [features(receiver.feed(stream.feed(make_frame(bundle, n)))) for n in range(1000)]
    assert not any(frame.crc_ok for found in received[:100] for frame in found)
    assert sum(bool(found) for found in received[20:]) > 0.97 * 980


def test_lost_byte_damages_only_its_own_frame(bundle: Bundle) -> None:
    """A frame that lost bytes extends over the start of the next one, which is found nevertheless."""
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
    # A frame is lost with one of its first bytes. The last few bytes of a header count as flips within the limit.
    assert 1 - 0.998**4 - 0.006 < 1 - found / 2000 < 1 - 0.998**12 + 0.006


def test_truncated_frame_gives_received_symbols(bundle: Bundle) -> None:
    for received in range(62):
        receiver = StreamReceiver([bundle])
        assert receiver.feed(make_frame(bundle, 3)[:received]) == []
        found = features(receiver.flush())
        payload = min(max(0, received - 12), 48)
        assert len(found) == (payload >= 24)
        for frame in found:
            assert frame.received_bits == 8 * payload and not frame.crc_ok and not frame.whole
            known = frame.symbols >= 0
            assert (frame.symbols[known] == symbols_of(bundle, 3)[known]).all()
            assert known.sum() >= 128 - (384 - 8 * payload) and (known.all() == (payload == 48))


def test_truncated_frames_in_succession(bundle: Bundle) -> None:
    receiver, rng, found = StreamReceiver([bundle]), np.random.default_rng(4), set()
    intact = set()
    for n in range(31):
        sent = make_frame(bundle, n)
        received = Truncation(0.4).corrupt(sent, rng) or b""
        intact |= {n} if received == sent else set()
        found |= {f.sequence for f in features(receiver.feed(received)) if f.crc_ok}
    assert 10 < len(intact) < 25 and found == intact


@pytest.mark.parametrize("missing", [1, 2, 3, 4, 11, 12, 30])
def test_crc_correct_by_chance_hides_no_clean_frame(
    bundle: Bundle, missing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame that lost its last bytes extends over the head of the next. The test makes its CRC pass."""
    truncated, following = make_frame(bundle, 1)[:-missing], make_frame(bundle, 2)
    stream, is_clean = make_frame(bundle, 0) + truncated + following + make_frame(bundle, 3), frames.is_clean
    monkeypatch.setattr(
        frames, "is_clean", lambda body, header, model: header.sequence == 1 or is_clean(body, header, model)
    )
    for size in (1, 5, len(stream)):
        receiver = StreamReceiver([bundle])
        events = [e for at in range(0, len(stream), size) for e in receiver.feed(stream[at : at + size])]
        received = features(events + receiver.flush())
        assert [(f.sequence, f.crc_ok) for f in received] == [(0, True), (1, True), (2, True), (3, True)]
        assert receiver.garbage_bytes == 0


def test_start_of_sync_at_end_of_clean_frame_loses_nothing(bundle: Bundle) -> None:
    rng, seen = np.random.default_rng(12), 0
    while seen < 5:
        frame, receiver = make_frame(bundle, 1, rng.integers(0, 8, 128)), StreamReceiver([bundle])
        if frame[-1] == SYNC[0]:
            seen += 1
            stream = make_frame(bundle, 0) + frame + make_frame(bundle, 2) + frame
            assert len(features(receiver.feed(stream))) == 4 and receiver.waiting_bytes == 1
            assert receiver.flush() == [] and receiver.garbage_bytes == 0


def test_frame_that_starts_within_a_false_sync_is_found(tmp_path: Path) -> None:
    """Found by fuzzing: two bytes before the true sync, it looks like a sync (4 flips) and a header (6 flips)."""
    threes = make_bundle(tmp_path / "threes", seed=0, n_symbols=96, bits=3, classes=4)
    fives = make_bundle(tmp_path / "fives", seed=1, n_symbols=11, bits=5, classes=3)
    stream = SYNC[:3] + make_frame(threes, 0, device=200, chunk=1)[1:]
    whole, pieces = StreamReceiver([threes, fives]), StreamReceiver([threes, fives])
    events = receive(whole, stream)
    assert [(event.device, event.crc_ok) for event in features(events)] == [(200, True)]
    single = [e for i in range(len(stream)) for e in pieces.feed(stream[i : i + 1])] + pieces.flush()
    assert [outline(event) for event in single] == [outline(event) for event in events]


def test_reply_is_found_with_damaged_header(bundle: Bundle) -> None:
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


def test_damaged_length_does_not_delay_following_frames(bundle: Bundle) -> None:
    sent = bytearray(reply(Opcode.BENCH | 0x80, 1, bytes(17), 12, bundle.number))
    receiver = StreamReceiver([bundle])
    sent[12] ^= 0x40  # 16 kB more
    assert len(features(receiver.feed(bytes(sent) + make_frame(bundle, 0)))) == 1
    sent[12:14] = b"\x00\xc8"  # 200 bytes: the receiver waits for those, but no longer
    assert receiver.feed(bytes(sent) + make_frame(bundle, 1)) == []
    later = b"".join(make_frame(bundle, n) for n in (2, 3, 4))
    assert [frame.sequence for frame in features(receiver.feed(later))] == [1, 2, 3, 4]
