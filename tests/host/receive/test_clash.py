"""Two boards with one device number: found by their sequence numbers, and not mistaken for anything else."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from host.receive.clash import ClashDetector, StatusClashDetector
from host.receive.sources import Source
from host.receive.stream import StreamReceiver
from tests.support.host import images, make_answer, make_frame
from wire.bundle import Bundle
from wire.replies.status import Status


def clash(sequences: Iterable[int], alike: bool = False) -> bool:
    """Return True if a clash is found in clean frames of these sequence numbers, of random images or of equal ones."""
    source, rng = Source(), np.random.default_rng(0)
    for sequence in sequences:
        bits = np.zeros(384, np.int8) if alike else rng.integers(0, 2, 384).astype(np.int8)
        place = source.record(sequence % 32, 0, bits, True)
    return place.clash and source.clash


def alternating(first: int, second: int, count: int = 20) -> Iterator[int]:
    for n in range(count):
        yield first + n
        yield second + n


@pytest.mark.parametrize("ahead", range(32))
def test_clash_of_two_boards_is_found_at_any_distance(ahead: int) -> None:
    assert clash(alternating(0, ahead))


def test_clash_is_found_if_one_board_sends_more_often() -> None:
    assert clash(n for turn in range(10) for n in (*range(5 * turn, 5 * turn + 5), 16 + turn))


def test_clash_is_found_through_losses() -> None:
    rng = np.random.default_rng(1)
    assert clash(n for n in alternating(0, 20, 200) if rng.random() > 0.2)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_losses_of_one_board_are_no_clash(share: float) -> None:
    rng = np.random.default_rng(2)
    assert not clash(n for n in range(20_000) if rng.random() > share)


def test_late_frames_of_one_board_are_no_clash() -> None:
    rng = np.random.default_rng(3)
    order = sorted(range(20_000), key=lambda n: n + rng.uniform(0, 8))
    assert not clash(order)
    assert not clash(n for k in range(0, 3000, 3) for n in (k, k + 2, k + 1))


@pytest.mark.parametrize("length", [1, 2, 3, 5, 17, 40])
def test_a_board_that_restarts_over_and_over_is_no_clash(length: int) -> None:
    assert not clash(n for _ in range(100) for n in range(length))


@pytest.mark.parametrize("delay", range(8))
def test_copies_of_a_repeater_are_no_clash(delay: int) -> None:
    source, rng = Source(), np.random.default_rng(4)
    sent = rng.integers(0, 2, (500, 384)).astype(np.int8)
    for n in range(delay, 500):
        for image in (n, n - delay):
            source.record(image % 32, 0, sent[image], True)
    assert not source.clash and source.duplicates > 400


def test_clash_of_frames_from_the_line_is_found(adaptive: Bundle) -> None:
    receiver = StreamReceiver([adaptive])
    sent = [make_frame(adaptive, n) if n % 2 else make_answer(adaptive, n % 32) for n in alternating(3, 20)]
    frames = [frame for data in sent for frame in images(receiver.feed(data))]
    assert len(frames) == 40 and not frames[0].place.clash and frames[-1].place.clash


@pytest.mark.parametrize("ahead", [0, 1, 100, 255])
def test_clash_of_two_gateways_is_found_in_numbers_modulo_256(ahead: int) -> None:
    detector = ClashDetector(256)
    for number in alternating(200, 200 + ahead):
        detector.record(number % 256)
    assert detector.found


def test_numbers_of_one_gateway_are_no_clash() -> None:
    detector, rng = ClashDetector(256), np.random.default_rng(5)
    for number in range(20_000):
        if rng.random() > 0.3:
            detector.record(number % 256)
    assert not detector.found


def statuses_clash(received: Iterable[tuple[float, int, int, int]]) -> bool:
    """Return True if a clash is found in status frames: time of arrival, uptime, counter, boots."""
    detector = StatusClashDetector()
    for time_s, uptime_s, counter, boots in received:
        detector.record(Status(counter, uptime_s, boots, 0, 0, 0, 0, 60), time_s)
    return detector.found


def status_run(
    start_s: float, times: Iterable[float], boots: int = 0, rate: float = 0, clock: float = 1.0
) -> list[tuple[float, int, int, int]]:
    """Return the status frames of one board that started at `start_s` and takes `rate` images per second."""
    return [(now, int((now - start_s) * clock), int((now - start_s) * rate), boots) for now in times]


@pytest.mark.parametrize(("boots", "clock"), [(0, 1.0), (3, 1.0), (0, 0.95), (0, 1.05)])
def test_status_frames_of_one_board_are_no_clash(boots: int, clock: float) -> None:
    """Also if its clock is off, as in deep sleep."""
    assert not statuses_clash(status_run(0, range(1, 10**6, 3600), boots, 0.01, clock))


def test_status_frames_after_restarts_and_after_a_new_firmware_are_no_clash() -> None:
    frames = [frame for n in range(20) for frame in status_run(500 * n, range(500 * n + 1, 500 * n + 450, 60), n)]
    assert not statuses_clash([*frames, *status_run(10_000, range(10_001, 11_000, 60), boots=1)])


@pytest.mark.parametrize("interval_s", [2, 5, 30])
def test_status_frames_of_a_board_that_restarts_over_and_over_are_no_clash(interval_s: int) -> None:
    assert not statuses_clash((interval_s * n, 1, 112 * n, n) for n in range(1, 50))


def test_status_frames_that_a_line_delivers_late_or_twice_are_no_clash() -> None:
    frames = status_run(0, range(60, 6000, 60), rate=0.5)
    assert not statuses_clash(frame for frame in frames for _ in range(2))
    assert not statuses_clash((now + 50 * (now == 600), uptime, counter, 0) for now, uptime, counter, _ in frames)


@pytest.mark.parametrize(
    ("start_s", "boots", "rate"),
    [
        pytest.param(1000, 0, 0, id="another start"),
        pytest.param(0, 0, 0.5, id="another counter"),
        pytest.param(0, 9, 0, id="other boots"),
    ],
)
def test_status_frames_of_two_boards_clash(start_s: int, boots: int, rate: float) -> None:
    first = status_run(0, range(1200, 1500, 60), boots=5 * (boots > 0))
    second = status_run(start_s, range(1230, 1500, 60), boots, rate)
    assert statuses_clash(sorted([*first, *second])[:7])
    assert not statuses_clash(first) and not statuses_clash(second)
