"""Images of devices with a key that another command took: they are neither lost nor taken again."""

from pathlib import Path

import pytest

from host.keys.taken import FAILED, TakenImages
from host.receive.secured.devices import Refusal, key_mark
from host.receive.senders.track import Certainty
from tests.host.secured import DEVICE, KEYS, OTHER_KEYS, Host, SecuredBoard, refusals
from tests.support.host import images
from wire.bundle import Bundle


@pytest.fixture
def taken(tmp_path: Path) -> TakenImages:
    return TakenImages(tmp_path / "keys.json.taken")


def host_with(taken: TakenImages, bundle: Bundle) -> Host:
    host = Host(bundle)
    host.parser.gate.use_taken(taken)
    return host


def take(taken: TakenImages, *counters: int) -> None:
    for counter in counters:
        taken.add(DEVICE, key_mark(KEYS), counter)


@pytest.mark.parametrize(
    ("counters", "lost"), [((), 9), ((11, 12, 19), 6), ((9, 10, 20, 21), 9), (tuple(range(11, 20)), 0)]
)
def test_images_taken_between_two_frames_are_not_lost(
    adaptive: Bundle, taken: TakenImages, counters: tuple[int, ...], lost: int
) -> None:
    host, board = host_with(taken, adaptive), SecuredBoard(adaptive)
    host.receive(board.frame(10))
    take(taken, *(counter for counter in counters if counter not in (10, 20)))
    (frame,) = images(host.receive(board.frame(20)))
    assert (frame.lost, frame.place.lost_so_far, frame.place.certainty) == (lost, lost, Certainty.EXACT)


def test_images_taken_before_a_status_frame_are_not_lost(adaptive: Bundle, taken: TakenImages) -> None:
    host, board = host_with(taken, adaptive), SecuredBoard(adaptive)
    host.receive(board.status(10, uptime_s=100) + board.frame(10))
    take(taken, 11, 12, 13)
    host.clock.now += 60
    host.receive(board.status(16, uptime_s=160))
    source = host.parser.sources[DEVICE, adaptive.model_id]
    assert (source.lost, source.certainty) == (2, Certainty.EXACT)


def test_frame_of_an_image_that_was_taken_is_a_replay(adaptive: Bundle, taken: TakenImages) -> None:
    host, board = host_with(taken, adaptive), SecuredBoard(adaptive)
    host.receive(board.frame(10))
    take(taken, 12)
    assert refusals(host.receive(board.frame(12))) == [Refusal.REPLAY]
    (frame,) = images(host.receive(board.frame(13)))
    assert frame.lost == 1, "image 11"


def test_counters_of_failed_commands_are_not_lost_and_may_come(adaptive: Bundle, taken: TakenImages) -> None:
    host, board = host_with(taken, adaptive), SecuredBoard(adaptive)
    host.receive(board.frame(10))
    for counter in (11, 12, 13):
        taken.add(DEVICE, key_mark(KEYS), counter, FAILED)
    (frame,) = images(host.receive(board.frame(12)))  # its error came late, or was forged
    assert frame.lost == 0
    (frame,) = images(host.receive(board.frame(15)))
    assert frame.lost == 1, "image 14"


def test_frames_after_a_long_command_are_found_at_once(adaptive: Bundle, taken: TakenImages) -> None:
    take(taken, 1_000_000)
    assert not images(Host(adaptive).receive(SecuredBoard(adaptive).frame(1_000_001))), "far outside the window"
    (frame,) = images(host_with(taken, adaptive).receive(SecuredBoard(adaptive).frame(1_000_001)))
    assert frame.image_number == 1_000_001


def test_images_taken_with_another_key_do_not_count(adaptive: Bundle, taken: TakenImages) -> None:
    host, board = host_with(taken, adaptive), SecuredBoard(adaptive)
    host.receive(board.frame(10))
    taken.add(DEVICE, key_mark(OTHER_KEYS), 11)
    (frame,) = images(host.receive(board.frame(12)))
    assert frame.lost == 1
