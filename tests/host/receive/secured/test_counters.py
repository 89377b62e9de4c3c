"""Counters of devices with a key: replays, late frames, losses, status frames, and restarts of the host."""

from dataclasses import replace

from host.keys.policy import Auth, DevicePolicy
from host.receive.events import ControlFrame
from host.receive.frames import FrameParser
from host.receive.secured.devices import COPIES_S, Refusal
from host.receive.senders.registry import MAX_SOURCES
from host.receive.senders.track import Certainty
from host.receive.stream import StreamReceiver
from tests.host.secured import DEVICE, KEYS, OTHER_KEYS, Host, SecuredBoard, make_status, refusals
from tests.support.host import images, make_frame
from wire.bundle import Bundle
from wire.replies.status import setting_byte, status_frame


def numbers(host: Host, data: bytes) -> list[int]:
    """Return the image numbers of the frames that a host accepts."""
    return [frame.image_number for frame in images(host.receive(data))]


def test_replay_of_any_earlier_frame_is_refused(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    sent = [board.answer(n) if n % 3 else board.frame(n) for n in range(100)]
    for data in sent:
        assert len(images(host.receive(data))) == 1
        host.clock.now += COPIES_S + 1
    for data in sent:
        events = host.receive(data)
        assert not images(events) and len(refusals(events)) == 1
    assert refusals(host.receive(sent[-1])) == [Refusal.REPLAY]
    assert host.parser.sources[DEVICE, adaptive.model_id].images == 100


def test_copies_chunks_and_late_chunks_are_joined_while_they_are_awaited(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    first, copy, rest, after, late = images(
        host.receive(board.frame(5, 1) + board.frame(5, 1) + board.frame(5, 2) + board.frame(6) + board.frame(5))
    )
    places = [frame.place for frame in (first, copy, rest, after, late)]
    assert [place.image_number for place in places] == [5, 5, 5, 6, 5]
    assert [place.duplicate for place in places] == [False, True, False, False, False]
    assert [place.late for place in places] == [False, False, False, False, True]
    host.clock.now += COPIES_S + 0.1
    assert refusals(host.receive(board.frame(5) + board.frame(6))) == [Refusal.REPLAY] * 2


def test_frame_of_an_older_image_never_makes_a_new_one(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    assert numbers(host, board.frame(5) + board.frame(7)) == [5, 7]
    assert refusals(host.receive(board.frame(6))) == [Refusal.REPLAY]
    assert host.parser.sources[DEVICE, adaptive.model_id].lost == 1


def test_losses_are_exact_by_the_counter(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    lost = 0
    for counter, before in ((40, None), (41, 0), (41 + 24, 23), (41 + 24 + 32, 31), (5000, 4902)):
        host.clock.now += 1
        (frame,) = images(host.receive(board.frame(counter)))
        lost += before or 0
        assert (frame.lost, frame.place.lost_so_far) == (before or 0, lost)
        assert frame.place.certainty == frame.place.certainty_so_far == Certainty.EXACT
        assert not frame.place.unexpected


def test_static_scene_is_no_duplicate(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    frames = [images(host.receive(board.frame(counter, image=0)))[0] for counter in range(0, 320, 32)]
    assert not any(frame.place.duplicate for frame in frames) and frames[-1].place.lost_so_far == 9 * 31


def test_status_counts_losses_and_moves_the_window(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    host.receive(board.status(10, uptime_s=100) + board.frame(10))
    host.clock.now += 60
    (event,) = host.receive(board.status(20, uptime_s=160))
    assert isinstance(event, ControlFrame) and event.status == make_status(20, 160) and event.refusal is None
    source = host.parser.sources[DEVICE, adaptive.model_id]
    assert (source.lost, source.certainty) == (9, Certainty.EXACT)
    (frame,) = images(host.receive(board.frame(21)))
    assert (frame.lost, frame.place.lost_so_far) == (1, 10)


def test_status_of_a_restarted_board_counts_no_skipped_numbers(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    host.receive(board.status(10, uptime_s=100) + board.frame(10))
    host.clock.now += 60
    host.receive(board.status(122, uptime_s=0, boots=2))
    (frame,) = images(host.receive(board.frame(122)))
    assert (frame.lost, frame.place.lost_so_far) == (0, 0)
    assert frame.place.certainty_so_far == Certainty.AT_LEAST


def test_old_plain_and_forged_status_frames_are_refused(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    old = [board.status(5, uptime_s=50), board.status(9, uptime_s=60)]
    assert all(isinstance(event, ControlFrame) and event.status for data in old for event in host.receive(data))
    forger = SecuredBoard(adaptive, keys=OTHER_KEYS)
    plain = status_frame(make_status(900, 900, 9), DEVICE, adaptive.number)
    for data, reason in (
        (old[0], Refusal.REPLAY),
        (old[1], Refusal.REPLAY),
        (board.status(50, uptime_s=1000, boots=0), Refusal.REPLAY),
        (forger.status(900, 900, 9), Refusal.NOT_AUTHENTIC),
        (plain, Refusal.NOT_AUTHENTIC),
    ):
        (event,) = host.receive(data)
        assert isinstance(event, ControlFrame) and (event.status, event.refusal) == (None, reason)
    assert host.parser.gate.accepted[DEVICE][1:] == (8, 1, 60)
    (event,) = host.receive(board.status(9, uptime_s=0, boots=2))
    assert isinstance(event, ControlFrame) and event.status


def test_plain_status_of_other_devices_and_of_gateways_counts(adaptive: Bundle) -> None:
    gateway = replace(make_status(0), setting=setting_byte(0, 0, gateway=True))
    for device, status in ((3, make_status(0)), (DEVICE, gateway)):
        (event,) = Host(adaptive).receive(status_frame(status, device, adaptive.number))
        assert isinstance(event, ControlFrame) and event.status == status
    strict = Host(adaptive, require=Auth.HEADER)
    (event,) = strict.receive(status_frame(make_status(0), 3, adaptive.number))
    assert isinstance(event, ControlFrame) and event.refusal == Refusal.NO_KEY
    (event,) = strict.receive(status_frame(gateway, 3, adaptive.number))
    assert isinstance(event, ControlFrame) and event.status == gateway


def test_restarted_host_refuses_what_the_last_one_saw(adaptive: Bundle) -> None:
    first, board = Host(adaptive), SecuredBoard(adaptive)
    sent = [board.status(0, uptime_s=50), *[board.frame(n) for n in range(10)]]
    first.receive(b"".join(sent))
    second = Host(adaptive)
    second.parser.gate.restore(first.parser.gate.accepted)
    second.parser.restore(first.parser.sources)
    for data in sent:
        events = second.receive(data)
        assert not images(events) and not any(isinstance(e, ControlFrame) and e.status for e in events)
    (frame,) = images(second.receive(board.frame(12)))
    assert (frame.image_number, frame.lost, frame.place.lost_so_far) == (12, 2, 2)
    forgetful = Host(adaptive)
    assert numbers(forgetful, sent[1]) == [0], "which a host without its state would accept"


def test_new_key_begins_anew(adaptive: Bundle) -> None:
    first, board = Host(adaptive), SecuredBoard(adaptive)
    first.receive(board.status(70_000) + board.frame(70_000))
    renewed = Host(adaptive, {DEVICE: DevicePolicy(OTHER_KEYS)})
    renewed.parser.gate.restore(first.parser.gate.accepted)
    assert not images(renewed.receive(board.frame(70_001)))
    assert numbers(renewed, SecuredBoard(adaptive, keys=OTHER_KEYS).frame(0)) == [0]


def test_forged_ids_do_not_displace_devices_with_a_key(adaptive: Bundle, bundle: Bundle) -> None:
    parser, board = FrameParser([adaptive, bundle], lambda: 0.0, {DEVICE: DevicePolicy(KEYS)}), SecuredBoard(adaptive)
    receiver = StreamReceiver([adaptive, bundle], parser)
    receiver.feed(board.frame(0))
    others = [device for device in range(255) if device != DEVICE]
    for number in range(3):
        for device in others:
            receiver.feed(make_frame(adaptive, number, device=device) + make_frame(bundle, number, device=device))
    assert len(parser.sources) == MAX_SOURCES and (DEVICE, adaptive.model_id) in parser.sources
    (frame,) = images(receiver.feed(board.frame(3)))
    assert (frame.image_number, frame.lost) == (3, 2)


def test_two_devices_have_their_own_counters(adaptive: Bundle) -> None:
    other = SecuredBoard(adaptive, 8, OTHER_KEYS)
    host = Host(adaptive, {DEVICE: DevicePolicy(KEYS), 8: DevicePolicy(OTHER_KEYS)})
    board = SecuredBoard(adaptive)
    frames = images(host.receive(board.frame(500) + other.frame(3) + board.frame(501) + other.frame(4)))
    assert [(frame.device, frame.image_number, frame.lost) for frame in frames] == [
        (7, 500, 0), (8, 3, 0), (7, 501, 0), (8, 4, 0),
    ]  # fmt: skip
