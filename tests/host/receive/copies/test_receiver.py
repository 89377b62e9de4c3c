"""Copies of packets: found where each alone is lost, and never joined with those of another image."""

from collections.abc import Sequence

import numpy as np
import pytest

from host.keys.policy import Auth, DevicePolicy
from host.receive.copies.receiver import CopiesReceiver, Copy, Outcome
from host.receive.events import AnswerFrame, ControlFrame, FeatureFrame, ImageFrame, Refused, UnknownModel
from host.receive.frames import FrameParser
from tests.host.secured import DEVICE, KEYS, OTHER_KEYS, SecuredBoard, make_status
from tests.support.host import damaged, make_answer, make_frame, symbols_of
from wire.answer import Answer
from wire.bundle import Bundle
from wire.frame import SYNC
from wire.replies.status import status_frame

BER = 0.15


def packet(model: Bundle, sequence: int, device: int = 7, symbols: np.ndarray | None = None) -> bytes:
    """Return a feature frame as a radio sends it."""
    return make_frame(model, sequence, symbols, device)[len(SYNC) :]


def receiver_of(model: Bundle, known: bool = False, policies: dict[int, DevicePolicy] | None = None) -> CopiesReceiver:
    """Return a receiver that knows device 7 on request, by its frames up to sequence number 4."""
    receiver = CopiesReceiver(FrameParser([model], lambda: 0.0, policies))
    for sequence in range(5 if known else 0):
        receiver.take([Copy(packet(model, sequence))])
    return receiver


def frames_of(outcomes: Sequence[Outcome]) -> list[ImageFrame]:
    """Return the events that are frames of images."""
    return [one.event for one in outcomes if isinstance(one.event, ImageFrame)]


def share_found(model: Bundle, sent: bytes, count: int, known: bool, tries: int = 40, ber: float = BER) -> float:
    """Return how often a frame of sequence number 5 is found in copies, and nothing else."""
    rng, found = np.random.default_rng(0), 0
    for _ in range(tries):
        outcomes = receiver_of(model, known).take([Copy(damaged(sent, ber, rng)) for _ in range(count)])
        frames = frames_of(outcomes)
        assert all((frame.device, frame.sequence) == (7, 5) for frame in frames)
        found += bool(frames)
    return found / tries


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_three_copies_are_found_where_one_is_lost(adaptive: Bundle, known: bool) -> None:
    for sent in (packet(adaptive, 5), make_answer(adaptive, 5, sync=False)):
        one, three = (share_found(adaptive, sent, count, known) for count in (1, 3))
        assert three >= 0.9 and one <= (0.95 if known else 0.5)


def test_copies_have_one_place_and_their_own_flips(bundle: Bundle) -> None:
    rng, sent = np.random.default_rng(1), packet(bundle, 5)
    copies = [Copy(damaged(sent, ber, rng), snr, -110.0) for ber, snr in ((0.02, -7.0), (0.1, -9.0), (0.05, -8.0))]
    (outcome,) = receiver_of(bundle, known=True).take(copies)
    assert outcome.copies == (0, 1, 2) and len(outcome.frames) == 3
    assert len({id(frame.place) for frame in outcome.frames}) == 1 and not outcome.frames[0].place.duplicate
    assert [frame.snr_db for frame in outcome.frames] == [-7.0, -9.0, -8.0]
    for frame, copy in zip(outcome.frames, copies, strict=True):
        assert isinstance(frame, FeatureFrame) and not frame.crc_ok
        wrong = bin(int.from_bytes(copy.packet[:8], "big") ^ int.from_bytes(sent[:8], "big")).count("1")
        assert frame.header_flips == wrong


def test_damaged_copies_make_an_undamaged_frame_together(bundle: Bundle) -> None:
    sent = packet(bundle, 5)
    copies = [bytearray(sent) for _ in range(3)]
    for k, copy in enumerate(copies):
        copy[20 + k] ^= 0xFF
    (outcome,) = receiver_of(bundle).take([Copy(bytes(copy)) for copy in copies])
    assert [frame.crc_ok for frame in outcome.frames if isinstance(frame, FeatureFrame)] == [False] * 3
    assert outcome.combined is not None and outcome.combined.crc_ok
    assert (outcome.combined.symbols == symbols_of(bundle, 5)).all()


def test_clean_copy_decides(bundle: Bundle) -> None:
    rng, sent = np.random.default_rng(2), packet(bundle, 5)
    copies = [Copy(damaged(sent, 0.1, rng)), Copy(sent, crc_ok=True), Copy(damaged(sent, 0.1, rng))]
    (outcome,) = receiver_of(bundle, known=True).take(copies)
    assert [frame.crc_ok for frame in outcome.frames if isinstance(frame, FeatureFrame)] == [False, True, False]
    assert outcome.combined is None


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
@pytest.mark.parametrize("ber", [0.0, 0.05, 0.15])
def test_images_of_a_static_scene_stay_apart(adaptive: Bundle, known: bool, ber: float) -> None:
    rng = np.random.default_rng(3)
    symbols, answer = symbols_of(adaptive, 0), Answer(3, 9)
    for n in range(40):
        feature = [make_frame(adaptive, s, symbols, answer=answer)[len(SYNC) :] for s in (5, 6)]
        answers = [make_answer(adaptive, s, answer, sync=False) for s in (5, 6)]
        sent = feature if n % 2 else answers
        outcomes = receiver_of(adaptive, known).take([Copy(damaged(one, ber, rng)) for one in sent])
        for outcome in outcomes:
            assert len(outcome.frames) < 2
        found = {frame.sequence for frame in frames_of(outcomes)}
        assert found <= {5, 6} and (found == {5, 6} or ber)


