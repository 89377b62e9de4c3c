"""What a gateway hands on, at the host: packets among serial frames, counts, complaints."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from host.receive.events import FeatureFrame, UnknownModel
from host.receive.frames import Frames
from host.receive.radio import PacketReceiver
from host.receive.stream import MAX_REPLY_BYTES, StreamReceiver
from tests.support import ROOT
from tests.support.host import make_bundle, make_frame, receive
from tests.support.lines import line, plays
from wire.bundle import Bundle
from wire.control import Control, ErrorCode, ErrorReply, Opcode, Packet, parse_control, reply
from wire.frame import SYNC, Header

GATEWAY = 9


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("gateway") / "first")


def handed_on(count: int, payload: bytes, crc_ok: bool = True, gateway: int = GATEWAY) -> bytes:
    """The control frame of a gateway's packet."""
    return reply(Opcode.PACKET | 0x80, count % 256, Packet(crc_ok, -124.25, -8.5, payload).pack(), gateway, 0)


def control(frame: bytes) -> Control:
    parsed = parse_control(frame[len(SYNC) :])
    assert parsed is not None
    return parsed


def on_air(bundle: Bundle, sequence: int, device: int = 7, chunk: int = 0) -> bytes:
    return make_frame(bundle, sequence, device=device, chunk=chunk)[len(SYNC) :]


def test_a_packet_gives_the_event_with_what_the_radio_measured(bundle: Bundle) -> None:
    gateways = Gateways(PacketReceiver([bundle]))
    frame = gateways.take(control(handed_on(0, on_air(bundle, 5))))
    assert isinstance(frame, FeatureFrame) and frame.crc_ok and (frame.device, frame.sequence) == (7, 5)
    assert (frame.snr_db, frame.rssi_dbm) == (-8.5, -124.25)
    assert (gateways.packets, gateways.lost, gateways.strangers) == (1, 0, 0)


def test_gaps_in_a_gateways_count_are_what_the_line_lost(bundle: Bundle) -> None:
    gateways = Gateways(PacketReceiver([bundle]))
    for count in (250, 251, 254, 255, 0, 3):
        gateways.take(control(handed_on(count, on_air(bundle, count))))
    gateways.take(control(handed_on(77, on_air(bundle, 9), gateway=8)))  # another one, with a count of its own
    assert (gateways.packets, gateways.lost) == (7, 2 + 2)


def test_a_packet_that_comes_twice_counts_once(bundle: Bundle) -> None:
    gateways = Gateways(PacketReceiver([bundle]))
    events = [gateways.take(control(handed_on(count, on_air(bundle, count)))) for count in (0, 0, 1)]
    assert events[1] is None and isinstance(events[2], FeatureFrame)
    assert (gateways.packets, gateways.lost) == (2, 0)


def test_what_is_no_packet_of_ours_is_counted_or_passed_over(bundle: Bundle, tmp_path: Path) -> None:
    gateways = Gateways(PacketReceiver([bundle]))
    other = make_bundle(tmp_path / "other", seed=1)
    assert gateways.take(control(handed_on(0, b"somebody else's packet"))) is None
    assert gateways.take(control(handed_on(1, b""))) is None
    assert isinstance(gateways.take(control(handed_on(2, on_air(other, 0)))), UnknownModel)
    assert (gateways.packets, gateways.strangers) == (3, 3)
    for opcode, data in ((Opcode.RUN | 0x80, bytes(12)), (Opcode.PACKET | 0x80, bytes(4)), (Opcode.ERROR, b"\x10\0")):
        assert gateways.take(Control(Header(1, GATEWAY, 0, 0, 0), opcode, 9, data)) is None
    assert (gateways.packets, gateways.lost) == (3, 0)


def test_a_radios_longest_packet_comes_through_and_no_longer_reply_is_waited_for(bundle: Bundle) -> None:
    longest = handed_on(0, bytes(255))
    assert len(longest) - len(SYNC) == MAX_REPLY_BYTES
    (event,) = receive(StreamReceiver([bundle]), longest)
    assert Packet.unpack(event.control.data).payload == bytes(255)


def test_a_device_that_is_heard_both_ways_is_one_device(bundle: Bundle) -> None:
    """Image numbers go on from one way to the other, so that different pictures are never joined."""
    frames = Frames([bundle])
    serial, gateways = StreamReceiver([bundle], frames), Gateways(PacketReceiver([bundle], frames))
    numbers = []
    for n in range(12):
        if n % 3:
            frame = gateways.take(control(handed_on(n, on_air(bundle, n))))
        else:
            (frame,) = receive(serial, make_frame(bundle, n))
        numbers.append(frame.image)
    assert numbers == [*range(12)]
    assert [*frames.sources] == [(7, bundle.model_id)] and frames.sources[7, bundle.model_id].lost == 0


def test_receive_tells_packets_and_serial_frames_alike(bundle: Bundle, tmp_path: Path) -> None:
    damaged = bytearray(on_air(bundle, 3))
    damaged[20] ^= 0x18
    stream = [
        reply(Opcode.ERROR, 0, ErrorReply(ErrorCode.RADIO, 0).pack(), 8, 0),
        handed_on(0, on_air(bundle, 0)),
        make_frame(bundle, 4, device=2),
        handed_on(1, on_air(bundle, 1)),
        handed_on(3, bytes(damaged), crc_ok=False),  # the line lost one, the air another
        handed_on(4, b"not one of ours"),
        make_frame(bundle, 5, device=2),
    ]
    with line(plays(b"".join(stream), hold=True)) as url:
        command = ["receive", "--port", url, "--bundle", bundle.path, "--json", tmp_path / "log.jsonl", "--count", 5]
        command = [sys.executable, "-m", "host", *map(str, command)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert done.stderr.splitlines() == [
        "inkling: device 8 has a problem: it has no radio to send with, or one that does not answer (RADIO)",
        "inkling: 5 frames, 1 lost, 0 duplicates, 0 late, 0 of unknown models, 0 bytes of garbage; "
        "4 packets by radio, 1 lost on this line, 1 not ours",
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
