"""The receiver of a radio's packets, and headers at the limit: known devices, many devices, nothing but noise."""

from math import comb
from pathlib import Path

import numpy as np
import pytest

from channel_sim import BitFlips
from host.receive.events import FeatureFrame, UnknownModel
from host.receive.headers import AHEAD, BEHIND, FALSE_A_BYTE, Headers, most_flips
from host.receive.radio import PacketReceiver
from host.receive.stream import StreamReceiver
from tests.support.host import features, levels_of, make_bundle, make_frame, receive
from wire.bundle import Bundle
from wire.frame import FrameType, Header


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("packets") / "default")


def packet(bundle: Bundle, sequence: int, device: int = 7, chunk: int = 0) -> bytes:
    return make_frame(bundle, sequence, device=device, chunk=chunk)[4:]


def test_clean_packets_come_back_as_they_were_sent(bundle: Bundle) -> None:
    receiver = PacketReceiver([bundle])
    for n in range(40):
        for chunk in range(3):
            frame = receiver.take(packet(bundle, n, chunk=chunk), snr_db=-7.25, rssi_dbm=-119.0)
            assert isinstance(frame, FeatureFrame) and frame.crc_ok and frame.whole
            assert (frame.device, frame.sequence, frame.chunk) == (7, n % 32, chunk)
            assert (frame.snr_db, frame.rssi_dbm, frame.sync_flips) == (-7.25, -119.0, None)
            first, count = bundle.chunk_symbols(chunk)
            assert frame.symbols[first : first + count].tolist() == levels_of(bundle, n, chunk=chunk).tolist()
    assert receiver.strangers == 0


@pytest.mark.parametrize(("ber", "limit"), [(0.05, 0.001), (0.1, 0.02)])
def test_packets_of_a_known_device_are_rarely_lost(bundle: Bundle, ber: float, limit: float) -> None:
    receiver, rng, found = PacketReceiver([bundle]), np.random.default_rng(1), 0
    receiver.take(packet(bundle, 0))
    for n in range(1, 3001):
        frame = receiver.take(BitFlips(ber).corrupt(packet(bundle, n), rng) or b"")
        found += isinstance(frame, FeatureFrame) and (frame.device, frame.sequence, frame.chunk) == (7, n % 32, 0)
    print(f"BER {ber:g}: {1 - found / 3000:.2%} lost")
    assert 1 - found / 3000 <= limit


def test_other_peoples_packets_are_not_ours(bundle: Bundle, tmp_path: Path) -> None:
    receiver, rng = PacketReceiver([bundle]), np.random.default_rng(2)
    other = make_bundle(tmp_path / "other", seed=1)
    receiver.take(packet(bundle, 0))
    taken = [receiver.take(rng.bytes(int(size))) for size in rng.integers(0, 80, 20_000)]
    taken += [receiver.take(packet(bundle, 1)[:-1]), receiver.take(packet(bundle, 1) + b"x")]
    assert not any(isinstance(event, FeatureFrame) for event in taken)
    assert receiver.strangers == len(taken)
    reply = Header(FrameType.REPLY, 9, 3, bundle.model_bits, 0).encode() + packet(bundle, 1)[8:]
    assert receiver.take(reply) is None
    assert receiver.take(packet(other, 0)) == UnknownModel(Header(FrameType.FEATURE, 7, 0, other.model_bits, 0))


def test_fifty_devices_on_one_line(bundle: Bundle) -> None:
    """Each heard clean once, then through flips at 5e-2 and 1e-1: losses as FALSE_A_BYTE leaves them for so many."""
    frames, devices = 6000, 50
    for ber, limit in ((0.05, 0.005), (0.1, 0.07)):
        receiver, rng = StreamReceiver([bundle]), np.random.default_rng(3)
        sequence = dict.fromkeys(range(devices), 0)
        for device in sequence:
            receiver.feed(make_frame(bundle, 0, device=device))
        right = wrong = 0
        for _ in range(frames):
            device = int(rng.integers(devices))
            sequence[device] += 1
            sent = make_frame(bundle, sequence[device], device=device)
            for frame in features(receive(receiver, BitFlips(ber).corrupt(sent, rng) or b"")):
                mine = (frame.device, frame.sequence) == (device, sequence[device] % 32)
                right, wrong = right + mine, wrong + (not mine)
        lost = sum(source.lost for source in receiver.sources.values())
        print(f"BER {ber:g}: {1 - right / frames:.2%} lost, {wrong} wrong")
        assert 1 - right / frames <= limit and wrong <= 1
        assert lost == pytest.approx(frames - right, abs=5)
        assert len(receiver.sources) == devices


def test_the_flips_that_are_borne_keep_to_the_rate_of_false_headers() -> None:
    """The bound by its definition, with small numbers: 8 bits, of which C(8, 0) + C(8, 1) are within 1 of a word."""
    assert most_flips(8, 1, 9 / 256) == 1 and most_flips(8, 1, 8.9 / 256) == 0
    assert most_flips(8, 9, 9 / 256) == 0 and most_flips(8, 10, 9 / 256) == -1
    one_device = (AHEAD + BEHIND + 1) * 3
    assert [most_flips(96, n * one_device, FALSE_A_BYTE) for n in (1, 50)] == [18, 16]


def test_noise_is_taken_for_a_known_header_no_more_often_than_allowed(bundle: Bundle) -> None:
    """Random header blocks behind perfect syncs, which noise has once in 4e9: what is left is the header's share.

    Of what the distance would allow, the bound on the header's own flips and the runner-up take most.
    """
    headers, rng = Headers([bundle]), np.random.default_rng(4)
    for device in range(200):
        headers.know(device, bundle.model_bits, 0)
    limit = most_flips(96, 200 * 33, FALSE_A_BYTE)
    taken = [headers.read(rng.bytes(8), 0) for _ in range(20_000)]
    matches = [match for match in taken if match and match.passed == ((96, limit),)]
    expected = 20_000 * 200 * 33 * sum(comb(64, k) for k in range(limit + 1)) / 2**64
    print(len(matches), expected)
    assert 0 < len(matches) < expected / 2
