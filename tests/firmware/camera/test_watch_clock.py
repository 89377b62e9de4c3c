"""The times of unsolicited images: firmware/src/app.c and watch.c on a simulated board whose clock a test sets."""

from collections.abc import Callable
from ctypes import c_uint8
from pathlib import Path

import pytest

from tests.firmware.status.simulated_board import INPUT_BYTES, SimulatedBoard
from wire.control import ErrorCode, Opcode, command, run_data
from wire.frame import SYNC
from wire.model import PIXEL_OFFSET

INFO = command(Opcode.INFO, 1)
RUN = command(Opcode.RUN, 1, run_data(0, bytes(INPUT_BYTES)))
LONGEST = bytes(0xFFFF)
DEVICE = 7  # of watch_machine.c
LONG_S = 5000  # longer than the clock's 4294 s
CRASH = 6  # enum wire_reset


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., SimulatedBoard]:
    return lambda *flags: SimulatedBoard(tmp_path, *flags)


def test_watch_captures_once_per_period(start: Callable[..., SimulatedBoard]) -> None:
    board = start("-DINKLING_PERIOD_S=10")
    for tenths in range(1000):
        board.step(0.1 if tenths else 0)
        assert board.get("captures") == board.get("frames") == 1 + tenths // 100


def test_watch_restarts_the_period_after_a_command(start: Callable[..., SimulatedBoard]) -> None:
    """PIXELS directly after CAPTURE returns the same image."""
    board = start("-DINKLING_PERIOD_S=10")
    board.step()
    assert board.get("captures") == 1, "the first is immediate"
    board.step(9.5)
    board.receive(INFO)
    board.step(9.5)
    assert board.get("captures") == 1
    board.step(1)
    assert board.get("captures") == 2


def test_watch_does_not_capture_while_a_command_is_coming_in(start: Callable[..., SimulatedBoard]) -> None:
    """The encoder's input belongs to a RUN while its pixels arrive."""
    board = start("-DINKLING_PERIOD_S=1")
    board.step()
    board.receive(RUN[:-3])
    for byte in RUN[-3:-1]:
        board.step(0.9)
        board.receive(bytes((byte,)))
    assert board.get("captures") == 1
    board.receive(RUN[-1:])
    board.step(1)
    assert board.get("captures") == 2


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param(RUN, id="RUN"),
        pytest.param(command(Opcode.RUN, 1, LONGEST, DEVICE + 1), id="foreign"),
        pytest.param(SYNC + bytes((0x80 | DEVICE >> 2, (DEVICE & 3) << 6)) + bytes(50), id="damaged header"),
    ],
)
def test_watch_captures_in_spite_of_a_command_that_never_ends(
    start: Callable[..., SimulatedBoard], whole: bytes
) -> None:
    """A byte every 0.8 s is no silence; the longest command would take 15 hours."""
    board = start("-DINKLING_PERIOD_S=2")
    for n in range(100):
        board.receive(whole[n % len(whole) : n % len(whole) + 1])
        board.step(0.8)
    assert 80 / 2 / 2 <= board.get("captures") <= 80 / 2 + 1


