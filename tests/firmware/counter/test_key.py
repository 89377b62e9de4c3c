"""The device key beside the counter: no key meets a value twice, and none is lost, wherever power fails."""

from copy import deepcopy
from itertools import count

import pytest

from tests.firmware.counter.flash import BLANK, BLOCK, Counter, Flash, KeyState, PowerLossError

OLD, NEW, NEWER = (bytes([n] * 16) for n in (0x11, 0x22, 0x33))


class Host:
    """A board's host: fails if a value is used twice with a key, or a key is in effect that should not be."""

    def __init__(self, flash: Flash) -> None:
        self.flash = flash
        self.seen: set[tuple[bytes, int]] = set()
        self.sure = b""  # the key that the board has acknowledged; empty: none
        self.possible = {b""}  # those that it may have
        self.completed = 0

    def live(self, key: bytes = b"", *, blocks: int = 2, cut_after: int | None = None) -> bool:
        """Power up, set the key if there is one, use values; return False if power failed after `cut_after` steps."""
        self.flash.power_up()
        self.flash.steps_left = cut_after
        board = Counter(self.flash)
        try:
            board.start()
            assert board.ok
            found = board.key
            assert found in self.possible, "a key from nowhere"
            self._settle(found)
            self._use(board, found, 1)
            if key:
                self.possible = {self.sure, key}
                assert board.set_key(key)
                self._settle(key)
            self._use(board, self.sure, blocks)
        except PowerLossError:
            return False
        self.completed += 1
        return True

    def _settle(self, key: bytes) -> None:
        self.sure = key
        self.possible = {key}

    def _use(self, board: Counter, key: bytes, blocks: int) -> None:
        for _ in range(blocks):
            value, unique = board.take()
            assert unique and (key, value) not in self.seen, f"{value} again"
            self.seen.add((key, value))
            for _ in range(BLOCK - 1):
                board.c.counter_advance()


@pytest.mark.parametrize("ecc", [False, True])
@pytest.mark.parametrize(("pages", "slots"), [(2, 6), (3, 5), (2, 9)])
@pytest.mark.parametrize("old", [b"", OLD])
def test_key_is_the_old_or_the_new_one_wherever_power_fails(pages: int, slots: int, ecc: bool, old: bytes) -> None:
    """Power fails at each step while a key is set; then at each of the first steps of the recovery, which is cut, too.

    Whichever key a completed boot has found, it stays.
    """
    for cut in count():
        for again in range(0, 16, 3):
            flash = Flash(pages, slots, ecc=ecc, seed=1000 * cut + again)
            host = Host(flash)
            if old:
                assert host.live(old, blocks=3)
            assert host.live(blocks=1 + cut % 5)  # the pages are filled differently
            finished = host.live(NEW, cut_after=cut)
            host.live(cut_after=again)
            host.live(cut_after=again + 1)
            for _ in range(3):
                assert host.live()
            assert host.live(NEWER)
            assert host.sure == NEWER and host.live(blocks=30) and host.live()
        if finished:
            assert cut > 20
            return


def test_key_survives_a_life_of_power_failures() -> None:
    flash = Flash(2, 6, seed=3)
    host = Host(flash)
    for life in range(3000):
        key = bytes([life % 251 + 1] * 16) if life % 3 == 0 else b""
        host.live(key, cut_after=None if life % 10 == 9 else flash.random.randrange(30))
    assert host.completed > 800 and len({key for key, _ in host.seen}) > 150


def test_key_is_in_every_page_that_is_written() -> None:
    flash = Flash(3, 5)
    host = Host(flash)
    assert host.live(OLD, blocks=40)
    assert sum(flash.erasures) > 10
    assert host.live() and host.sure == OLD


def test_same_key_again_meets_no_value_twice() -> None:
    flash = Flash()
    host = Host(flash)
    for _ in range(4):
        assert host.live(OLD)


def interrupted() -> tuple[Host, int, list[int]]:
    """Return a board with OLD that loses power while it gets NEW, the page of NEW, and its words with one record."""
    host = Host(Flash(2, 9))
    assert host.live(OLD)
    whole = deepcopy(host)
    assert whole.live(NEW, blocks=1) and host.live(blocks=0)
    page, _ = newest(whole.flash)
    assert page != newest(host.flash)[0]
    words = whole.flash.words[page][:12] + [BLANK] * 24
    host.flash.words[page] = words[:8] + [BLANK] * 28
    return host, page, words


def test_page_of_a_key_without_a_record_is_erased_before_the_next_record() -> None:
    """Its record may be there and read as blank, now and not later."""
    host, page, words = interrupted()
    erasures = host.flash.erasures[page]
    assert host.live(blocks=0) and host.sure == OLD
    assert host.flash.erasures[page] == erasures + 1 and host.flash.words[page][:8] != words[:8]


