"""Status frames of running boards: native, in QEMU, and of the bytes of docs/SPEC.md."""

import time

import pytest

from firmware.tools import emulator
from tests.support.firmware import SANITIZED, RunningBoard, boot, program
from wire.control import Mode
from wire.replies.status import NOT_LIMITED, ResetCause, Status, parse_status

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

EVERY_2_S = f"{SANITIZED} -D INKLING_STATUS_S=2"  # flags


def status_of(board: RunningBoard) -> Status:
    """Return the next status frame, of device 1 with the bundle's model."""
    frame = board.next_status()
    status = parse_status(frame)
    assert status and (frame.request, frame.header.device, frame.header.model) == (0, 1, board.bundle.model_bits)
    return status


@pytest.mark.parametrize(("target", "cause"), [("native", ResetCause.POWER_ON), ("qemu_stm32f405", ResetCause.UNKNOWN)])
def test_board_sends_its_status_at_boot(target: str, cause: ResetCause) -> None:
    with boot(target) as board:
        status = status_of(board)
        assert (status.boots, status.reset_cause) == (0, cause)
        assert status.uptime_s in (1, 61, 121) and status.period_s == 60, "the first may come before the connection"
        assert (status.is_gateway, status.battery_mv, status.air_left_cs) == (False, 0, NOT_LIMITED)
        assert board.mode().mode == status.mode and board.mode().threshold == status.threshold
        board.mode(Mode.ANSWER, 5)
        assert board.is_silent()


@pytest.mark.parametrize("millivolts", [1, 3712, 65535])
def test_native_board_reports_the_voltage_that_it_is_given(millivolts: int) -> None:
    elf = program("native", EVERY_2_S)
    with emulator.native(elf, "--battery", str(millivolts)) as url, RunningBoard(url) as board:
        assert status_of(board).battery_mv == millivolts


def test_board_sends_its_status_periodically_and_answers_in_between() -> None:
    """A period of 2 s; each command puts the next frame off by a second at most."""
    with emulator.native(program("native", EVERY_2_S)) as url, RunningBoard(url) as board:
        status_of(board)
        start = time.monotonic()
        last = -1
        for n in range(1, 4):
            board.mode(Mode.ANSWER, n)
            status = status_of(board)
            assert (status.mode, status.threshold, status.period_s) == (Mode.ANSWER, n, 2)
            assert status.uptime_s > last
            last = status.uptime_s
        assert time.monotonic() - start > 3 * 2 - 0.5
