"""When a board looks by itself: firmware/src/app.c and watch.c on a machine whose clock a test sets."""

import subprocess
from collections.abc import Callable
from ctypes import CDLL, POINTER, c_char_p, c_int8, c_uint8, c_uint32
from pathlib import Path

import pytest

from tests.support import ROOT, wire_c
from wire.control import Opcode, command

FIRMWARE = ROOT / "firmware"
MODEL = ROOT / "tests" / "fuzz" / "c" / "stub"
INPUT_BYTES = 30
SECOND = 1_000_000
LONG_S = 5000  # longer than the clock's 4294 s


class Board:
    """The application, started at time 0."""

    def __init__(self, folder: Path, *flags: str) -> None:
        path = folder / "watch.so"
        sources = [
            FIRMWARE / "src" / "app.c",
            FIRMWARE / "src" / "watch.c",
            ROOT / "tests" / "firmware" / "c" / "watch_machine.c",
        ]
        sources += [*MODEL.glob("*.c"), *(FIRMWARE / "lib" / "camera").glob("*.c"), *wire_c.SOURCES]
        places = [FIRMWARE / "src", MODEL, *(FIRMWARE / "lib" / name for name in ("board", "camera", "encoder"))]
        includes = [f"-I{place}" for place in (*places, wire_c.SOURCE)]
        command = ["gcc", *wire_c.FLAGS, "-O1", "-shared", "-fPIC", "-DINKLING_CAMERA=1", *flags, *includes]
        subprocess.run([*command, "-Wno-pedantic", *sources, "-o", path], check=True)
        self.c = CDLL(str(path))
        self.c.encoder_input.restype = POINTER(c_int8)
        self.c.app_start()

    def set(self, kind: type, **values: object) -> None:
        for name, value in values.items():
            kind.in_dll(self.c, f"machine_{name}").value = value

    def get(self, name: str) -> int:
        return c_uint32.in_dll(self.c, f"machine_{name}").value

    def step(self, seconds: float = 0) -> None:
        """Lets time pass, then the application go once round."""
        self.set(c_uint32, micros=(self.get("micros") + round(seconds * SECOND)) % 2**32)
        self.c.app_step()

    def ask(self, takes_s: float = 0) -> None:
        """A command comes, which the board takes so long to answer."""
        data = command(Opcode.INFO, 1)
        self.set(c_uint32, command_micros=round(takes_s * SECOND), received_bytes=len(data))
        self.set(c_char_p, received=data)
        self.step()


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Board]:
    return lambda *flags: Board(tmp_path, *flags)


def test_a_command_puts_the_next_look_off_by_a_period(start: Callable[..., Board]) -> None:
    """So that PIXELS, asked right after CAPTURE, is about the same picture."""
    board = start("-DINKLING_PERIOD_S=10")
    board.step()
    assert board.get("captures") == 1, "the first is at once"
    board.step(9.5)
    board.ask()
    board.step(9.5)
    assert board.get("captures") == 1
    board.step(1)
    assert board.get("captures") == 2


def test_the_time_to_be_awake_begins_when_a_command_is_answered(start: Callable[..., Board]) -> None:
    board = start("-DINKLING_PERIOD_S=60", "-DINKLING_DEEP_SLEEP=1", "-DINKLING_AWAKE_S=10")
    board.ask(takes_s=15)
    board.step(9.5)
    assert board.get("sleeps") == 0
    board.step(1)
    assert (board.get("captures"), board.get("sleeps")) == (1, 1)


def test_after_a_sleep_longer_than_the_clock_the_next_look_is_due(start: Callable[..., Board]) -> None:
    board = start(f"-DINKLING_PERIOD_S={LONG_S}", "-DINKLING_DEEP_SLEEP=1")
    board.step(10)
    for looks in range(1, 4):
        assert (board.get("captures"), board.get("sleeps")) == (looks, looks)
        board.step()


@pytest.mark.parametrize("motion", [0, 4])
def test_a_look_leaves_the_input_as_the_encoder_takes_it(start: Callable[..., Board], motion: int) -> None:
    """Sent or not: PIXELS and BENCH go by what is there."""
    board = start("-DINKLING_PERIOD_S=10", f"-DINKLING_MOTION={motion}")
    board.set(c_uint8, scene=200)
    for looks in range(1, 4):
        board.step(10)
        assert (board.get("captures"), board.get("frames")) == (looks, 1 if motion else looks)
        assert board.c.encoder_input()[:INPUT_BYTES] == [200 - 128] * INPUT_BYTES