def test_record_of_a_later_boot_outweighs_a_new_key_with_the_same_limit() -> None:
    """The page of the new key reads as blank, and its record is valid later."""
    host, page, words = interrupted()
    host.flash.words[page] = [BLANK] * 36
    assert host.live(blocks=0)
    other, index = newest(host.flash)
    assert other != page and host.flash.words[other][index] == words[8], "the limits are equal"
    host.flash.words[page] = list(words)
    assert host.live() and host.sure == OLD


def test_damaged_key_with_its_first_record_means_the_key_before() -> None:
    """Its page was being erased again when power failed. Values below the record's limit may have been used."""
    host, page, words = interrupted()
    host.flash.words[page] = [words[0] ^ 1, *words[1:]]
    board = Counter(host.flash)
    board.start()
    assert board.key == OLD and board.take()[0] >= words[8]


def test_new_key_skips_no_more_than_its_block() -> None:
    board = Counter(Flash())
    board.start()
    assert board.set_key(OLD)
    assert board.take() == (BLOCK, True)
    board.start()
    assert board.take() == (2 * BLOCK, True)


def test_damaged_key_is_lost_and_not_none() -> None:
    """A board whose key has lost a bit must not send plain images, nor take a plain KEY. Its counter stops, too."""
    for bit in range(8 * 32):
        flash = Flash(2, 9)
        host = Host(flash)
        assert host.live(OLD)
        page, _ = newest(flash)
        flash.words[page][bit // 32] ^= 1 << bit % 32
        board = Counter(flash)
        board.start()
        assert board.key_state == KeyState.LOST and not board.ok and not board.take()[1]
        assert not board.set_key(NEW) and board.key_state == KeyState.LOST


def test_key_with_a_lost_limit_meets_no_value_twice() -> None:
    """The newest record loses a bit, of each word."""
    for bit in range(32 * 4):
        flash = Flash(2, 9)
        host = Host(flash)
        assert host.live(OLD, blocks=bit % 6 + 1)
        page, index = newest(flash)
        flash.words[page][index + bit // 32] ^= 1 << bit % 32
        assert host.live(blocks=3) and host.sure == OLD


def newest(flash: Flash) -> tuple[int, int]:
    """Return the page and the first word of the record with the highest limit, behind a key."""
    records = [
        (words[index], page, index)
        for page, words in enumerate(flash.words)
        for index in range(8, len(words), 4)
        if words[index + 3] != BLANK
    ]
    return max(records)[1:]


def test_erased_memory_has_neither_key_nor_counter() -> None:
    flash = Flash()
    host = Host(flash)
    assert host.live(OLD)
    for page in range(2):
        flash.erase(page)
    board = Counter(flash)
    board.start()
    assert board.key_state == KeyState.NONE and board.take() == (0, True)


def test_key_without_permanent_memory_lasts_until_the_restart() -> None:
    """Its values are unique with the key, because the key is given after the start."""
    flash = Flash()
    flash.read_only = True
    board = Counter(flash)
    board.start()
    assert board.take() == (0, False)
    assert board.set_key(OLD) and board.key_state == KeyState.VOLATILE
    assert board.take() == (1, True)
    assert board.set_key(NEW) and board.take() == (2, True)
    board.start(woke=True)
    assert board.key_state == KeyState.VOLATILE and board.take() == (3, True), "deep sleep keeps it"
    board.start()
    assert board.key_state == KeyState.NONE and board.take() == (0, False)


def test_volatile_key_ends_with_the_last_value() -> None:
    flash = Flash()
    flash.plant(BLANK)
    board = Counter(flash)
    board.start()
    assert board.set_key(OLD) and board.key_state == KeyState.VOLATILE
    assert board.take() == (BLANK, True)
    assert board.take() == (0, False) and board.take() == (1, False)


def test_permanent_key_ends_before_the_counter_wraps() -> None:
    flash = Flash()
    flash.plant(BLANK - 2 * BLOCK - 1)
    board = Counter(flash)
    board.start()
    assert board.set_key(OLD)
    assert [board.take()[1] for _ in range(BLOCK + 2)] == [True] * BLOCK + [False] * 2
    assert not board.ok and board.key == OLD


def test_memory_that_fails_loses_the_new_key_until_the_restart() -> None:
    """What the memory will give then is not known, so neither key may be used."""
    flash = Flash()
    board = Counter(flash)
    board.start()
    assert board.set_key(OLD)
    flash.read_only = True
    assert not board.set_key(NEW)
    assert board.key_state == KeyState.LOST and not board.take()[1]
    assert not board.set_key(NEW), "again"
    board.start()
    assert board.key == OLD and not board.ok and not board.take()[1], "no boot could be counted"
    assert not board.set_key(NEW) and board.key == OLD


def test_key_on_memory_that_was_never_written_counts_the_boot_first() -> None:
    """During a back-off, no boot has been counted when the key comes: the memory is tried before it gets the key."""
    flash = Flash()
    flash.read_only = True
    board = Counter(flash)
    board.start(count_boot=False)
    assert board.set_key(OLD) and board.key_state == KeyState.VOLATILE
    flash.read_only = False
    board.start(count_boot=False)
    assert board.set_key(OLD) and board.key_state == KeyState.PERMANENT and board.boots == 1
