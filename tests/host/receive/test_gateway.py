"""Gateways at the host: packets among serial frames, packet counts, errors."""

import json
import subprocess
import sys
from pathlib import Path

from host.receive.events import AnswerFrame, ControlFrame, FeatureFrame, UnknownModel
from host.receive.frames import FrameParser
from host.receive.radio import Gateways, PacketReceiver
from host.receive.stream import MAX_REPLY_BYTES, StreamReceiver
from tests.support import ROOT
from tests.support.host import answer_of, make_answer, make_bundle, make_frame, receive
from tests.support.lines import fake_line, sends
from wire.bundle import Bundle
from wire.control import Control, ErrorCode, ErrorReply, Opcode, Packet, parse_control, reply
from wire.frame import SYNC, FrameType, Header
from wire.replies.status import Status, parse_status, status_frame

GATEWAY = 9


def packet_reply(count: int, payload: bytes, crc_ok: bool = True, gateway: int = GATEWAY) -> bytes:
    """Return the control frame of a gateway's packet."""
    return reply(Opcode.PACKET | 0x80, count % 256, Packet(crc_ok, -124.25, -8.5, payload).pack(), gateway, 0)


def control(frame: bytes) -> Control:
    """Parse a control frame with its sync."""
    parsed = parse_control(frame[len(SYNC) :])
    assert parsed is not None
    return parsed


def on_air(bundle: Bundle, sequence: int, device: int = 7, chunk: int = 0) -> bytes:
    """Return the LoRa form of a frame."""
    return make_frame(bundle, sequence, device=device, chunk=chunk)[len(SYNC) :]


def test_take_returns_event_with_signal_measurements(bundle: Bundle) -> None:
    gateways = Gateways(PacketReceiver([bundle]))
    frame = gateways.take(control(packet_reply(0, on_air(bundle, 5))))
    assert isinstance(frame, FeatureFrame) and frame.crc_ok and (frame.device, frame.sequence) == (7, 5)
    assert (frame.snr_db, frame.rssi_dbm) == (-8.5, -124.25)
    assert (gateways.packets, gateways.lost, gateways.foreign) == (1, 0, 0)


def test_take_returns_answers_with_signal_measurements(adaptive: Bundle) -> None:
    gateways = Gateways(PacketReceiver([adaptive]))
    frame = gateways.take(control(packet_reply(0, make_answer(adaptive, 5, sync=False))))
    assert isinstance(frame, AnswerFrame) and (frame.device, frame.sequence) == (7, 5)
    assert (frame.answer, frame.snr_db, frame.rssi_dbm) == (answer_of(adaptive, 5), -8.5, -124.25)
    assert (gateways.packets, gateways.lost, gateways.foreign) == (1, 0, 0)


def test_gaps_in_packet_numbers_count_as_lost(bundle: Bundle) -> None:
    gateways = Gateways(PacketReceiver([bundle]))
    for count in (250, 251, 254, 255, 0, 3):
        gateways.take(control(packet_reply(count, on_air(bundle, count))))
    gateways.take(control(packet_reply(77, on_air(bundle, 9), gateway=8)))  # another gateway, with its own numbers
    assert (gateways.packets, gateways.lost) == (7, 2 + 2)


def test_repeated_packet_counts_once(bundle: Bundle) -> None:
    gateways = Gateways(PacketReceiver([bundle]))
    events = [gateways.take(control(packet_reply(count, on_air(bundle, count)))) for count in (0, 0, 1)]
    assert events[1] is None and isinstance(events[2], FeatureFrame)
    assert (gateways.packets, gateways.lost) == (2, 0)


def test_two_gateways_with_one_number_lose_no_packets_and_are_named(bundle: Bundle) -> None:
    """Both forward each packet, with the same numbers, and measure different signals."""
    gateways = Gateways(PacketReceiver([bundle]))
    for count in range(20):
        for snr_db in (-8.5, -3.25):
            data = Packet(True, -124.25, snr_db, on_air(bundle, count)).pack()
            frame = gateways.take(control(reply(Opcode.PACKET | 0x80, count, data, GATEWAY, 0)))
            assert isinstance(frame, FeatureFrame) and frame.snr_db == snr_db
    assert gateways.clashing == {GATEWAY}
    assert (gateways.packets, gateways.lost) == (40, 0)


def test_one_gateway_is_no_clash(bundle: Bundle) -> None:
    gateways = Gateways(PacketReceiver([bundle]))
    for count in [*range(300), *range(5), *range(200)]:
        gateways.take(control(packet_reply(count, on_air(bundle, count))))
    assert gateways.clashing == set()


