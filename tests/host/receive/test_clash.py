"""Two boards with one device number: found by their sequence numbers, and not mistaken for anything else."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from host.receive.sources import Source
from host.receive.stream import StreamReceiver
from tests.support.host import images, make_answer, make_frame
from wire.bundle import Bundle


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
