"""Secured frames as a host receives them: authentic, decrypted, or refused."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channel_sim import BitFlips
from host.keys.policy import Auth, DevicePolicy
from host.receive.events import AnswerFrame, FeatureFrame, Refused
from host.receive.frames import FrameParser
from host.receive.secured.devices import Refusal
from host.receive.stream import StreamReceiver
from tests.host.secured import DEVICE, KEYS, OTHER_KEYS, Host, SecuredBoard, refusals
from tests.support.host import answer_of, answers, features, images, make_answer, make_frame, receive, symbols_of
from wire.answer import Answer
from wire.bundle import Bundle
from wire.frame import SYNC


def test_features_are_full_and_decrypted(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    for counter in range(70):
        for chunk in range(len(adaptive.chunks)):
            (frame,) = features(host.line.feed(board.frame(counter, chunk)))
            expected = symbols_of(adaptive, counter, chunk=chunk)
            assert frame.symbols[adaptive.chunk_slice(chunk)].tolist() == expected.tolist()
            assert (frame.auth, frame.crc_ok, frame.image_number, frame.lost) == (Auth.FULL, True, counter, 0)
    assert host.line.garbage_bytes == host.line.waiting_bytes == 0


@pytest.mark.parametrize("index", [0, 9])
@pytest.mark.parametrize("confidence", [0, 15])
def test_answer_is_full_sure_and_decrypted(adaptive: Bundle, index: int, confidence: int) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    for counter in range(40):
        (frame,) = answers(host.receive(board.answer(counter, Answer(index, confidence))))
        assert (frame.answer, frame.auth, frame.unsure) == (Answer(index, confidence), Auth.FULL, False)
        assert (frame.sync_flips, frame.header_flips, frame.distances.min()) == (0, 0, 0)


def test_damaged_payload_is_header_and_keeps_its_flips_in_place(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    clean = board.frame(0)
    damaged = bytearray(clean)
    damaged[len(SYNC) + 16 + 5] ^= 0x10
    (first,) = features(Host(adaptive).receive(clean))
    (frame,) = features(host.receive(bytes(damaged)))
    assert (frame.auth, frame.crc_ok, frame.whole) == (Auth.HEADER, False, True)
    assert np.count_nonzero(frame.bits != first.bits) == 1


def test_truncated_frame_is_header_and_decrypted_as_far_as_it_came(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    whole = board.frame(0)
    (first,) = features(Host(adaptive).receive(whole))
    (frame,) = features(host.receive(whole[: len(SYNC) + 16 + 40]))
    assert (frame.auth, frame.whole, frame.received_bits) == (Auth.HEADER, False, 320)
    assert (frame.bits == first.bits)[frame.bits >= 0].all()


def test_damaged_answer_is_full(adaptive: Bundle) -> None:
    rng, found = np.random.default_rng(0), 0
    host, board = Host(adaptive), SecuredBoard(adaptive)
    for counter in range(300):
        received = answers(host.receive(BitFlips(0.05).corrupt(board.answer(counter), rng) or b""))
        found += len(received)
        assert all((frame.answer, frame.auth) == (answer_of(adaptive, counter), Auth.FULL) for frame in received)
    assert found >= 297


@pytest.mark.parametrize("kind", ["frame", "answer"])
@pytest.mark.parametrize("clean", [True, False])
def test_frame_with_another_key_is_refused(adaptive: Bundle, kind: str, clean: bool) -> None:
    host, forger = Host(adaptive), SecuredBoard(adaptive, keys=OTHER_KEYS)
    rng, count = np.random.default_rng(1), 300
    events = [
        event
        for counter in range(count)
        for event in host.receive(BitFlips(0.0 if clean else 0.05).corrupt(getattr(forger, kind)(counter), rng) or b"")
    ]
    assert (
        not images(events) and refusals(events).count(Refusal.NOT_AUTHENTIC) > (0.9 if kind == "frame" else 0.5) * count
    )
    assert host.parser.sources == {} and host.parser.gate.accepted[DEVICE].counter == -1


def test_plain_frames_of_a_device_with_a_key_are_refused_and_no_garbage(adaptive: Bundle) -> None:
    host = Host(adaptive)
    stream = make_frame(adaptive, 0) + make_answer(adaptive, 1) + make_frame(adaptive, 2, chunk=1)
    assert host.receive(stream) == [Refused(DEVICE, Refusal.NOT_AUTHENTIC)] * 3
    assert host.line.garbage_bytes == 0 and host.parser.sources == {}


def test_plain_frames_of_other_devices_are_received(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    stream = b"".join(
        make_frame(adaptive, n, device=3) + make_answer(adaptive, n, device=4) + board.frame(n) + board.answer(n + 100)
        for n in range(1)
    )
    assert [(frame.device, frame.auth) for frame in images(host.receive(stream))] == [
        (3, Auth.NONE), (4, Auth.NONE), (DEVICE, Auth.FULL), (DEVICE, Auth.FULL),
    ]  # fmt: skip


def test_secured_frames_are_not_accepted_without_their_key(adaptive: Bundle) -> None:
    receiver, board = StreamReceiver([adaptive]), SecuredBoard(adaptive)
    received = receive(receiver, board.frame(0) + board.frame(1))
    assert all(frame.auth == Auth.NONE and not frame.crc_ok for frame in features(received))


@pytest.mark.parametrize(("required", "refused"), [(Auth.HEADER, False), (Auth.FULL, True)])
@pytest.mark.parametrize("by_device", [True, False])
def test_required_auth(adaptive: Bundle, required: Auth, refused: bool, by_device: bool) -> None:
    policy = DevicePolicy(KEYS, required if by_device else Auth.HEADER)
    host = Host(adaptive, {DEVICE: policy}, Auth.NONE if by_device else required)
    board, damaged = SecuredBoard(adaptive), bytearray(SecuredBoard(adaptive).frame(0))
    damaged[-10] ^= 1
    events = host.receive(bytes(damaged))
    assert refusals(events) == [Refusal.DAMAGED] * refused and len(images(events)) == (not refused)
    assert [frame.auth for frame in images(host.receive(board.frame(0)))] == [Auth.FULL], "the same image, undamaged"
    assert len(images(host.receive(board.answer(1)))) == 1
    plain = host.receive(make_frame(adaptive, 0, device=3) + make_answer(adaptive, 0, device=3))
    assert refusals(plain) == ([] if by_device else [Refusal.NO_KEY] * 2)


def test_revoked_device_is_refused(adaptive: Bundle) -> None:
    host, board = Host(adaptive, {DEVICE: DevicePolicy(None)}), SecuredBoard(adaptive)
    events = host.receive(board.frame(0) + make_frame(adaptive, 0) + make_answer(adaptive, 1))
    assert refusals(events) == [Refusal.REVOKED] * 3 and not images(events)
    assert host.parser.gate.accepted == {}
    packets = [host.radio.take(data) for data in (make_frame(adaptive, 0)[4:], board.frame(1, sync=False))]
    assert refusals(packets) == [Refusal.REVOKED] * 2 and host.radio.foreign == 0


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.tuples(st.integers(0, 20), st.integers(0, 2), st.sampled_from([0.0, 0.02, 0.1])),
        st.tuples(st.integers(0, 20), st.sampled_from([0.0, 0.05, 0.1])),  # an answer
        st.tuples(st.integers(0, 20), st.integers(0, 60)),  # a frame that lost one byte
        st.sampled_from([3, DEVICE]),  # a plain frame of this device
    ),
    max_size=10,
)


@settings(max_examples=80, deadline=None)
@given(pieces=PIECES, cuts=st.lists(st.integers(0, 900), max_size=20), seed=st.integers(0, 1000))
def test_events_do_not_depend_on_how_the_stream_is_divided(
    adaptive: Bundle, pieces: list, cuts: list, seed: int
) -> None:
    rng, board, stream = np.random.default_rng(seed), SecuredBoard(adaptive), b""
    for piece in pieces:
        match piece:
            case bytes():
                stream += piece
            case int():
                stream += make_frame(adaptive, 0, device=piece)
            case (counter, chunk, ber):
                stream += BitFlips(ber).corrupt(board.frame(counter, chunk), rng) or b""
            case (counter, float() as ber):
                stream += BitFlips(ber).corrupt(board.answer(counter), rng) or b""
            case (counter, missing):
                stream += board.frame(counter)[:missing] + board.frame(counter)[missing + 1 :]
    whole, cut = Host(adaptive), Host(adaptive)
    expected = [outline(event) for event in whole.receive(stream)]
    edges = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    events = [event for a, b in pairwise(edges) for event in cut.line.feed(stream[a:b])] + cut.line.flush()
    assert [outline(event) for event in events] == expected
    assert whole.line.garbage_bytes == cut.line.garbage_bytes <= len(stream)


@pytest.mark.parametrize("missing", range(1, 24))
def test_frame_that_lost_bytes_ends_where_the_next_one_begins(adaptive: Bundle, missing: int) -> None:
    board = SecuredBoard(adaptive)
    stream = board.frame(0)[:-missing] + board.frame(1)
    whole, single = Host(adaptive), Host(adaptive)
    expected = [outline(event) for event in whole.receive(stream)]
    events = [event for i in range(len(stream)) for event in single.line.feed(stream[i : i + 1])] + single.line.flush()
    assert [outline(event) for event in events] == expected
    assert [frame.image_number for frame in images(events)] == [0, 1] and images(events)[1].auth == Auth.FULL


def outline(event: object) -> tuple:
    """Return an event as plain values that can be compared."""
    if isinstance(event, FeatureFrame):
        return event.header, event.bits.tolist(), event.auth, event.place
    if isinstance(event, AnswerFrame):
        return event.header, event.answer, event.auth, event.place
    return (event,)


def test_parser_without_policies_reads_eight_bytes_per_header(adaptive: Bundle) -> None:
    assert (FrameParser([adaptive]).gate.header_bytes, Host(adaptive).parser.gate.header_bytes) == (8, 16)
    receiver = StreamReceiver([adaptive])
    assert len(answers(receiver.feed(make_answer(adaptive, 0)))) == 1, "without waiting for more bytes"
