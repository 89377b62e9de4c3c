"""The times of status frames: firmware/src/app.c, status.c and watch.c on a simulated board whose clock a test sets."""

from collections.abc import Callable
from ctypes import c_uint8
from pathlib import Path

import pytest

from tests.firmware.status.simulated_board import SimulatedBoard
from wire.control import ErrorCode, Mode, Opcode, command
from wire.replies.status import NOT_LIMITED, ResetCause

DEVICE = 7  # of watch_machine.c
TURN_S = 1 + DEVICE * 0.05
AIR_S = 0.08  # of a status packet on this machine
RADIO = "-DINKLING_RADIO=1"
INFO = command(Opcode.INFO, 1)

Start = Callable[..., SimulatedBoard]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return lambda *flags: SimulatedBoard(tmp_path, *flags)


def status_times(board: SimulatedBoard, seconds: float, step_s: float = 0.1) -> list[float]:
    """Let time pass and return the times of status frames, rounded to the step."""
    times = []
    for n in range(1, round(seconds / step_s) + 1):
        before = board.get("statuses")
        board.step(step_s)
        times += [round(n * step_s, 2)] * (board.get("statuses") - before)
    return times


def test_status_is_sent_at_boot_and_once_per_period(start: Start) -> None:
    board = start()
    assert status_times(board, 250) == [1.4, 61.4, 121.4, 181.4, 241.4]
    assert board.status.uptime_s == 241


def test_status_reports_the_board(start: Start) -> None:
    board = start("-DINKLING_MODE=2", "-DINKLING_THRESHOLD=9")
    status_times(board, 2)
    status = board.status
    assert (status.counter, status.uptime_s, status.boots, status.reset_cause) == (0, 1, 1, ResetCause.UNKNOWN)
    assert (status.is_gateway, status.mode, status.threshold) == (False, Mode.ADAPTIVE, 9)
    assert (status.battery_mv, status.air_left_cs, status.period_s) == (3712, NOT_LIMITED, 60)


def test_status_of_a_gateway_says_so(start: Start) -> None:
    board = start(RADIO, "-DINKLING_GATEWAY=1")
    assert status_times(board, 62) == [1.4, 61.4]
    assert board.status.is_gateway


@pytest.mark.parametrize(("flags", "seconds"), [((), 700), ((RADIO,), 8000)])
def test_status_period_0_sends_none(start: Start, flags: tuple[str, ...], seconds: int) -> None:
    assert status_times(start(*flags, "-DINKLING_STATUS_S=0"), seconds, 1) == []


@pytest.mark.parametrize("period", [-1, 65536])
def test_status_period_out_of_range_does_not_compile(start: Start, period: int) -> None:
    with pytest.raises(Exception, match="returned non-zero exit status"):
        start(f"-DINKLING_STATUS_S={period}")


def test_status_counts_images_beyond_the_sequence_number(start: Start) -> None:
    board = start("-DINKLING_PERIOD_S=1", RADIO, "-DINKLING_STATUS_S=100")
    status_times(board, 150, 0.5)
    assert board.status.counter == 101
    assert board.get("sequence") == 149 % 32


def test_status_waits_for_a_command_and_for_silence_after_it(start: Start) -> None:
    """The answer to a command may be another board's."""
    board = start()
    board.step(1.3)
    board.receive(INFO[:-1])
    board.step(0.9)
    assert board.get("statuses") == 0
    board.receive(INFO[-1:])
    assert status_times(board, 60) == [1.4]


def test_status_waits_for_the_end_of_another_boards_command(start: Start) -> None:
    board = start()
    board.receive(command(Opcode.RUN, 1, bytes(5000), DEVICE + 1)[:-1])
    for _ in range(8):
        board.step(0.9)
        board.receive(b"\0")
    assert board.get("statuses") == 0, "silent for 0.9 s at most"
    assert status_times(board, 3) == [1.4]


def test_status_on_a_line_that_is_never_silent_is_sent_between_commands(start: Start) -> None:
    board = start()
    times = []
    for n in range(400):
        before = board.get("statuses")
        board.receive(INFO)
        board.step(0.5)
        times += [n / 2] * (board.get("statuses") - before)
    assert times == [59.5, 179.5], "at boot and each period, a period late"


