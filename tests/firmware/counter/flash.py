"""firmware/lib/counter on simulated flash memory that loses power at a chosen step."""

import atexit
import ctypes
import random
import shutil
import subprocess
import zlib
from collections.abc import Iterable
from ctypes import CDLL, CFUNCTYPE, POINTER, Structure, byref, c_bool, c_uint8, c_uint32
from enum import IntEnum
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.support import ROOT, wire_c

BLANK = 0xFFFFFFFF
WORDS = 4  # of a record
BLOCK = 112  # COUNTER_BLOCK
KEY_BYTES = 16
MARK = 0x494E4B31  # FLASH_LOG_MARK
LIBRARY = ROOT / "firmware" / "lib"
MACHINE = Path(__file__).with_name("counter_machine.c")


class KeyState(IntEnum):
    """enum counter_key."""

    NONE = 0
    VOLATILE = 1
    PERMANENT = 2
    LOST = 3


class _Record(Structure):
    _fields_ = [("words", c_uint32 * WORDS)]


_ERASE = CFUNCTYPE(c_bool, c_uint32)
_PROGRAM = CFUNCTYPE(c_bool, c_uint32, c_uint32, POINTER(c_uint32))
_READ = CFUNCTYPE(c_bool, c_uint32, c_uint32, POINTER(c_uint32))


class _Pages(Structure):
    _fields_ = [
        ("page_count", c_uint32),
        ("page_bytes", c_uint32),
        ("erase", _ERASE),
        ("program", _PROGRAM),
        ("read", _READ),
    ]


class PowerLossError(Exception):
    """The board has lost power in the middle of a step."""