def test_packet_of_another_image_is_taken_out_of_a_group(bundle: Bundle) -> None:
    rng, symbols = np.random.default_rng(4), symbols_of(bundle, 0)
    both = [damaged(packet(bundle, 5, symbols=symbols), 0.05, rng) for _ in range(2)]
    other = damaged(packet(bundle, 6, symbols=symbols), 0.05, rng)
    outcomes = receiver_of(bundle, known=True).take([Copy(one) for one in (both[0], other, both[1])])
    assert [(one.copies, one.event.sequence) for one in outcomes if isinstance(one.event, ImageFrame)] == [
        ((0, 2), 5),
        ((1,), 6),
    ]


def test_noise_is_foreign(adaptive: Bundle) -> None:
    rng, receiver = np.random.default_rng(5), receiver_of(adaptive, known=True)
    found = 0
    for n in range(100):
        noise = rng.bytes(8 if n % 2 else adaptive.chunk_layout(0).size)
        found += len(frames_of(receiver.take([Copy(damaged(noise, 0.05, rng)) for _ in range(3)])))
    assert found <= 1 and receiver.foreign >= 290


def test_unknown_model_is_one_event(bundle: Bundle, small: Bundle) -> None:
    rng, sent = np.random.default_rng(6), packet(small, 5)
    (outcome,) = receiver_of(bundle).take([Copy(damaged(sent, 0.03, rng)) for _ in range(3)])
    assert isinstance(outcome.event, UnknownModel) and outcome.event.header.device == 7 and not outcome.frames


def test_status_counts_once_and_is_mended(bundle: Bundle) -> None:
    sent = status_frame(make_status(5), 7, bundle.number, sync=False)
    copies = [bytearray(sent) for _ in range(3)]
    for k, copy in enumerate(copies):
        copy[12 + k] ^= 0x10
    receiver = receiver_of(bundle)
    (outcome,) = receiver.take([Copy(bytes(copy), -9.0 + k) for k, copy in enumerate(copies)])
    assert isinstance(outcome.event, ControlFrame) and outcome.event.status == make_status(5)
    assert outcome.event.snr_db == -7.0
    for copy in copies:
        copy[15:20] = bytes(5)
    (outcome,) = receiver.take([Copy(bytes(copy)) for copy in copies])
    assert outcome.event is None and receiver.damaged_statuses == 1


@pytest.mark.parametrize("counter", [5, 30_000], ids=["next", "in the window"])
def test_secured_copies_are_authentic_together(adaptive: Bundle, counter: int) -> None:
    board, rng = SecuredBoard(adaptive), np.random.default_rng(7)
    for sent, kind in (
        (board.frame(counter, sync=False), FeatureFrame),
        (board.answer(counter, sync=False), AnswerFrame),
    ):
        found = 0
        for _ in range(15):
            receiver = receiver_of(adaptive, policies={DEVICE: DevicePolicy(KEYS)})
            outcomes = receiver.take([Copy(damaged(sent, 0.12, rng)) for _ in range(3)])
            frames = [one.frames for one in outcomes if isinstance(one.event, kind)]
            found += any(len(one) == 3 and one[0].auth >= Auth.HEADER for one in frames)
        assert found >= 12


def test_secured_payload_is_mended_to_full_auth(adaptive: Bundle) -> None:
    sent = SecuredBoard(adaptive).frame(5, sync=False)
    copies = [bytearray(sent) for _ in range(3)]
    for k, copy in enumerate(copies):
        copy[30 + k] ^= 0xFF
    receiver = receiver_of(adaptive, policies={DEVICE: DevicePolicy(KEYS, Auth.FULL)})
    (outcome,) = receiver.take([Copy(bytes(copy)) for copy in copies])
    assert outcome.combined is not None and outcome.combined.auth == Auth.FULL
    assert (outcome.combined.symbols == symbols_of(adaptive, 5)).all()


def test_copies_of_a_board_with_another_key_are_refused(adaptive: Bundle) -> None:
    rng = np.random.default_rng(8)
    forged, plain = SecuredBoard(adaptive, keys=OTHER_KEYS).frame(5, sync=False), packet(adaptive, 5)
    for sent in (forged, plain):
        receiver = receiver_of(adaptive, policies={DEVICE: DevicePolicy(KEYS)})
        outcomes = receiver.take([Copy(damaged(sent, 0.05, rng)) for _ in range(3)])
        assert not frames_of(outcomes)
    assert isinstance(outcomes[0].event, Refused)


def test_packets_shorter_than_a_header_are_foreign(bundle: Bundle) -> None:
    receiver = receiver_of(bundle)
    assert [one.event for one in receiver.take([Copy(b"abc"), Copy(b"abd")])] == [None, None]
    assert receiver.foreign == 2
