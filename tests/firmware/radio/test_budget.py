"""What a node may send: air time against the Python, the duty cycle over any hour, the longest prefix."""

import math
from ctypes import CDLL
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channel_sim import LoRa
from tests.firmware.radio import radio_c
from tests.support import wire_c
from wire.lora import air_time_s

SECOND, HOUR = 1_000_000, 3_600_000_000
BUCKET = 3_600_000  # microseconds of air time at 1 %, a tenth of an hour's


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> CDLL:
    return radio_c.compile_library(tmp_path_factory.mktemp("radio"))


def micros(seconds: float) -> int:
    """Rounded up, but for what floating point adds: LoRa's times are whole numbers of symbol quarters."""
    return math.ceil(Fraction(seconds).limit_denominator(10**9) * SECOND)


@pytest.mark.parametrize("bandwidth", [125_000, 250_000, 500_000, 64_000])
@pytest.mark.parametrize("sf", range(7, 13))
def test_air_time_is_that_of_the_simulation(c: CDLL, sf: int, bandwidth: int) -> None:
    for cr in range(5, 9):
        for implicit in (False, True):
            radio = LoRa(0.0, sf, cr, bandwidth, explicit_header=not implicit)
            for size in range(1, 256):
                told = c.radio_air_time_micros(radio_c.settings(sf, cr, bandwidth, size if implicit else 0), size)
                assert told == micros(radio.air_time_s(size)), (cr, implicit, size)


def test_air_time_counts_the_preamble_and_never_wraps(c: CDLL) -> None:
    for preamble in (6, 8, 12, 1000, 65535):
        told = c.radio_air_time_micros(radio_c.settings(preamble=preamble), 58)
        assert told == micros(air_time_s(58, 7, preamble_symbols=preamble))
    assert c.radio_air_time_micros(radio_c.settings(12, 8, 7_800, preamble=65535), 255) == 2**32 - 1
    assert c.radio_air_time_micros(radio_c.settings(12, 8, 7_800), 255) == micros(air_time_s(255, 12, 8, 7_800))


class Clock:
    """A duty cycle under a clock of 32 bits, with all that was sent: (start, air time), microseconds."""

    def __init__(self, c: CDLL, permille: int = 10, start: int = 0) -> None:
        self.c, self.now, self.duty, self.sent = c, start, radio_c.Duty(), []
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
        """Air time within the worst window of an hour; it begins or ends where a packet does."""
        starts = np.array([start for start, _ in self.sent])
        ends = starts + np.array([air for _, air in self.sent])
        windows = np.concatenate([starts, ends, starts - HOUR, ends - HOUR])
        inside = np.minimum(ends, windows[:, None] + HOUR) - np.maximum(starts, windows[:, None])
        return int(np.maximum(inside, 0).sum(axis=1).max())

    def allowance(self) -> int:
        return HOUR // 1000 * self.permille


@pytest.mark.parametrize("air", [40_000, 112_896, 1_000_000, 2_630_000, BUCKET])
def test_a_sender_that_takes_all_it_can_keeps_to_every_hour(c: CDLL, air: int) -> None:
    """Greedy: it sends the moment it may. So it gets close to the allowance, and never beyond."""
    clock = Clock(c, start=2**32 - 5 * SECOND)
    while clock.now < 2**32 + 3 * HOUR:
        if not clock.send(air):
            clock.wait(max(1, (air - clock.left) * 1000 // 9))
    assert clock.most_in_an_hour() <= clock.allowance()
    assert clock.most_in_an_hour() >= clock.allowance() - 2 * air


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_hour_holds_more_whatever_is_sent_and_slept(c: CDLL, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**30)))
    clock = Clock(c, permille=int(rng.choice([1, 10, 100, 1000])), start=int(rng.integers(2**32)))
    longest = clock.allowance() // 10
    for _ in range(300):
        match rng.integers(4):
            case 0:
                clock.send(int(rng.integers(1, longest + 1)))
            case 1:
                clock.wait(int(rng.integers(0, 10 * SECOND)))
            case 2:  # as an ESP32 sleeps: its clock starts again
                seconds = int(rng.choice([1, 60, 4000]))
                clock.now += seconds * SECOND
                clock.c.duty_slept(clock.duty, seconds, 0)
                clock.duty.updated_micros = clock.now % 2**32
            case _:
                clock.send(min(longest, max(1, clock.left)))
    if clock.sent:
        assert clock.most_in_an_hour() <= clock.allowance()


