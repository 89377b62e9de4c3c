"""The back-off after repeated faults: firmware/src/backoff.c on a board whose clock and resets a test sets."""

import shutil
import subprocess
from ctypes import CDLL, c_bool, c_uint8, c_uint32
from pathlib import Path

import pytest

from tests.support import ROOT, wire_c

FIRMWARE = ROOT / "firmware"
POWER_ON, WATCHDOG, BROWN_OUT, CRASH, DEEP_SLEEP = 1, 4, 5, 6, 7
CALM_S, CALM_WAKES = 600, 16
WAITS = [0, 0, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]  # seconds, by the number of faults in a row


class Board:
    """A board whose kept word survives its restarts."""

    def __init__(self, library: Path) -> None:
        self.c = CDLL(str(library))
        self.c.backoff_over.restype = c_bool

    def restart(self, cause: int) -> None:
        c_uint8.in_dll(self.c, "machine_cause").value = cause
        c_uint32.in_dll(self.c, "machine_micros").value = 2**32 - 5_000_000  # wraps soon
        self.c.backoff_start()

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            micros = c_uint32.in_dll(self.c, "machine_micros")
            micros.value = (micros.value + 1_000_000) % 2**32
            self.c.backoff_over()

    def wait(self) -> int:
        """Return the seconds until the wait is over."""
        seconds = 0
        while not self.c.backoff_over():
            self.run(1)
            seconds += 1
        return seconds


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backoff") / "backoff.so"
    flags = [*wire_c.FLAGS, f"-I{FIRMWARE / 'lib' / 'board'}", f"-I{FIRMWARE / 'src'}", "-O1", "-shared", "-fPIC"]
    sources = [FIRMWARE / "src" / "backoff.c", Path(__file__).with_name("backoff_machine.c")]
    subprocess.run(["gcc", *flags, *sources, "-o", path], check=True)
    return path


@pytest.fixture
def board(library: Path, tmp_path: Path) -> Board:
    return Board(Path(shutil.copy(library, tmp_path)))  # a copy, because a library that is loaded twice keeps its state


@pytest.mark.parametrize("cause", [WATCHDOG, CRASH, BROWN_OUT])
def test_backoff_waits_longer_with_each_fault_in_a_row(board: Board, cause: int) -> None:
    board.restart(POWER_ON)
    assert board.wait() == 0
    for expected in WAITS:
        board.restart(cause)
        assert board.wait() == expected


@pytest.mark.parametrize(("calm_s", "waits"), [(CALM_S - 1, 120), (CALM_S, 0)])
def test_backoff_forgets_faults_after_a_calm_time(board: Board, calm_s: int, waits: int) -> None:
    """The time of the wait itself does not count."""
    for _ in range(3):
        board.restart(CRASH)
    assert board.wait() == 60
    board.run(calm_s)
    board.restart(CRASH)
    assert board.wait() == waits


@pytest.mark.parametrize("cause", [0, POWER_ON, 2, 3])
def test_backoff_forgets_faults_after_another_kind_of_start(board: Board, cause: int) -> None:
    for _ in range(5):
        board.restart(CRASH)
    board.restart(cause)
    assert board.wait() == 0
    board.restart(CRASH)
    assert board.wait() == 0


@pytest.mark.parametrize(("wakes", "waits"), [(CALM_WAKES - 1, 60), (CALM_WAKES, 0)])
def test_backoff_counts_faults_across_deep_sleep(board: Board, wakes: int, waits: int) -> None:
    """A board that fails in each of its short times awake is never awake for the calm time."""
    board.restart(CRASH)
    board.restart(CRASH)
    for _ in range(wakes):
        board.restart(DEEP_SLEEP)
        assert board.wait() == 0
    board.restart(CRASH)
    assert board.wait() == waits
