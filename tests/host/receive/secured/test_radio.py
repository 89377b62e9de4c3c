"""Secured frames by radio: sizes of packets, gateways, padded status frames, and what is foreign."""

import numpy as np
import pytest

from channel_sim import BitFlips
from host.keys.policy import Auth
from host.receive.events import AnswerFrame, ControlFrame, FeatureFrame
from host.receive.radio import Gateways
from host.receive.secured.devices import Refusal
from tests.host.secured import DEVICE, OTHER_KEYS, Host, SecuredBoard, make_status, refusals
from tests.support.host import answer_of, images, make_answer, make_frame
from wire.bundle import Bundle
from wire.control import REPLY_BIT, Opcode, Packet, parse_control, reply
from wire.frame import SYNC


def test_packets_are_received_and_decrypted(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    for counter in range(40):
        chunk = counter % 3
        packet = board.frame(counter, chunk, sync=False)
        assert len(packet) == len(make_frame(adaptive, 0, chunk=chunk)) - len(SYNC) + 10
        frame, answer = (host.radio.take(data, -5.0, -90.0) for data in (packet, board.answer(counter, sync=False)))
        assert isinstance(frame, FeatureFrame) and isinstance(answer, AnswerFrame)
        assert frame.auth == answer.auth == Auth.FULL and answer.answer == answer_of(adaptive, counter)
        assert (frame.chunk, frame.image_number, frame.snr_db, frame.rssi_dbm) == (chunk, counter, -5.0, -90.0)
    assert host.radio.foreign == 0


@pytest.mark.parametrize("kind", ["frame", "answer"])
def test_packet_of_another_length_is_foreign(adaptive: Bundle, kind: str) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    packet = getattr(board, kind)(0, sync=False)
    for other in (packet[:-1], packet + b"\0", packet[:8] if kind == "frame" else packet[:9]):
        assert not images([host.radio.take(other)])
    assert host.radio.foreign == 3


def test_plain_and_forged_packets_are_refused_and_not_foreign(adaptive: Bundle) -> None:
    host, forger = Host(adaptive), SecuredBoard(adaptive, keys=OTHER_KEYS)
    packets = [
        make_frame(adaptive, 0)[4:], make_answer(adaptive, 1, sync=False),
        forger.frame(0, sync=False), forger.answer(1, sync=False),
    ]  # fmt: skip
    assert refusals(map(host.radio.take, packets)) == [Refusal.NOT_AUTHENTIC] * 4
    assert host.radio.foreign == 0
    assert images([host.radio.take(make_frame(adaptive, 0, device=3)[4:])])


def test_damaged_packets_are_found_after_a_silence(adaptive: Bundle) -> None:
    rng, board, found = np.random.default_rng(0), SecuredBoard(adaptive), 0
    for n in range(100):
        host = Host(adaptive)
        packet = board.frame(20_000 + n, sync=False) if n % 2 else board.answer(20_000 + n, sync=False)
        found += len(images([host.radio.take(BitFlips(0.03).corrupt(packet, rng) or b"")]))
    assert found >= 95


@pytest.mark.parametrize("padding", [0, 20])
def test_status_packet_is_authentic_and_may_be_padded(adaptive: Bundle, padding: int) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    packet = board.status(300, sync=False)
    assert len(packet) == 44
    event = host.radio.take(packet + bytes(padding), -5.0)
    assert isinstance(event, ControlFrame) and (event.status, event.snr_db) == (make_status(300), -5.0)
    again = host.radio.take(packet + bytes(padding))
    assert isinstance(again, ControlFrame) and again.refusal == Refusal.REPLAY
    assert images([host.radio.take(board.frame(300, sync=False))])[0].image_number == 300
    assert host.radio.take(packet[:-1] + b"\xff") is None and host.radio.damaged_statuses == 1


def test_gateway_forwards_frames_status_and_refusals(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    gateways = Gateways(host.radio)
    sent = [
        board.status(5, sync=False), board.frame(5, sync=False), board.answer(6, sync=False),
        make_frame(adaptive, 7)[4:],
    ]  # fmt: skip
    events = []
    for count, payload in enumerate(sent):
        packet = Packet(False, -100.0, -5.0, payload)
        control = parse_control(reply(Opcode.PACKET | REPLY_BIT, count, packet.pack(), 9, 0)[len(SYNC) :])
        assert control is not None
        events.append(gateways.take(control))
    assert isinstance(events[0], ControlFrame) and (events[0].gateway, events[0].status) == (9, make_status(5))
    assert [frame.image_number for frame in images(events)] == [5, 6]
    assert refusals(events) == [Refusal.NOT_AUTHENTIC] and gateways.foreign == 0


def test_copies_from_two_gateways_and_the_line_are_one_image(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    frames = images([*host.receive(board.frame(3)), host.radio.take(board.frame(3, sync=False))])
    assert [(frame.image_number, frame.place.duplicate, frame.device) for frame in frames] == [
        (3, False, DEVICE), (3, True, DEVICE),
    ]  # fmt: skip