def test_resets_whenever_the_bucket_is_spent_keep_to_every_hour(c: CDLL) -> None:
    clock = Clock(c)
    while clock.now < 2 * HOUR:
        clock.send(112_896)
        c.duty_start(clock.duty, 10, clock.now % 2**32)
        assert clock.left == 0
        clock.wait(13 * SECOND)
    assert len(clock.sent) > 500
    assert clock.most_in_an_hour() <= clock.allowance()


def test_the_bucket_refills_at_nine_tenths(c: CDLL) -> None:
    clock = Clock(c)
    assert clock.left == BUCKET
    assert not clock.send(BUCKET + 1) and clock.left == BUCKET
    assert clock.c.duty_take(clock.duty, BUCKET) and clock.left == 0
    assert not clock.c.duty_take(clock.duty, 1)
    for _ in range(1000):  # every microsecond counts, however often it is asked
        clock.wait(1)
    assert clock.left == 9
    clock.wait(100 * SECOND - 1000)
    assert clock.left == 900_000
    clock.wait(HOUR)
    assert clock.left == BUCKET


def test_sleep_counts_by_the_time_slept(c: CDLL) -> None:
    clock = Clock(c, start=2_000_000)
    clock.c.duty_take(clock.duty, BUCKET)
    clock.c.duty_slept(clock.duty, 100, 5_000)  # awake again: the clock has started over
    assert clock.left == 900_000
    clock.c.duty_update(clock.duty, 5_000 + 1_000_000)
    assert clock.left == 909_000
    for seconds in (3600, 2**32 - 1):
        clock.c.duty_take(clock.duty, clock.left)
        clock.c.duty_slept(clock.duty, seconds, 0)
        assert clock.left == BUCKET


CHUNKS = [[0, 128], [0, 64], [48, 80], [0, 96], [0, 16]]


def model(chunks: list[list[int]], bits: int = 3) -> wire_c.Model:
    size = max(first + count for first, count in chunks)
    return wire_c.model(0x1234, [0] * 256, [*range(size)], chunks, bits)


@pytest.mark.parametrize(("sf", "implicit"), [(7, 0), (9, 1), (12, 0)])
def test_the_longest_prefix_is_the_longest_that_is_affordable(c: CDLL, sf: int, implicit: int) -> None:
    radio, tables = radio_c.settings(sf, implicit=implicit), model(CHUNKS)
    prefixes = [0, 3, 1, 4]  # by length; chunk 2 does not start at symbol 0
    sizes = {chunk: 8 + (CHUNKS[chunk][1] * 3 + 7) // 8 + 2 for chunk in prefixes}
    air = {chunk: c.radio_air_time_micros(radio, size) for chunk, size in sizes.items()}
    assert {chunk: c.prefix_packet_bytes(tables, chunk) for chunk in prefixes} == sizes
    for most in sorted({0, 1, *air.values(), *(time - 1 for time in air.values()), 2**32 - 1}):
        fits = [chunk for chunk in prefixes if air[chunk] <= most]
        assert c.prefix_longest(tables, radio, most) == (fits[0] if fits else 255)


def test_a_chunk_that_fits_no_packet_is_no_prefix(c: CDLL) -> None:
    assert c.prefix_longest(model([[0, 245], [0, 246]], bits=8), radio_c.settings(), 2**32 - 1) == 0
    assert c.prefix_longest(model([[0, 246]], bits=8), radio_c.settings(), 2**32 - 1) == 255