@pytest.mark.parametrize(("flags", "limit_s"), [((), 4), (("-DINKLING_DEEP_SLEEP=1", "-DINKLING_AWAKE_S=1"), 10)])
def test_commands_put_off_a_capture_for_a_limited_time(
    start: Callable[..., SimulatedBoard], flags: tuple[str, ...], limit_s: int
) -> None:
    """INFO every 0.8 s; the board captures after twice its period, or sleeps after ten times its time to listen."""
    board = start("-DINKLING_PERIOD_S=2", *flags)
    for n in range(1, 101):
        board.receive(INFO)
        board.step(0.8)
        awake = n * 0.8 + 0.001
        assert board.get("captures") in (int(awake // limit_s), int(awake // limit_s) + 1)
        if flags and board.get("sleeps"):
            break
    assert board.get("captures") >= 1
    assert board.get("sleeps") == (1 if flags else 0)


def test_line_that_never_pauses_does_not_stop_the_captures(start: Callable[..., SimulatedBoard]) -> None:
    board = start("-DINKLING_PERIOD_S=1")
    flood = bytes(100_000)
    board.receive(flood)
    assert board.get("captures") == 1, "before the end of the flood"
    assert 0 < board.get("received_bytes") < len(flood)


def test_watch_stays_awake_after_a_command(start: Callable[..., SimulatedBoard]) -> None:
    """The time to stay awake begins when the command has been executed."""
    board = start("-DINKLING_PERIOD_S=60", "-DINKLING_DEEP_SLEEP=1", "-DINKLING_AWAKE_S=10")
    board.receive(INFO, takes_s=15)
    board.step(9.5)
    assert board.get("sleeps") == 0
    board.step(1)
    assert (board.get("captures"), board.get("sleeps")) == (1, 1)


def test_watch_captures_after_a_sleep_longer_than_the_clocks_range(start: Callable[..., SimulatedBoard]) -> None:
    board = start(f"-DINKLING_PERIOD_S={LONG_S}", "-DINKLING_DEEP_SLEEP=1")
    board.step(10)
    for captures in range(1, 4):
        assert (board.get("captures"), board.get("sleeps")) == (captures, captures)
        board.step()


def test_watch_gives_no_number_twice_that_may_have_been_sent(start: Callable[..., SimulatedBoard]) -> None:
    board = start("-DINKLING_PERIOD_S=10", "-DINKLING_RADIO=1")
    numbers = []
    for error in (0, ErrorCode.RADIO, 0, ErrorCode.AIR_TIME, 0):
        board.set(radio_error=error)
        board.step(10)
        numbers.append(board.get("sequence"))
    assert numbers == [0, 1, 2, 3, 3]


@pytest.mark.parametrize("motion", [0, 4])
def test_watch_leaves_the_encoders_input_as_int8(start: Callable[..., SimulatedBoard], motion: int) -> None:
    """PIXELS and BENCH use the input, whether the image was sent or not."""
    board = start("-DINKLING_PERIOD_S=10", f"-DINKLING_MOTION={motion}")
    c_uint8.in_dll(board.c, "machine_scene").value = 200
    for captures in range(1, 4):
        board.step(10)
        assert (board.get("captures"), board.get("frames")) == (captures, 1 if motion else captures)
        assert board.c.encoder_input()[:INPUT_BYTES] == [200 - PIXEL_OFFSET] * INPUT_BYTES


@pytest.mark.parametrize("mode", [0, 1])
def test_watch_follows_the_mode(start: Callable[..., SimulatedBoard], mode: int) -> None:
    board = start("-DINKLING_PERIOD_S=10", f"-DINKLING_MODE={mode}")
    for frames in range(1, 4):
        board.step(10)
        assert (board.get("frames"), board.get("answers")) == (frames, frames if mode else 0)


def test_watch_waits_after_repeated_faults_while_the_board_answers(start: Callable[..., SimulatedBoard]) -> None:
    """The third crash in a row: a minute without an image and without a write to the permanent memory."""
    board = start("-DINKLING_PERIOD_S=10")
    for _ in range(3):
        board.restart(CRASH)
    board.set(writes=0)  # of the starts before
    for second in range(1, 60):
        board.receive(INFO)
        assert (board.get("commands"), board.get("captures"), board.get("writes")) == (second, 0, 0)
        board.step(1)
    board.step(1)
    assert (board.get("captures"), board.get("writes")) == (1, 1)


@pytest.mark.parametrize("data", [b"", INFO, bytes(100_000)], ids=["silence", "command", "flood"])
def test_application_tells_the_watchdog_of_its_progress_in_each_step(
    start: Callable[..., SimulatedBoard], data: bytes
) -> None:
    board = start()
    for steps in range(1, 5):
        board.receive(data)
        assert board.get("progress") >= steps


def test_watch_numbers_its_images_by_the_counter(start: Callable[..., SimulatedBoard]) -> None:
    """A new block of 112 values is written before its first value is sent."""
    board = start("-DINKLING_PERIOD_S=10", "-DINKLING_RADIO=1")
    for image in range(250):
        board.step(10)
        assert board.get("sequence") == image % 32
        assert board.get("writes") == 1 + image // 112
