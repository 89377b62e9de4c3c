"""The image counter: no value twice and no boot count that decreases, wherever power fails."""

from itertools import count

import pytest

from tests.firmware.counter.flash import BLANK, BLOCK, Counter, Flash, PowerLossError

LIFE = 40  # blocks reserved in the life that is cut: several rounds through all pages


class Witness:
    """A board's observer: fails if a unique value comes twice or the boot count does not increase."""

    def __init__(self, flash: Flash) -> None:
        self.flash = flash
        self.seen: set[int] = set()
        self.highest = -1
        self.boots = 0
        self.completed = 0  # boots that were counted

    def live(self, blocks: int, *, cut_after: int | None = None) -> bool:
        """Power up, count through some blocks; return False if power failed after `cut_after` steps."""
        self.flash.power_up()
        self.flash.steps_left = cut_after
        board = Counter(self.flash)
        try:
            board.start()
            assert board.ok
            assert board.boots > self.boots
            self.boots = board.boots
            self.completed += 1
            for _ in range(blocks):
                for used in (0, 1, BLOCK - 1):  # the values within a block follow each other
                    value, unique = board.take()
                    assert unique
                    assert value not in self.seen and value > self.highest, f"{value} again"
                    self.seen.add(value)
                    self.highest = value
                    if used == 1:
                        for _ in range(BLOCK - 3):
                            board.c.counter_advance()
                        self.highest = value + BLOCK - 3
        except PowerLossError:
            return False
        return True


@pytest.mark.parametrize("ecc", [False, True])
@pytest.mark.parametrize(("pages", "slots"), [(2, 4), (3, 5), (2, 9)])
def test_counter_gives_no_value_twice_wherever_power_fails(pages: int, slots: int, ecc: bool) -> None:
    """Power fails at each step of a life; then at each of the first steps of the recovery, which is cut, too."""
    for cut in count():
        for again in range(0, 14, 2):
            flash = Flash(pages, slots, ecc=ecc, seed=1000 * cut + again)
            board = Witness(flash)
            finished = board.live(LIFE, cut_after=cut)
            if finished:
                assert cut > LIFE * 4
                return
            board.live(3, cut_after=again)
            board.live(3, cut_after=again + 1)
            assert board.live(3)
            assert board.live(1)


def test_counter_gives_no_value_twice_in_a_life_of_power_failures() -> None:
    """Nine of ten boots are cut at a random step, again and again in the same flash."""
    flash = Flash(2, 6, seed=7)
    board = Witness(flash)
    for life in range(3000):
        board.live(2, cut_after=None if life % 10 == 9 else flash.random.randrange(30))
    assert board.completed > 1000
    assert board.highest < 3000 * 8 * BLOCK, "skips few values"


def test_counter_continues_after_deep_sleep_without_writing() -> None:
    flash = Flash()
    board = Counter(flash)
    board.start()
    values = [board.take()]
    steps = flash.steps
    board.start(woke=True)
    values.append(board.take())
    assert values == [(0, True), (1, True)]
    assert (flash.steps, board.boots) == (steps, 1)


def test_counter_skips_the_rest_of_a_block_after_a_restart() -> None:
    flash = Flash()
    board = Counter(flash)
    for boot in range(3):
        board.start()
        assert [board.take()[0] for _ in range(3)] == [BLOCK * boot + n for n in range(3)]
        assert board.boots == boot + 1


def test_counter_says_so_on_flash_that_cannot_be_written() -> None:
    """Values still count, for a frame's sequence number, but none is called unique."""
    flash = Flash()
    flash.read_only = True
    board = Counter(flash)
    for _ in range(2):
        board.start()
        assert not board.ok
        assert [board.take() for _ in range(3)] == [(0, False), (1, False), (2, False)]
        assert board.boots == 0


def test_counter_says_so_when_its_flash_wears_out() -> None:
    flash = Flash()
    board = Counter(flash)
    board.start()
    unique = [board.take() for _ in range(BLOCK)]
    flash.read_only = True
    assert all(ok for _, ok in unique)
    assert board.take() == (BLOCK, False)
    board.start()
    assert not board.ok
    assert board.take()[1] is False


def test_counter_avoids_slots_and_pages_that_fail() -> None:
    flash = Flash(3, 4)
    flash.broken_slots = {(0, 0), (0, 16), (1, 0), (1, 16), (1, 32)}
    board = Witness(flash)
    for _ in range(20):
        assert board.live(2)
    assert board.boots == 20


def test_counter_never_erases_its_newest_record() -> None:
    """The other page cannot be erased any more."""
    flash = Flash(2, 4)
    board = Witness(flash)
    assert board.live(2)
    flash.stuck_pages = {1}
    before = flash.erasures[0]
    for _ in range(3):
        counter = Counter(flash)
        counter.start()
        for _ in range(4 * BLOCK):
            value, unique = counter.take()
            assert not unique or value > board.highest
            board.highest = max(board.highest, value) if unique else board.highest
    assert not counter.ok
    assert flash.erasures[0] == before


def test_counter_leaves_a_slot_unused_after_a_restart() -> None:
    """It may hold the weak beginning of a record, which reads as blank now and not later."""
    flash = Flash(2, 4)
    board = Counter(flash)
    for _ in range(2):
        board.start()
    used = [any(word != BLANK for word in flash.words[0][slot : slot + 4]) for slot in range(0, 16, 4)]
    assert used == [True, False, True, False]


def test_counter_gives_no_value_twice_when_a_record_loses_bits() -> None:
    """Each record that is the newest one loses a bit; a restart follows."""
    for bit in range(32 * 4):
        flash = Flash(2, 6, seed=bit)
        board = Witness(flash)
        for boot in range(8):
            assert board.live(boot % 3 + 1)
            page, index = newest(flash)
            flash.words[page][index + bit // 32] ^= 1 << bit % 32
            board.boots -= 1  # the record may have been that of this boot


def newest(flash: Flash) -> tuple[int, int]:
    """Return the page and the first word of the record with the highest limit."""
    records = [
        (words[index], page, index)
        for page, words in enumerate(flash.words)
        for index in range(0, len(words), 4)
        if words[index + 3] != BLANK
    ]
    return max(records)[1:]


def test_counter_ends_before_it_wraps() -> None:
    limit = BLANK - BLOCK - 1
    flash = Flash()
    flash.plant(limit)
    board = Counter(flash)
    board.start()
    assert (board.ok, board.take()) == (True, (limit, True))
    board.start()
    assert (board.ok, board.take()) == (False, (limit + BLOCK, False))


def test_counter_wears_all_pages_equally() -> None:
    flash = Flash(4, 8)
    board = Witness(flash)
    assert board.live(400)
    assert max(flash.erasures) - min(flash.erasures) <= 1
    assert sum(flash.erasures) == 400 / 8  # the first block is reserved with the boot's record
