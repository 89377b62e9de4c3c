"""The receiver of a radio's packets."""

from pathlib import Path

import numpy as np
import pytest

from channel_sim import BitFlips
from host.receive.events import ControlFrame, FeatureFrame, UnknownModel
from host.receive.radio import PacketReceiver
from tests.support.host import make_bundle, make_frame, symbols_of
from wire.bundle import Bundle
from wire.control import ErrorReply, Opcode, reply
from wire.frame import SYNC, FrameType, Header
from wire.replies.status import Status, parse_status, status_frame

STATUS = Status(70_969, 266_645, 17, 4, 0x29, 3712, 341, 3600)


def packet(bundle: Bundle, sequence: int, device: int = 7, chunk: int = 0) -> bytes:
    """Return the LoRa form of a frame."""
    return make_frame(bundle, sequence, device=device, chunk=chunk)[len(SYNC) :]


def test_clean_packets_round_trip(bundle: Bundle) -> None:
    receiver = PacketReceiver([bundle])
    for n in range(40):
        for chunk in range(3):
            frame = receiver.take(packet(bundle, n, chunk=chunk), snr_db=-7.25, rssi_dbm=-119.0)
            assert isinstance(frame, FeatureFrame) and frame.crc_ok and frame.whole
            assert (frame.device, frame.sequence, frame.chunk) == (7, n % 32, chunk)
            assert (frame.snr_db, frame.rssi_dbm, frame.sync_flips) == (-7.25, -119.0, None)
            received = frame.symbols[bundle.chunk_slice(chunk)]
            assert received.tolist() == symbols_of(bundle, n, chunk=chunk).tolist()
    assert receiver.foreign == 0


@pytest.mark.parametrize(("ber", "limit"), [(0.05, 0.001), (0.1, 0.02)])
def test_packets_of_known_device_are_rarely_lost(bundle: Bundle, ber: float, limit: float) -> None:
    receiver, rng, found = PacketReceiver([bundle]), np.random.default_rng(1), 0
    receiver.take(packet(bundle, 0))
    for n in range(1, 3001):
        frame = receiver.take(BitFlips(ber).corrupt(packet(bundle, n), rng) or b"")
        found += isinstance(frame, FeatureFrame) and (frame.device, frame.sequence, frame.chunk) == (7, n % 32, 0)
    print(f"BER {ber:g}: {1 - found / 3000:.2%} lost")
    assert 1 - found / 3000 <= limit


def test_foreign_packets_give_no_frames(bundle: Bundle, tmp_path: Path) -> None:
    receiver, rng = PacketReceiver([bundle]), np.random.default_rng(2)
    other = make_bundle(tmp_path / "other", seed=1)
    receiver.take(packet(bundle, 0))
    events = [receiver.take(rng.bytes(int(size))) for size in rng.integers(0, 80, 20_000)]
    events += [receiver.take(packet(bundle, 1)[:-1]), receiver.take(packet(bundle, 1) + b"x")]
    assert not any(isinstance(event, FeatureFrame) for event in events)
    assert receiver.foreign + receiver.damaged_statuses == len(events) and receiver.damaged_statuses < 100
    reply = Header(FrameType.REPLY, 9, 3, bundle.model_bits, 0).encode() + packet(bundle, 1)[8:]
    assert receiver.take(reply) is None
    assert receiver.take(packet(other, 0)) == UnknownModel(Header(FrameType.FEATURE, 7, 0, other.model_bits, 0))


@pytest.mark.parametrize("padding", [0, 22])
def test_status_packets_are_found_among_frames_of_images(bundle: Bundle, padding: int) -> None:
    """The padding gives them the length of a frame of features."""
    receiver = PacketReceiver([bundle])
    status = status_frame(STATUS, 7, bundle.number, sync=False) + bytes(padding)
    assert padding == 0 or len(status) == len(packet(bundle, 0))
    for n in range(4):
        assert isinstance(receiver.take(packet(bundle, n)), FeatureFrame)
        event = receiver.take(status, snr_db=-7.25, rssi_dbm=-119.0)
        assert isinstance(event, ControlFrame) and parse_status(event.control) == STATUS
        assert (event.control.header.device, event.snr_db, event.rssi_dbm) == (7, -7.25, -119.0)
    assert (receiver.foreign, receiver.damaged_statuses) == (0, 0)


def test_status_packet_with_a_damaged_header_is_used(bundle: Bundle) -> None:
    status = bytearray(status_frame(STATUS, 200, 1, sync=False))
    status[0] ^= 0x41
    status[6] ^= 0x10
    event = PacketReceiver([bundle]).take(bytes(status))
    assert isinstance(event, ControlFrame) and event.control.header.device == 200


def test_status_packet_with_damaged_data_is_dropped_and_counted(bundle: Bundle) -> None:
    receiver, status = PacketReceiver([bundle]), status_frame(STATUS, 7, bundle.number, sync=False)
    for place in range(8, len(status)):
        damaged = bytearray(status)
        damaged[place] ^= 1
        assert receiver.take(bytes(damaged)) is None
    assert receiver.take(status[:-1]) is None
    assert (receiver.damaged_statuses, receiver.foreign) == (len(status) - 8 + 1, 0)


def test_other_replies_in_packets_are_dropped(bundle: Bundle) -> None:
    """A packet cannot pass an error, or a packet within a packet, as a board's."""
    receiver = PacketReceiver([bundle])
    for opcode, data in ((Opcode.ERROR, ErrorReply(16, 0).pack()), (Opcode.PACKET | 0x80, bytes(40))):
        assert receiver.take(reply(opcode, 0, data, 7, 0)[len(SYNC) :]) is None
