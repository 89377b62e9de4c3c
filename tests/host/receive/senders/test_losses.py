"""Losses, copies and restarts by time: no count is wrong without saying so."""

from collections.abc import Callable

import numpy as np
import pytest

from host.receive.senders.track import REPEAT_S, Certainty
from host.receive.sources import Place, Source

EXACT, AT_LEAST, ABOUT = Certainty
INTERVAL_S = 60.0


class Board:
    """A board that sends every INTERVAL_S, and the source that a host keeps of it."""

    def __init__(self, static: bool = False, jitter_s: float = 0.2) -> None:
        self.source, self.sent, self.now = Source(), 0, 0.0
        self._static, self._jitter_s = static, jitter_s
        self._rng = np.random.default_rng(1)

    def bits(self, image: int) -> np.ndarray:
        seed = 0 if self._static else image
        return np.random.default_rng([seed, 3]).integers(0, 2, 384).astype(np.int8)

    def send(self, count: int = 1) -> Place:
        """Send images that arrive."""
        for _ in range(count):
            place = self.receive(self.sent, self.now + self._rng.normal(0, self._jitter_s))
            self.lose(1)
        return place

    def lose(self, count: int) -> None:
        """Send images that do not arrive."""
        self.sent, self.now = self.sent + count, self.now + count * INTERVAL_S

    def receive(self, image: int, now: float, bits: np.ndarray | None = None) -> Place:
        return self.source.record(image % 32, 0, self.bits(image) if bits is None else bits, True, 0, now)


def board(images: int = 20, static: bool = False) -> Board:
    """Return a board that has sent some images."""
    sender = Board(static)
    sender.send(images)
    return sender


def counts(place: Place) -> tuple[int, Certainty, int, Certainty]:
    return place.lost, place.certainty, place.lost_so_far, place.certainty_so_far


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("lost", range(1, 32))
def test_losses_of_less_than_32_are_exact_by_the_rhythm(lost: int, static: bool) -> None:
    """23 lost of 32 once counted as none, as a late frame; a static scene made duplicates of fresh images."""
    sender = board(40, static)
    assert counts(sender.send()) == (0, EXACT, 0, AT_LEAST), "the rhythm was not known from the first image on"
    sender.source.certainty = EXACT
    sender.lose(lost)
    place = sender.send()
    assert counts(place) == (lost, EXACT, lost, EXACT) and not place.duplicate and not place.late
    assert counts(sender.send(20)) == (0, EXACT, lost, EXACT)


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("lost", [32, 55, 64, 100, 320])
def test_more_losses_are_counted_by_time(lost: int, static: bool) -> None:
    sender = board(40, static)
    sender.lose(lost)
    place = sender.send()
    assert counts(place)[:3] == (lost, ABOUT, lost) and not place.duplicate and not place.late


def test_pause_of_a_board_is_no_loss() -> None:
    sender = board()
    sender.now += 10.4 * INTERVAL_S
    assert counts(sender.send())[:2] == (0, EXACT), "33 images do not fit the time"
    sender.now += 100.4 * INTERVAL_S
    place = sender.send()
    assert place.lost == 0 and place.certainty == AT_LEAST
    assert sender.source.lost == 0


@pytest.mark.parametrize("lost", range(0, 31))
def test_losses_without_a_rhythm_are_at_least_the_gap(lost: int) -> None:
    sender, rng = Board(), np.random.default_rng(5)
    for image in range(100):
        sender.receive(image, sender.now)
        sender.now += rng.exponential(100.0)
    sender.now += 10_000
    places = [sender.receive(image, sender.now + 30 * n) for n, image in enumerate((100 + lost, 101 + lost))]
    assert places[0].certainty == AT_LEAST and places[1].certainty_so_far == AT_LEAST
    assert places[0].lost == (lost if lost < 8 else 0), "a second image has to confirm a large gap"
    assert sender.source.lost == (lost if lost < 23 else 0), "or the board has begun anew"


def test_losses_in_a_burst_are_exact_without_a_rhythm() -> None:
    """32 images take longer than any board needs for so few."""
    sender = Board()
    places = [sender.receive(image, 0.05 * image) for image in (0, 1, 4)]
    assert counts(places[-1]) == (2, EXACT, 2, EXACT)


@pytest.mark.parametrize("minutes", [0.1, 1, 3, 18.3])
@pytest.mark.parametrize("behind", [0, 1, 5, 12, 20])
def test_late_copies_are_no_new_images(behind: int, minutes: float) -> None:
    """A second gateway that stores and forwards, or somebody who replays frames."""
    sender = board(40)
    sender.now -= INTERVAL_S  # the time of the newest
    place = sender.receive(39 - behind, sender.now + 60 * minutes + 7)
    assert place.duplicate and place.image_number == 39 - behind
    assert (sender.source.lost, sender.source.images) == (0, 40)
    sender.now += INTERVAL_S
    assert sender.send().lost == 0


def test_copies_without_a_rhythm_are_recognised_for_a_while_only() -> None:
    sender, rng = Board(), np.random.default_rng(6)
    for image in range(20):
        sender.now += 1 + rng.exponential(5.0)
        sender.receive(image, sender.now)
    assert sender.receive(19, sender.now + REPEAT_S).duplicate
    place = sender.receive(19, sender.now + 1000)
    assert not place.duplicate and place.image_number > 19 and place.certainty == AT_LEAST