class Flash:
    """Pages of words. Each word that is programmed and each erasure is a step, at which power may fail.

    A step that is cut leaves any mixture of the old and the new bits. Some of them are weak: they read as 0 or 1 at
    random, until they are programmed to 0 or erased. With `ecc`, a word that is programmed twice reports a failure, and
    one that was cut cannot be read.
    """

    def __init__(self, pages: int = 2, slots: int = 4, *, ecc: bool = False, seed: int = 0) -> None:
        self.slots = slots
        self.words = [[BLANK] * (WORDS * slots) for _ in range(pages)]
        self.weak = [[0] * (WORDS * slots) for _ in range(pages)]  # masks of bits
        self.ecc = ecc
        self.random = random.Random(seed)
        self.steps_left: int | None = None  # before power fails; None: never
        self.steps = 0
        self.erasures = [0] * pages
        self.read_only = False
        self.broken_slots: set[tuple[int, int]] = set()  # pages and offsets; a bit stays 1
        self.stuck_pages: set[int] = set()  # whose erasure leaves a bit 0
        self._lost = False

    def _cut(self) -> bool:
        """Count a step; return True if power fails in it."""
        self.steps += 1
        if self.steps_left is not None:
            self.steps_left -= 1
            self._lost = self._lost or self.steps_left < 0
        return self._lost

    def _damage(self, page: int, index: int, new: int) -> None:
        """Leave a mixture of the old and the new bits in a word."""
        changes = self.words[page][index] ^ new
        changed, unsteady = self._mask(), self._mask()
        self.words[page][index] ^= changes & changed
        self.weak[page][index] |= changes & unsteady

    def _mask(self) -> int:
        """Return no bits, all bits, or any bits."""
        return self.random.choice((0, BLANK, self.random.getrandbits(32), self.random.getrandbits(32)))

    def erase(self, page: int) -> bool:
        if self._lost or self.read_only:
            return not self._lost
        if self._cut():
            for index in range(len(self.words[page])):
                self._damage(page, index, BLANK)
            return True
        self.erasures[page] += 1
        self.words[page] = [BLANK] * len(self.words[page])
        self.weak[page] = [0] * len(self.weak[page])
        if page in self.stuck_pages:
            self.words[page][-1] = BLANK - 1
        return True

    def program(self, page: int, offset: int, record: Iterable[int]) -> bool:
        start = offset // 4
        for index, word in enumerate(record, start):
            if self._lost or self.read_only:
                return not self._lost
            if self.ecc and (self.words[page][index] != BLANK or self.weak[page][index]):
                return False
            new = self.words[page][index] & word
            if (page, offset) in self.broken_slots:
                new |= 1
            if self._cut():
                self._damage(page, index, new)
            else:
                self.words[page][index] = new
                self.weak[page][index] &= new
        return True

    def read(self, page: int, offset: int) -> list[int] | None:
        """Return a record, or None if it cannot be read."""
        span = slice(offset // 4, offset // 4 + WORDS)
        words, weak = self.words[page][span], self.weak[page][span]
        if self.ecc and any(weak):
            return None
        return [word ^ (mask & self.random.getrandbits(32)) for word, mask in zip(words, weak, strict=True)]

    def power_up(self) -> None:
        self._lost = False
        self.steps_left = None

    @property
    def lost(self) -> bool:
        return self._lost

    def plant(self, limit: int) -> None:
        """Write a record with this limit and 5 boots as the first one."""
        numbers = limit.to_bytes(4, "big") + bytes((0, 0, 0, 5))
        self.words[0][:WORDS] = [limit, 5, zlib.crc32(numbers), MARK]


@cache
def compile_library() -> Path:
    """Compile the library and counter_machine.c, with warnings as errors and sanitizers' traps."""
    path = Path(mkdtemp(prefix="inkling-counter-")) / "counter.so"
    atexit.register(shutil.rmtree, path.parent)
    sources = [*sorted((LIBRARY / "counter").glob("*.c")), MACHINE, *wire_c.SOURCES]
    flags = [*wire_c.FLAGS, f"-I{LIBRARY / 'counter'}", f"-I{LIBRARY / 'board'}", "-O1", "-shared", "-fPIC"]
    checks = ["-fsanitize=undefined,bounds", "-fsanitize-undefined-trap-on-error"]
    subprocess.run(["gcc", *flags, *checks, *sources, "-o", path], check=True)
    return path


class Counter:
    """A board's counter on flash memory, one board per process: its variables are static."""

    def __init__(self, flash: Flash) -> None:
        self.flash = flash
        self.c = CDLL(str(compile_library()))
        self.c.counter_next.restype = self.c.counter_ok.restype = self.c.counter_set_key.restype = c_bool
        self.c.counter_boots.restype = c_uint32

        def program(page: int, offset: int, record: "ctypes._Pointer[c_uint32]") -> bool:
            return flash.program(page, offset, record[:WORDS])

        def read(page: int, offset: int, record: "ctypes._Pointer[c_uint32]") -> bool:
            words = flash.read(page, offset)
            for index, word in enumerate(words or []):
                record[index] = word
            return words is not None

        # Kept, because the library calls them later.
        self._pages = _Pages(len(flash.words), 16 * flash.slots, _ERASE(flash.erase), _PROGRAM(program), _READ(read))

    def start(self, *, woke: bool = False, count_boot: bool = True) -> None:
        """Power up, or wake from deep sleep. Raises PowerLossError."""
        c_bool.in_dll(self.c, "machine_woke").value = woke
        self.c.machine_set_flash(byref(self._pages))
        self.c.counter_start()
        if count_boot:
            self.c.counter_count_boot()
        self._check()

    def take(self) -> tuple[int, bool]:
        """Return the next value and whether it is unique, and use it up. Raises PowerLossError."""
        value = c_uint32()
        unique = self.c.counter_next(byref(value))
        self._check()
        self.c.counter_advance()
        return value.value, unique

    def set_key(self, key: bytes) -> bool:
        """Set the device key; return whether the board has taken it. Raises PowerLossError."""
        taken = self.c.counter_set_key((c_uint8 * KEY_BYTES)(*key))
        self._check()
        return taken

    @property
    def key_state(self) -> "KeyState":
        return KeyState(self.c.counter_key())

    @property
    def key(self) -> bytes:
        """The device key in the permanent memory; empty if there is none."""
        if self.key_state != KeyState.PERMANENT:
            assert self.key_state == KeyState.NONE
            return b""
        key = (c_uint8 * KEY_BYTES)()
        self.c.counter_get_key(key)
        return bytes(key)

    @property
    def ok(self) -> bool:
        return self.c.counter_ok()

    @property
    def boots(self) -> int:
        return self.c.counter_boots()

    def _check(self) -> None:
        if self.flash.lost:
            raise PowerLossError
