"""Frames that lost bytes, at any place: the frame that follows is found, as short as the two may be."""

from collections.abc import Iterator

import pytest

from host.keys.policy import DevicePolicy
from host.receive.events import AnswerFrame, FeatureFrame
from host.receive.stream import StreamReceiver
from tests.host.secured import KEYS, SecuredBoard
from tests.support.host import images, make_answer, make_bundle, make_frame, receive
from wire.bundle import Bundle

FIRST, SECOND = 7, 9  # devices


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model whose frames are about as long as their headers: 16 symbols of 3 bits."""
    return make_bundle(tmp_path_factory.mktemp("cut") / "brief", n_symbols=16, classes=10, answer=True)


def cuts(frame: bytes) -> Iterator[bytes]:
    """Iterate over a frame without its end, without one byte, and without two."""
    yield from (frame[:kept] for kept in range(1, len(frame)))
    yield from (frame[:at] + frame[at + lost :] for at in range(len(frame)) for lost in (1, 2))


def frame_of(model: Bundle, secured: bool, kind: str, number: int, device: int) -> bytes:
    """Return a feature or answer frame, plain or secured."""
    if secured:
        board = SecuredBoard(model, device)
        return board.answer(number) if kind == "answer" else board.frame(number)
    return (make_answer if kind == "answer" else make_frame)(model, number, device=device)


def undamaged(frame: FeatureFrame | AnswerFrame) -> bool:
    """Return True if a frame was received as it was sent."""
    if isinstance(frame, FeatureFrame):
        return frame.crc_ok
    return not (frame.sync_flips or frame.header_flips or frame.distances.min())


@pytest.mark.parametrize("device", [FIRST, SECOND])
@pytest.mark.parametrize("following", ["feature", "answer"])
@pytest.mark.parametrize("damaged", ["feature", "answer"])
@pytest.mark.parametrize("secured", [False, True])
def test_frame_after_a_cut_one_is_found(
    brief: Bundle, secured: bool, damaged: str, following: str, device: int
) -> None:
    """Found by the soak of secured frames: one that was cut within its header tag took the next one's start."""
    policies = {number: DevicePolicy(KEYS) for number in (FIRST, SECOND)} if secured else {}
    known = frame_of(brief, secured, damaged, 0, FIRST) + frame_of(brief, secured, following, 0, SECOND)
    last = frame_of(brief, secured, following, 2, device)
    missed = []
    for cut in cuts(frame_of(brief, secured, damaged, 1, FIRST)):
        receiver = StreamReceiver([brief], policies=policies)
        receive(receiver, known)
        found = images(receive(receiver, cut + last))
        if not (found and undamaged(found[-1]) and found[-1].device == device):
            missed.append(cut)
    assert not missed