def test_slow_board_without_a_rhythm_cannot_have_sent_32_images() -> None:
    """A copy that is ten minutes old, of a board that never sent two images within 100 s."""
    sender, rng = Board(), np.random.default_rng(7)
    for image in range(20):
        sender.now += 100 + rng.exponential(900.0)
        sender.receive(image, sender.now)
    assert sender.receive(19, sender.now + 600).duplicate and sender.receive(17, sender.now + 600).duplicate


@pytest.mark.parametrize("last", [3, 12, 25, 40])
def test_restart_counts_nothing_as_lost_where_the_time_shows_it(last: int) -> None:
    sender = board(40)
    sender.source.certainty = EXACT
    sender.send(last)
    lost, other = sender.source.lost, Board()
    places = [
        sender.receive(image, sender.now + 20 + image * INTERVAL_S, other.bits(1000 + image)) for image in range(9)
    ]
    assert sender.source.lost == lost and not any(place.duplicate for place in places)
    assert places[-1].certainty_so_far == (EXACT if (last + 40) % 32 == 0 else AT_LEAST)


def test_status_after_a_restart_counts_no_values_that_the_board_skipped() -> None:
    sender = board(40)
    sender.source.counter(40, sender.now)
    sender.send(5)
    sender.lose(45)  # then the board restarts, with a counter that it has kept: the rest of a block is skipped
    sender.source.counter(90, sender.now, restarted=True)
    assert (sender.source.lost, sender.source.certainty) == (0, AT_LEAST)
    assert counts(sender.send()) == (0, EXACT, 0, AT_LEAST)


def test_counter_makes_losses_exact() -> None:
    sender = board(1)
    sender.source.counter(1, sender.now)
    rng = np.random.default_rng(8)
    for _ in range(300):  # far too many to be counted by numbers
        sender.lose(int(rng.integers(0, 80)))
        sender.now += rng.exponential(500)
        sender.send()
    assert sender.source.certainty != EXACT
    sender.source.counter(sender.sent, sender.now)
    assert (sender.source.lost, sender.source.certainty) == (sender.sent - 301, EXACT)
    assert sender.send().lost == 0 and sender.source.lost == sender.sent - 302


def test_counter_counts_the_images_lost_before_it_once() -> None:
    sender = board(40)
    sender.source.counter(40, sender.now)
    sender.lose(4)
    sender.source.counter(44, sender.now)
    assert sender.source.lost == 4
    assert sender.send().lost == 0 and sender.source.lost == 4
    late = sender.receive(42, sender.now - INTERVAL_S + 1)
    assert late.late and sender.source.lost == 3


def test_first_counter_counts_what_was_sent_since_the_newest_image() -> None:
    sender = board(40)
    sender.lose(3)
    sender.source.counter(43, sender.now)
    assert sender.source.lost == 3 and sender.send().lost == 0


def test_counter_of_a_board_whose_images_are_commanded_says_nothing() -> None:
    sender = board(1)
    sender.source.counter(0, sender.now)  # RUN does not count as an image of the board's own
    places = []
    for _ in range(20):
        places += [sender.send() for _ in range(3)]
        sender.source.counter(0, sender.now)
    assert [place.image_number for place in places] == list(range(1, 61))
    assert not any(place.lost or place.unexpected for place in places)
    assert (sender.source.lost, sender.source.certainty) == (0, AT_LEAST)


def test_counter_that_went_back_shows_a_restart() -> None:
    sender = board(40)
    sender.source.counter(40, sender.now)
    sender.source.counter(0, sender.now)
    places = [sender.receive(image, sender.now + 30 + image, sender.bits(500 + image)) for image in range(3)]
    assert [place.lost for place in places] == [0, 0, 0] and sender.source.lost == 0
    sender.source.counter(5, sender.now)
    assert sender.source.lost == 2


def test_forged_frame_costs_the_board_nothing() -> None:
    """One before each honest one, with a random number: the board's images are counted as if it was not there."""
    sender, rng = board(40), np.random.default_rng(9)
    honest = []
    for _ in range(200):
        forged = rng.integers(0, 2, 384).astype(np.int8)
        sender.receive(int(rng.integers(32)), sender.now - 20, forged)
        number = sender.sent
        honest.append((number, sender.send()))
    assert sum(place.duplicate for _, place in honest) == 0
    assert sum(place.lost for _, place in honest) <= 3 and sender.source.lost <= 3
    assert len({place.image_number for _, place in honest}) == 200


def test_forged_run_of_numbers_does_not_hide_the_board() -> None:
    sender, rng = board(40), np.random.default_rng(10)
    for n in range(100):
        for k in range(2):
            sender.receive((2 * n + k + 13) % 32, sender.now - 20 + k, rng.integers(0, 2, 384).astype(np.int8))
        place = sender.send()
        assert not place.duplicate and sender.sent % 32 in {(after + 1) % 32 for after in sender.source.expected_after}


@pytest.mark.parametrize("make", [lambda: board(40), lambda: board(40, static=True)])
def test_two_boards_with_one_number_lose_nothing(make: Callable[[], Board]) -> None:
    """12 frames and 174 lost, once."""
    sender, other = make(), Board()
    for n in range(60):
        sender.send()
        sender.receive(1000 + 17 + n, sender.now - 30, other.bits(1000 + n))
    assert sender.source.clash and sender.source.lost <= 31
