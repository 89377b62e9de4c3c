"""The registry of senders: bounded, and fair to those heard for long."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from channel_sim import BitFlips
from host.classify.classifier import Classifier
from host.receive.events import AnswerFrame, FeatureFrame
from host.receive.frames import FrameParser
from host.receive.radio import PacketReceiver
from host.receive.senders.registry import FORGET_S, MAX_SOURCES, Registry
from host.receive.senders.track import Certainty
from host.receive.stream import StreamReceiver
from tests.support.host import features, images, make_answer, make_bundle, make_frame, make_status, receive
from wire.bundle import Bundle

BITS = np.zeros(384, np.int8)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def hear(registry: Registry, device: int, now: float, sequence: int = 0, model_id: str = "a") -> None:
    registry.add((device, model_id)).record(sequence % 32, 0, BITS, True, now=now)


def test_registry_holds_as_many_sources_as_there_are_devices() -> None:
    registry = Registry()
    for n in range(3 * MAX_SOURCES):
        hear(registry, n % 255, 0.001 * n, model_id=f"{n // 255}")
        gone = [*registry.forget(0.001 * n)]
        assert len(gone) == (n >= MAX_SOURCES) and len(registry.sources) <= MAX_SOURCES
    assert (2 * MAX_SOURCES + 254) // 255 == 2 and (254, "2") in registry.sources


def test_registry_forgets_the_least_heard_first() -> None:
    registry = Registry()
    for n in range(20):
        hear(registry, 1, 10.0 * n, n)
        hear(registry, 2, 10.0 * n, n, "b")
    hear(registry, 3, 300.0)
    for device in range(4, 255):
        hear(registry, device, 301.0)
    assert len(registry.sources) == 254
    hear(registry, 0, 302.0)
    hear(registry, 4, 303.0, model_id="b")
    assert [*registry.forget(303.0)] == [(3, "a")], "heard once, and least recently"


def test_registry_forgets_silent_sources_and_keeps_their_counts() -> None:
    registry = Registry()
    for sequence in (0, 4, 4):
        hear(registry, 1, 0.01 * sequence, sequence)
    for n in range(100):
        hear(registry, 2, 300.0 * n, n)
    totals = registry.totals()
    assert (totals.lost, totals.duplicates) == (3, 1)
    assert [*registry.forget(FORGET_S + 1)] == [(1, "a")]
    assert registry.totals() == totals
    heard = 300.0 * 99
    assert [*registry.forget(2 * heard - 100)] == [] and [*registry.forget(2 * heard + 100)] == [(2, "a")]
    assert registry.totals().certainty == totals.certainty != Certainty.EXACT and registry.sources == {}


def test_device_is_established_only_after_half_the_time_of_the_oldest() -> None:
    registry, established = Registry(), {}
    for second in range(0, 40_000, 100):
        hear(registry, 1, second, second // 100)
        registry.is_established(registry.sources[1, "a"])
        if second >= 10_000:
            hear(registry, 2, second, second // 100)
            established[second] = registry.is_established(registry.sources[2, "a"])
    assert registry.is_established(registry.sources[1, "a"])
    assert not established[19_900] and established[20_000]


def test_frames_in_a_hurry_establish_nothing() -> None:
    registry = Registry()
    for n in range(1000):
        hear(registry, 1, 0.01 * n, n)
    assert not registry.is_established(registry.sources[1, "a"])


Sender = Callable[[Bundle, int, int], bytes]


def feature(bundle: Bundle, number: int, device: int) -> bytes:
    return make_frame(bundle, number, device=device)


def answer(bundle: Bundle, number: int, device: int) -> bytes:
    return make_answer(bundle, number, device=device)


def delivered(bundle: Bundle, make: Sender, forged_ids: int, by_radio: bool = False) -> float:
    """Return the share of frames found of a device heard for a while, at a bit error rate of 0.1.

    forged_ids: other device numbers, of each of which two frames come before.
    """
    clock, rng, channel = Clock(), np.random.default_rng(4), BitFlips(0.1)
    parser = FrameParser([bundle], clock)
    line, radio = StreamReceiver([bundle], parser), PacketReceiver([bundle], parser)

    def take(frame: bytes) -> list[AnswerFrame | FeatureFrame]:
        return images([radio.take(frame[4:])] if by_radio else receive(line, frame))

    for number in range(20):
        clock.now = 60.0 * number
        take(make(bundle, number, 7))
    for device in range(8, 8 + forged_ids):
        for number in (0, 1):
            take(make(bundle, number, device))
    found, count = 0, 1000
    for number in range(20, 20 + count):
        clock.now = 60.0 * number
        events = take(channel.corrupt(make(bundle, number, 7), rng) or b"")
        found += any((event.device, event.sequence) == (7, number % 32) for event in events)
    return found / count


@pytest.mark.parametrize("by_radio", [False, True])
@pytest.mark.parametrize("make", [feature, answer])
def test_forged_devices_cost_an_established_one_no_frame(adaptive: Bundle, make: Sender, by_radio: bool) -> None:
    undisturbed, flooded = (delivered(adaptive, make, count, by_radio) for count in (0, 240))
    print(f"{undisturbed:.1%} without, {flooded:.1%} with 240 forged devices")
    assert flooded >= undisturbed - 0.005 and undisturbed > 0.9


def test_forgotten_device_is_no_candidate(bundle: Bundle) -> None:
    clock, rng = Clock(), np.random.default_rng(5)
    parser = FrameParser([bundle], clock)
    receiver = StreamReceiver([bundle], parser)
    blocks = [BitFlips(0.12).corrupt(make_frame(bundle, 2)[4:12], rng) or b"" for _ in range(60)]

    def found() -> int:
        return sum(parser.headers.decode(block, 0) is not None for block in blocks)

    new = found()
    receive(receiver, make_frame(bundle, 1))
    known = found()
    clock.now += 1e5
    receive(receiver, make_frame(bundle, 1, device=9))
    assert [*receiver.sources] == [(9, bundle.model_id)]
    print(f"{known} found of a known device, {new} of a new one, of {len(blocks)}")
    assert known > new + 10 and found() <= new + 1


def test_removed_device_is_found_by_the_code(bundle: Bundle) -> None:
    clock = Clock()
    parser = FrameParser([bundle], clock)
    receiver = StreamReceiver([bundle], parser)
    receive(receiver, make_frame(bundle, 1))
    parser.headers.remove_device(7, bundle.model_bits)
    parser.headers.remove_device(7, bundle.model_bits)  # again: nothing to forget
    assert len(features(receive(receiver, make_frame(bundle, 2)))) == 1


def test_header_flood_costs_the_device_nothing(bundle: Bundle) -> None:
    """One forged frame with a random number before each honest one, which was enough to lose every third frame."""
    shares = []
    for flooded in (False, True):
        clock, rng, channel = Clock(), np.random.default_rng(6), BitFlips(0.1)
        receiver = StreamReceiver([bundle], FrameParser([bundle], clock))
        found = 0
        for number in range(1020):
            if flooded and number >= 20:
                clock.now = 60.0 * number - 1
                receive(receiver, make_frame(bundle, number % 7 * 5, np.full(128, number % 8)))
            clock.now = 60.0 * number
            sent = make_frame(bundle, number)
            events = features(receive(receiver, sent if number < 20 else channel.corrupt(sent, rng) or b""))
            found += any(event.sequence == number % 32 for event in events)
        shares.append(found / 1020)
    print(f"{shares[0]:.1%} without, {shares[1]:.1%} with a forged frame before each")
    assert shares[1] >= shares[0] - 0.005 and shares[0] > 0.96


def test_status_counter_reaches_the_source_of_a_device(bundle: Bundle) -> None:
    clock = Clock()
    parser = FrameParser([bundle], clock)
    receiver = StreamReceiver([bundle], parser)
    receive(receiver, make_frame(bundle, 1))
    receive(receiver, make_status(2))
    clock.now = 5000.0
    receive(receiver, make_status(2 + 100, uptime_s=5060))
    receive(receiver, make_status(5, device=8))  # never heard
    source = receiver.sources[7, bundle.model_id]
    assert (source.lost, source.certainty) == (100, Certainty.EXACT)
    rng = np.random.default_rng(7)
    sent = [BitFlips(0.1).corrupt(make_frame(bundle, number), rng) or b"" for number in range(102, 106)]
    assert len(features(receive(receiver, b"".join(sent)))) >= 3, "expected after the counter, not after image 1"


def test_status_after_a_restart_tells_which_headers_come_next(bundle: Bundle) -> None:
    parser, rng = FrameParser([bundle], lambda: 0.0), np.random.default_rng(8)
    receiver = StreamReceiver([bundle], parser)
    receive(receiver, make_frame(bundle, 1))
    receive(receiver, make_status(2, uptime_s=500) + make_status(18))
    blocks = [BitFlips(0.1).corrupt(make_frame(bundle, 18)[4:12], rng) or b"" for _ in range(100)]
    assert sum(parser.headers.decode(block, 0) is not None for block in blocks) > 90
    (frame,) = features(receive(receiver, make_frame(bundle, 18)))
    assert (frame.lost, frame.place.unexpected) == (0, False)


def test_status_counts_no_skipped_numbers_after_a_restart_a_while_ago(bundle: Bundle) -> None:
    """The board runs for longer again than it did at the status before."""
    clock = Clock()
    receiver = StreamReceiver([bundle], FrameParser([bundle], clock))
    receive(receiver, make_frame(bundle, 1))
    receive(receiver, make_status(2, uptime_s=10))
    clock.now += 600
    receive(receiver, make_status(114, uptime_s=300))
    source = receiver.sources[7, bundle.model_id]
    assert (source.lost, source.certainty) == (0, Certainty.AT_LEAST)


def test_classifier_state_is_bounded(tmp_path: Path) -> None:
    first, second = (make_bundle(tmp_path / str(seed), seed=seed) for seed in (0, 1))
    receiver, classifier = StreamReceiver([first, second]), Classifier.of([first, second])
    for device in range(200):
        for model in (first, second):
            classifier.read_all(features(receiver.feed(make_frame(model, 0, device=device))))
    assert len(classifier._devices) == MAX_SOURCES == len(receiver.sources)
