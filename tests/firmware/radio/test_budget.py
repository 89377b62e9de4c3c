"""The air time budget of a node: air time against Python, the duty cycle over any hour, the longest prefix."""

import math
from ctypes import CDLL
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channel_sim import LoRa
from tests.firmware.radio import radio_library
from tests.support import wire_c
from wire.lora import air_time_s

SECOND, HOUR = 1_000_000, 3_600_000_000
BUCKET = 3_600_000  # microseconds of air time: a tenth of the hourly allowance at 1 %


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> CDLL:
    return radio_library.compile_library(tmp_path_factory.mktemp("radio"))


def micros(seconds: float) -> int:
    """Convert to microseconds, rounded up without the error of floating point: LoRa times are quarter symbols."""
    return math.ceil(Fraction(seconds).limit_denominator(10**9) * SECOND)


@pytest.mark.parametrize("bandwidth", [125_000, 250_000, 500_000, 64_000])
@pytest.mark.parametrize("sf", range(7, 13))
def test_air_time_equals_the_simulation(c: CDLL, sf: int, bandwidth: int) -> None:
    for cr in range(5, 9):
        for implicit in (False, True):
            radio = LoRa(0.0, sf, cr, bandwidth, explicit_header=not implicit)
            for size in range(1, 256):
                tuned = radio_library.settings(sf, cr, bandwidth, size if implicit else 0)
                air_micros = c.radio_air_time_micros(tuned, size)
                assert air_micros == micros(radio.air_time_s(size)), (cr, implicit, size)


def test_air_time_includes_the_preamble_and_saturates(c: CDLL) -> None:
    for preamble in (6, 8, 12, 1000, 65535):
        air_micros = c.radio_air_time_micros(radio_library.settings(preamble=preamble), 58)
        assert air_micros == micros(air_time_s(58, 7, preamble_symbols=preamble))
    assert c.radio_air_time_micros(radio_library.settings(12, 8, 7_800, preamble=65535), 255) == 2**32 - 1
    assert c.radio_air_time_micros(radio_library.settings(12, 8, 7_800), 255) == micros(air_time_s(255, 12, 8, 7_800))


class Sender:
    """A sender with a duty cycle, a simulated 32-bit clock and a record of (start, air time), in microseconds."""

    def __init__(self, c: CDLL, permille: int = 10, start: int = 0) -> None:
        self.c, self.now, self.duty = c, start, radio_library.Duty()
        self.sent: list[tuple[int, int]] = []
        self.permille = permille
        c.duty_start(self.duty, permille, start % 2**32)
        c.duty_slept(self.duty, 3600, start % 2**32)  # full

    @property
    def left(self) -> int:
        return self.c.duty_left_micros(self.duty)

    def wait(self, duration: int) -> None:
        self.now += duration
        self.c.duty_update(self.duty, self.now % 2**32)

    def send(self, air: int) -> bool:
        allowed = self.c.duty_take(self.duty, air)
        if allowed:
            self.sent.append((self.now, air))
            self.wait(air)
        return allowed

    def most_in_an_hour(self) -> int:
        """Return the air time within the worst hour, which begins or ends where a packet does."""
        starts = np.array([start for start, _ in self.sent])
        ends = starts + np.array([air for _, air in self.sent])
        windows = np.concatenate([starts, ends, starts - HOUR, ends - HOUR])
        inside = np.minimum(ends, windows[:, None] + HOUR) - np.maximum(starts, windows[:, None])
        return int(np.maximum(inside, 0).sum(axis=1).max())

    def allowance(self) -> int:
        return HOUR // 1000 * self.permille


@pytest.mark.parametrize("air", [40_000, 112_896, 1_000_000, 2_630_000, BUCKET])
def test_duty_allows_a_greedy_sender_the_hourly_allowance_and_no_more(c: CDLL, air: int) -> None:
    """A sender that sends as soon as it may comes close to the allowance and never exceeds it."""
    sender = Sender(c, start=2**32 - 5 * SECOND)
    while sender.now < 2**32 + 3 * HOUR:
        if not sender.send(air):
            sender.wait(max(1, (air - sender.left) * 1000 // 9))
    assert sender.most_in_an_hour() <= sender.allowance()
    assert sender.most_in_an_hour() >= sender.allowance() - 2 * air


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_duty_keeps_every_hour_within_the_allowance_for_any_use(c: CDLL, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**30)))
    sender = Sender(c, permille=int(rng.choice([1, 10, 100, 1000])), start=int(rng.integers(2**32)))
    longest = sender.allowance() // 10
    for _ in range(300):
        match rng.integers(4):
            case 0:
                sender.send(int(rng.integers(1, longest + 1)))
            case 1:
                sender.wait(int(rng.integers(0, 10 * SECOND)))
            case 2:  # deep sleep of an ESP32, whose clock restarts
                seconds = int(rng.choice([1, 60, 4000]))
                sender.now += seconds * SECOND
                sender.c.duty_slept(sender.duty, seconds, 0)
                sender.duty.updated_micros = sender.now % 2**32
            case _:
                sender.send(min(longest, max(1, sender.left)))
    if sender.sent:
        assert sender.most_in_an_hour() <= sender.allowance()