def test_status_frames_of_boards_that_start_together_are_apart(start: Start, tmp_path: Path) -> None:
    sent = {}
    for device in (0, 1, 100, 254):
        (tmp_path / str(device)).mkdir()
        board = SimulatedBoard(tmp_path / str(device))
        c_uint8.in_dll(board.c, "line_device").value = device
        sent[device] = status_times(board, 80, 0.01)
    for device, (first, second) in sent.items():
        assert first == pytest.approx(1 + 0.05 * device, abs=0.011)
        assert second == pytest.approx(first + 60, abs=0.011)


def test_status_period_outlasts_the_range_of_the_clock(start: Start) -> None:
    board = start("-DINKLING_STATUS_S=5000")
    assert status_times(board, 11_000, 1) == [2, 5002, 10_002]
    assert board.status.uptime_s == 10_002


@pytest.mark.parametrize("flags", [(), (RADIO,)])
def test_status_period_is_kept_through_a_deep_sleep_that_returns(start: Start, flags: tuple[str, ...]) -> None:
    sleep = ("-DINKLING_PERIOD_S=600", "-DINKLING_DEEP_SLEEP=1", "-DINKLING_AWAKE_S=10", "-DINKLING_STATUS_S=1800")
    board = start(*flags, *sleep)
    assert len(status_times(board, 9.9)) == 1
    sent = []
    for step in range(13):
        before = board.get("statuses")
        board.step(2)  # takes an image, then sleeps
        sent += [step] * (board.get("statuses") - before)
        assert board.get("sleeps") == board.get("captures") == step + 1
    assert sent == [3, 6, 9, 12]
    assert board.status.uptime_s == int(11.9 + 12 * 602)
    assert board.status.period_s == 1800 + 600


@pytest.mark.parametrize("flags", [(), (RADIO,)])
def test_status_period_is_kept_through_a_deep_sleep_that_restarts_the_board(
    start: Start, flags: tuple[str, ...]
) -> None:
    """The board does not stay awake to wait for silence on its line."""
    board = start(*flags, "-DINKLING_STATUS_S=1800")
    assert len(status_times(board, 10)) == 1
    sent = []
    for wake in range(1, 13):
        board.c.status_sleep(600)
        board.restart(ResetCause.DEEP_SLEEP)
        before = board.get("statuses")
        board.step(0.1)
        sent += [wake] * (board.get("statuses") - before)
        board.step(1.9)
    assert sent == [3, 6, 9, 12]
    assert board.status.reset_cause == ResetCause.DEEP_SLEEP
    assert board.status.uptime_s == pytest.approx(10 + 11 * 602 + 600, abs=2)
    board.restart(ResetCause.WATCHDOG)
    status_times(board, 2)
    assert board.status.uptime_s <= 1 and board.status.reset_cause == ResetCause.WATCHDOG


def test_status_by_radio_waits_for_its_turn_and_not_for_the_line(start: Start) -> None:
    board = start(RADIO)
    for _ in range(5):
        board.receive(b"\0")
        board.step(AIR_S)
    assert board.get("statuses") == 0
    board.receive(b"\0")
    assert status_times(board, 3602, 0.5) == [0.5, 3600.5]
    assert (board.status.air_left_cs, board.status.period_s, board.get("patient")) == (321, 3600, 1)


def test_status_by_radio_waits_for_air_time_patiently_for_one_period(start: Start) -> None:
    board = start(RADIO, "-DINKLING_STATUS_S=10")
    board.set(status_error=ErrorCode.AIR_TIME)
    assert status_times(board, 5) == []
    assert board.get("patient") == 1
    board.set(status_error=0)
    assert status_times(board, 1) == [0.1]
    board.set(status_error=ErrorCode.AIR_TIME)
    assert status_times(board, 18.9) == [] and board.get("patient") == 1
    board.step(0.6)
    assert board.get("patient") == 0, "late by a whole period"


@pytest.mark.parametrize("error", [ErrorCode.RADIO, ErrorCode.BAD_ARGUMENT])
def test_status_that_the_radio_cannot_send_is_left_out(start: Start, error: ErrorCode) -> None:
    """A radio that reports a failure may have sent: what it did counts as air time."""
    board = start(RADIO, "-DINKLING_STATUS_S=10")
    board.set(status_error=error)
    status_times(board, 1)
    board.set(status_error=0)
    assert status_times(board, 12) == [pytest.approx(9.6, abs=0.11)]
