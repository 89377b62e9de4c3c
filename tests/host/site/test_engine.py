"""Engine of a site: records of lines and gateways, copies of one image as one reading."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from host.keys.policy import DevicePolicy
from host.site.records import EventRecord, ReadingRecord, StatusRecord, record_of
from tests.host.secured import KEYS, make_status
from tests.host.site.town import START, Town, events, packet, readings
from tests.support.host import make_answer, make_bundle, make_frame, symbols_of
from wire.bundle import Bundle
from wire.control import REPLY_BIT, ErrorCode, ErrorReply, Opcode, Packet, reply
from wire.replies.status import status_frame


def test_one_gateway_is_not_waited_for(town: Town) -> None:
    town.site.take(town.packet(packet(town.bundle, 1)))
    (reading,) = readings(town.site.poll())
    assert (reading.device, reading.sequence, reading.frame) == (7, 1, "features")
    assert reading.symbols == tuple(symbols_of(town.bundle, 1)) and reading.crc_ok and not reading.duplicate
    assert [(one.gateway, one.time, one.snr_db, one.crc_ok) for one in reading.receptions] == [
        ("north", START, -8.0, True)
    ]
    assert record_of(reading.as_json()) == reading


def test_copies_are_one_reading_after_the_settle_window(town: Town) -> None:
    town.introduce("north", "south", "east")
    sent = packet(town.bundle, 5)
    town.site.take(town.packet(sent, "north", 0.1))
    assert town.site.poll() == []
    town.now += 0.1
    town.site.take(town.packet(sent, "south", 0.1))
    assert town.site.poll() == []
    town.now += 0.2
    (reading,) = readings(town.site.poll())
    assert [one.gateway for one in reading.receptions] == ["north", "south"] and not reading.duplicate
    assert reading.time == START + town.now - 0.3 and all(0.02 < one.ber < 0.2 for one in reading.receptions)


def test_all_gateways_end_the_wait(town: Town) -> None:
    town.introduce("north", "south")
    for gateway in ("north", "south"):
        town.site.take(town.packet(packet(town.bundle, 5), gateway))
    (reading,) = readings(town.site.poll())
    assert len(reading.receptions) == 2


def test_gateway_that_is_gone_is_not_waited_for(town: Town) -> None:
    town.introduce("north", "south")
    town.now += 700.0
    town.site.take(town.packet(packet(town.bundle, 5)))
    assert len(readings(town.site.poll())) == 1


def test_three_bad_copies_of_a_new_device_are_read(town: Town) -> None:
    town.introduce("north", "south", "east")
    found = 0
    for n in range(20):
        records = town.hear(packet(town.bundle, n, device=30 + n), "north", "south", "east", ber=0.13)
        found += [(one.device, len(one.receptions)) for one in readings(records)] == [(30 + n, 3)]
    assert found >= 18


def test_late_copy_replaces_the_record_and_is_no_duplicate(town: Town) -> None:
    town.introduce("north", "south")
    sent = packet(town.bundle, 5)
    (first,) = readings(town.hear(sent, "north"))
    (second,) = readings(town.hear(sent, "south"))
    assert second.id == first.id and second.time == first.time and not second.duplicate
    assert [one.gateway for one in second.receptions] == ["north", "south"]
    (third,) = readings(town.hear(sent, "south"))  # a repeater's
    assert third.id == first.id and third.duplicate


def test_chunks_of_an_image_are_one_reading(town: Town) -> None:
    (prefix,) = readings(town.hear(packet(town.bundle, 5, chunk=1)))
    (whole,) = readings(town.hear(packet(town.bundle, 5, chunk=2)))
    assert whole.id == prefix.id and -1 in prefix.symbols and -1 not in whole.symbols


def test_answer_has_no_symbols(town: Town) -> None:
    (reading,) = readings(town.hear(make_answer(town.bundle, 5, sync=False), "north", "south"))
    assert (reading.frame, reading.answered_by, reading.symbols, reading.crc_ok) == ("answer", "board", (), True)


def test_answer_is_clean_by_the_crc_of_its_radio(town: Town) -> None:
    def heard(number: int, *copies: tuple[str, float, bool | None]) -> ReadingRecord:
        """Return the reading of an answer, given gateways, bit error rates, and what their radios say."""
        sent = make_answer(town.bundle, number, sync=False)
        for gateway, ber, crc_ok in copies:
            town.site.take(replace(town.packet(sent, gateway, ber), crc_ok=crc_ok))
        town.now += 1.0
        (reading,) = readings(town.site.poll())
        assert reading.frame == "answer"
        return reading

    assert heard(1, ("north", 0.0, True)).crc_ok is True
    assert heard(2, ("north", 0.0, None)).crc_ok is None
    assert heard(3, ("north", 0.0, False)).crc_ok is False
    both = heard(4, ("north", 0.0, False), ("south", 0.0, True))
    assert both.crc_ok is True and {one.gateway: one.crc_ok for one in both.receptions} == {
        "north": False,
        "south": True,
    }
    # A packet whose CRC is correct, of another network: it is near an answer, but has bit errors of one.
    sent = bytearray(make_answer(town.bundle, 5, sync=False))
    sent[6] ^= 0x10
    (reading,) = readings(town.hear(bytes(sent)))
    assert (reading.frame, reading.crc_ok) == ("answer", False)


def test_further_answers_keep_that_one_was_clean(town: Town) -> None:
    town.introduce("north", "south")
    sent = make_answer(town.bundle, 5, sync=False)
    (first,) = readings(town.hear(sent, "north"))
    town.site.take(replace(town.packet(sent, "south"), crc_ok=False))
    town.now += 1.0
    (second,) = readings(town.site.poll())
    assert second.id == first.id and [one.crc_ok for one in second.receptions] == [True, False]
    assert second.crc_ok is True


def test_bit_error_rate_is_that_of_each_gateway(town: Town) -> None:
    for sequence in range(25):
        sent = packet(town.bundle, sequence)
        for gateway, ber in (("north", 0.0), ("south", 0.08)):
            town.site.take(town.packet(sent, gateway, ber))
        town.now += 1.0
        (reading,) = readings(town.site.poll())
    north, south = (one.ber for one in reading.receptions)
    assert north < 0.005 and 0.04 < south < 0.14 and reading.ber == north


def test_line_has_boards_and_gateways(town: Town) -> None:
    line = town.site.line("usb")
    line.feed(make_frame(town.bundle, 5, device=3))
    payload = packet(town.bundle, 6, device=4)
    line.feed(reply(Opcode.PACKET | REPLY_BIT, 0, Packet(False, -120.0, -9.0, payload).pack(), 9, 0))
    by_line, by_gateway = readings(town.site.poll())
    assert (by_line.device, by_line.receptions[0].gateway) == (3, "usb")
    assert (by_gateway.device, by_gateway.receptions[0].gateway) == (4, "usb/9")
    assert by_gateway.receptions[0].snr_db == -9.0


def test_two_lines_share_their_devices(town: Town) -> None:
    first, second = town.site.line("a"), town.site.line("b")
    first.feed(make_frame(town.bundle, 5))
    second.feed(make_frame(town.bundle, 6))
    one, two = readings(town.site.poll())
    assert (one.image_number + 1, two.lost) == (two.image_number, 0)


def test_status_by_several_gateways_is_one_record(town: Town) -> None:
    town.introduce("north", "south")
    sent = status_frame(make_status(9), 7, town.bundle.number, sync=False)
    town.site.take(town.packet(sent, "north", snr_db=-9.0))
    town.site.take(town.packet(sent, "south", snr_db=-5.0))
    (status,) = town.site.poll()
    assert isinstance(status, StatusRecord)
    assert (status.device, status.counter, status.received_by, status.snr_db) == (7, 9, "south", -5.0)


def test_silent_device_and_its_return_are_events(town: Town) -> None:
    line = town.site.line("usb")
    line.feed(status_frame(make_status(9), 7, town.bundle.number))
    (status,) = town.site.poll()
    assert isinstance(status, StatusRecord) and status.received_by == "usb"
    town.now += 250.0
    (silent,) = town.site.poll()
    assert isinstance(silent, EventRecord) and (silent.event, silent.device) == ("silent", 7)
    line.feed(make_frame(town.bundle, 5))
    assert events(town.site.poll()) == ["back"]


def test_lost_port_makes_no_device_silent(town: Town) -> None:
    line = town.site.line("usb")
    line.feed(status_frame(make_status(9), 7, town.bundle.number))
    town.site.poll()
    line.lost("unplugged")
    assert events(town.site.poll()) == ["port-lost"]
    town.now += 1000.0
    assert town.site.poll() == []
    line.found()
    town.now += 2.0
    assert events(town.site.poll()) == ["port-back"]


def test_other_findings_are_events_once(town: Town) -> None:
    line = town.site.line("usb")
    for _ in range(3):
        line.feed(reply(Opcode.ERROR, 0, ErrorReply(next(iter(ErrorCode)), 0).pack(), 7, 0))
        line.feed(b"Brownout detector was triggered\r\n")
    assert sorted(events(town.site.poll())) == ["board-error", "board-text"]


def test_refused_frames_are_one_event(bundle: Bundle, tmp_path: Path) -> None:
    town = Town(bundle, tmp_path / "state", {7: DevicePolicy(KEYS)})
    records = [record for n in range(3) for record in town.hear(packet(bundle, n), "north", "south")]
    assert events(records) == ["refused"]
    town.kill()


def test_unknown_model_is_an_event_at_the_second_frame(town: Town, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other", seed=5)
    records = [town.hear(packet(other, n)) for n in range(3)]
    assert [events(one) for one in records] == [[], ["unknown-model"], []]


@pytest.mark.parametrize("make", [lambda town: b"", lambda town: b"abc", lambda town: bytes(200)])
def test_foreign_packets_are_settled_without_a_record(town: Town, make: Callable[[Town], bytes]) -> None:
    one = town.packet(make(town))
    town.site.take(one)
    assert town.site.poll() == [] and town.site.settled() == [one.id] and town.site.settled() == []
    assert town.site.foreign == 1