def test_duty_keeps_every_hour_within_the_allowance_with_resets(c: CDLL) -> None:
    sender = Sender(c)
    while sender.now < 2 * HOUR:
        sender.send(112_896)
        c.duty_start(sender.duty, 10, sender.now % 2**32)
        assert sender.left == 0
        sender.wait(13 * SECOND)
    assert len(sender.sent) > 500
    assert sender.most_in_an_hour() <= sender.allowance()


def test_duty_refills_at_nine_tenths_of_the_duty_cycle(c: CDLL) -> None:
    sender = Sender(c)
    assert sender.left == BUCKET
    assert not sender.send(BUCKET + 1) and sender.left == BUCKET
    assert sender.c.duty_take(sender.duty, BUCKET) and sender.left == 0
    assert not sender.c.duty_take(sender.duty, 1)
    for _ in range(1000):  # frequent updates lose nothing to rounding
        sender.wait(1)
    assert sender.left == 9
    sender.wait(100 * SECOND - 1000)
    assert sender.left == 900_000
    sender.wait(HOUR)
    assert sender.left == BUCKET


def test_duty_counts_the_time_slept(c: CDLL) -> None:
    sender = Sender(c, start=2_000_000)
    sender.c.duty_take(sender.duty, BUCKET)
    sender.c.duty_slept(sender.duty, 100, 5_000)  # the clock restarts at wake-up
    assert sender.left == 900_000
    sender.c.duty_update(sender.duty, 5_000 + 1_000_000)
    assert sender.left == 909_000
    for seconds in (3600, 2**32 - 1):
        sender.c.duty_take(sender.duty, sender.left)
        sender.c.duty_slept(sender.duty, seconds, 0)
        assert sender.left == BUCKET


CHUNKS = [[0, 128], [0, 64], [48, 80], [0, 96], [0, 16]]


def model(chunks: list[list[int]], bits: int = 3) -> wire_c.Model:
    size = max(first + count for first, count in chunks)
    return wire_c.model(0x1234, [0] * 256, [*range(size)], chunks, bits)


@pytest.mark.parametrize(("sf", "implicit", "extra"), [(7, 0, 0), (9, 1, 10), (12, 0, 10)])
def test_prefix_longest_takes_the_longest_affordable_prefix(c: CDLL, sf: int, implicit: int, extra: int) -> None:
    radio, tables = radio_library.settings(sf, implicit=implicit), model(CHUNKS)
    prefixes = [0, 3, 1, 4]  # by length; chunk 2 does not start at symbol 0
    sizes = {chunk: 8 + (CHUNKS[chunk][1] * 3 + 7) // 8 + 2 + extra for chunk in prefixes}
    air = {chunk: c.radio_air_time_micros(radio, size) for chunk, size in sizes.items()}
    assert {chunk: c.prefix_packet_bytes(tables, chunk, extra) for chunk in prefixes} == sizes
    for most in sorted({0, 1, *air.values(), *(time - 1 for time in air.values()), 2**32 - 1}):
        fits = [chunk for chunk in prefixes if air[chunk] <= most]
        assert c.prefix_longest(tables, radio, extra, most) == (fits[0] if fits else 255)


def test_prefix_longest_skips_chunks_larger_than_a_packet(c: CDLL) -> None:
    for extra in (0, 10):
        fits, radio = 245 - extra, radio_library.settings()
        assert c.prefix_longest(model([[0, fits], [0, fits + 1]], bits=8), radio, extra, 2**32 - 1) == 0
        assert c.prefix_longest(model([[0, fits + 1]], bits=8), radio, extra, 2**32 - 1) == 255
