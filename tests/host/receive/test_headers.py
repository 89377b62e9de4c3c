"""The header decoder at its limits: known devices, many devices, nothing but noise."""

from math import comb

import numpy as np
import pytest

from channel_sim import BitFlips
from host.receive.headers import HeaderDecoder
from host.receive.matching import AHEAD, BEHIND, FALSE_PER_BYTE
from host.receive.stream import StreamReceiver
from tests.support.host import features, make_frame, receive
from wire import bch
from wire.bundle import Bundle
from wire.frame import FrameType, Header


def test_fifty_devices_on_one_line(bundle: Bundle) -> None:
    """Each is heard clean once, then through flips at 5e-2 and 1e-1. FALSE_PER_BYTE determines the losses."""
    frames, devices = 6000, 50
    for ber, limit in ((0.05, 0.005), (0.1, 0.07)):
        receiver, rng = StreamReceiver([bundle]), np.random.default_rng(3)
        sequence = dict.fromkeys(range(devices), 0)
        for device in sequence:
            receiver.feed(make_frame(bundle, 0, device=device))
        correct = wrong = 0
        for _ in range(frames):
            device = int(rng.integers(devices))
            sequence[device] += 1
            sent = make_frame(bundle, sequence[device], device=device)
            for frame in features(receive(receiver, BitFlips(ber).corrupt(sent, rng) or b"")):
                is_expected = (frame.device, frame.sequence) == (device, sequence[device] % 32)
                correct, wrong = correct + is_expected, wrong + (not is_expected)
        lost = sum(source.lost for source in receiver.sources.values())
        print(f"BER {ber:g}: {1 - correct / frames:.2%} lost, {wrong} wrong")
        assert 1 - correct / frames <= limit and wrong <= 1
        assert lost == pytest.approx(frames - correct, abs=5)
        assert len(receiver.sources) == devices


def test_max_flips_keeps_to_the_rate_of_false_headers() -> None:
    """The definition with small numbers: of 8 bits, C(8, 0) + C(8, 1) blocks are within 1 of a word."""
    assert bch.max_flips(8, 1, 9 / 256) == 1 and bch.max_flips(8, 1, 8.9 / 256) == 0
    assert bch.max_flips(8, 9, 9 / 256) == 0 and bch.max_flips(8, 10, 9 / 256) == -1
    one_device = (AHEAD + BEHIND + 1) * 3
    assert [bch.max_flips(96, n * one_device, FALSE_PER_BYTE) for n in (1, 50)] == [18, 16]


def test_noise_is_decoded_as_known_header_at_most_as_often_as_allowed(bundle: Bundle) -> None:
    """Random header blocks after perfect syncs, which noise has once in 4e9: the remaining rate is the header's.

    The limit on the header's own flips and the second nearest candidate exclude most of what the distance allows.
    """
    headers, rng = HeaderDecoder([bundle]), np.random.default_rng(4)
    for device in range(200):
        headers.add_device(device, bundle.model_bits, [0])
    limit = bch.max_flips(96, 200 * 33, FALSE_PER_BYTE)
    decoded = [headers.decode(rng.bytes(8), 0) for _ in range(20_000)]
    matches = [match for match in decoded if match and match.passed == ((96, limit),)]
    expected = 20_000 * 200 * 33 * sum(comb(64, k) for k in range(limit + 1)) / 2**64
    print(len(matches), expected)
    assert 0 < len(matches) < expected / 2


def test_expected_answer_is_found_through_heavy_noise(bundle: Bundle) -> None:
    rng, found = np.random.default_rng(7), 0
    for n in range(500):
        receiver = StreamReceiver([bundle])
        receiver.expect(Header(FrameType.FEATURE, d, n % 32, bundle.model_bits, 1) for d in range(256))
        received = features(receive(receiver, BitFlips(0.1).corrupt(make_frame(bundle, n, chunk=1), rng) or b""))
        found += [(f.device, f.sequence, f.chunk) for f in received] == [(7, n % 32, 1)]
    assert found >= 0.93 * 500