def test_take_returns_status_with_the_gateway(bundle: Bundle) -> None:
    gateways = Gateways(PacketReceiver([bundle]))
    status = Status(1, 2, 3, 4, 0, 0, 0, 3600)
    event = gateways.take(control(packet_reply(0, status_frame(status, 7, bundle.number, sync=False))))
    assert isinstance(event, ControlFrame) and parse_status(event.control) == status
    assert (event.gateway, event.control.header.device, event.snr_db) == (GATEWAY, 7, -8.5)
    assert (gateways.foreign, gateways.damaged_statuses) == (0, 0)


def test_foreign_packets_are_counted_and_other_replies_ignored(bundle: Bundle, tmp_path: Path) -> None:
    gateways = Gateways(PacketReceiver([bundle]))
    other = make_bundle(tmp_path / "other", seed=1)
    assert gateways.take(control(packet_reply(0, b"a foreign packet"))) is None
    assert gateways.take(control(packet_reply(1, b""))) is None
    assert isinstance(gateways.take(control(packet_reply(2, on_air(other, 0)))), UnknownModel)
    assert (gateways.packets, gateways.foreign) == (3, 3)
    for opcode, data in ((Opcode.RUN | 0x80, bytes(12)), (Opcode.PACKET | 0x80, bytes(4)), (Opcode.ERROR, b"\x10\0")):
        assert gateways.take(Control(Header(FrameType.REPLY, GATEWAY, 0, 0, 0), opcode, 9, data)) is None
    assert (gateways.packets, gateways.lost) == (3, 0)


def test_longest_packet_defines_max_reply_bytes(bundle: Bundle) -> None:
    longest = packet_reply(0, bytes(255))
    assert len(longest) - len(SYNC) == MAX_REPLY_BYTES
    (event,) = receive(StreamReceiver([bundle]), longest)
    assert isinstance(event, ControlFrame) and Packet.unpack(event.control.data).payload == bytes(255)


def test_device_heard_by_radio_and_serial_line_is_one_source(bundle: Bundle) -> None:
    """Image numbers continue from one path to the other, so that different images are never combined."""
    parser = FrameParser([bundle])
    serial, gateways = StreamReceiver([bundle], parser), Gateways(PacketReceiver([bundle], parser))
    numbers = []
    for n in range(12):
        if n % 3:
            event = gateways.take(control(packet_reply(n, on_air(bundle, n))))
        else:
            (event,) = receive(serial, make_frame(bundle, n))
        assert isinstance(event, FeatureFrame)
        numbers.append(event.image_number)
    assert numbers == [*range(12)]
    assert [*parser.sources] == [(7, bundle.model_id)] and parser.sources[7, bundle.model_id].lost == 0


def test_receive_command_reads_packets_and_serial_frames(bundle: Bundle, tmp_path: Path) -> None:
    damaged = bytearray(on_air(bundle, 3))
    damaged[20] ^= 0x18
    stream = [
        reply(Opcode.ERROR, 0, ErrorReply(ErrorCode.RADIO, 0).pack(), 8, 0),
        packet_reply(0, on_air(bundle, 0)),
        make_frame(bundle, 4, device=2),
        packet_reply(1, on_air(bundle, 1)),
        packet_reply(3, bytes(damaged), crc_ok=False),  # one was lost on the line, another on the air
        packet_reply(4, b"not a frame"),
        make_frame(bundle, 5, device=2),
    ]
    with fake_line(sends(b"".join(stream), hold=True)) as url:
        options = ["--port", url, "--bundle", str(bundle.path), "--json", str(tmp_path / "log.jsonl"), "--count", "5"]
        command = [sys.executable, "-m", "host", "receive", *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert done.stderr.splitlines() == [
        "inkling: device 8 reported an error: it has no radio, or the radio does not respond (RADIO)",
        "inkling: 5 frames, 1 lost, 0 duplicates, 0 late, 0 of unknown models, 0 bytes of garbage; "
        "4 packets by radio, 1 lost between gateway and host, 1 foreign",
    ]
    shown = done.stdout.splitlines()[1:]
    readings = [json.loads(text) for text in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(r["device"], r["sequence"], r["crc_ok"]) for r in readings] == [
        (7, 0, True), (2, 4, True), (7, 1, True), (7, 3, False), (2, 5, True)
    ]  # fmt: skip
    for reading, text in zip(readings, shown, strict=True):
        by_radio = reading["device"] == 7
        assert (reading["snr_db"], reading["rssi_dbm"]) == ((-8.5, -124.25) if by_radio else (None, None))
        assert ("SNR  -8.5 dB  -124 dBm" in text) == by_radio
