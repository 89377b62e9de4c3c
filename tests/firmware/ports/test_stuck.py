"""Hardware that stops responding: every wait of a bare port for it ends."""

import subprocess
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path

import pytest

from tests.support import ROOT

FIRMWARE = ROOT / "firmware"
TESTS = ROOT / "tests" / "firmware" / "c"
LIMIT_S = 60.0  # also on a loaded machine; a wait takes milliseconds
SOURCES = {
    "stm32f405": ("usart.c", "clock.c", "timer.c", "reset.c", "flash.c", "../bare/kept.c"),
    "esp32c3": ("uart.c", "timer.c"),
    "qemu_virt": ("uart.c", "timer.c"),
}
RCC_CR, RCC_CFGR, RCC_CSR = 0x40023800, 0x40023808, 0x40023874
IWDG = 0x40003000


class Reset(IntEnum):
    """Why a board started: enum wire_reset of wire/status.h."""

    UNKNOWN = 0
    POWER_ON = 1
    PIN = 2
    SOFTWARE = 3
    WATCHDOG = 4
    BROWN_OUT = 5


HSI_READY, PLL_READY = 1 << 1, 1 << 25
SYSTIMER_LOW = 0x60023044


def stuck(port: str, folder: Path, action: str, registers: dict[int, int]) -> int:
    """Return what a port's action gives while its registers keep these values; a wait without end raises."""
    program = folder / port
    headers = [*(FIRMWARE / "lib" / name for name in ("board", "counter", "wire/src"))]
    headers += [*(FIRMWARE / "ports" / name for name in (port, "bare", "rv32"))]
    sources: Sequence[Path] = [FIRMWARE / "ports" / port / name for name in SOURCES[port]]
    sources = [*sources, FIRMWARE / "lib" / "counter" / "flash_log.c", FIRMWARE / "lib/wire/src/wire/crc.c"]
    flags: list[str | Path] = ["-std=c11", "-O1", "-Wall", "-Wextra", "-include", TESTS / "no_instructions.h"]
    includes = [f"-I{header}" for header in headers]
    subprocess.run(["gcc", *flags, *includes, *sources, TESTS / "stuck_machine.c", "-o", program], check=True)
    values = [f"{address:x}={value:x}" for address, value in registers.items()]
    done = subprocess.run([program, action, *values], check=True, capture_output=True, text=True, timeout=LIMIT_S)
    return int(done.stdout)


@pytest.mark.parametrize(
    ("port", "status"),
    [
        pytest.param("stm32f405", {0x40011000: 0}, id="stm32f405"),  # never "transmit data register empty"
        pytest.param("esp32c3", {0x60000000: 0, 0x6000001C: 128 << 16}, id="esp32c3"),  # the FIFO stays full
        pytest.param("qemu_virt", {0x10000000: 0}, id="qemu_virt"),  # never "transmitter empty"
    ],
)
def test_write_ends_on_a_line_that_has_stopped_sending(port: str, status: dict[int, int], tmp_path: Path) -> None:
    assert stuck(port, tmp_path, "write", status) == 0


@pytest.mark.parametrize(
    ("clock", "hz"),
    [
        pytest.param(HSI_READY, 16_000_000, id="no lock"),
        pytest.param(HSI_READY | PLL_READY, 16_000_000, id="no switch"),
    ],
)
def test_clock_start_keeps_the_oscillator_without_a_pll(clock: int, hz: int, tmp_path: Path) -> None:
    assert stuck("stm32f405", tmp_path, "clock", {RCC_CR: clock, RCC_CFGR: 0, 0x40023C00: 0}) == hz


@pytest.mark.parametrize(
    ("flags", "cause"),
    [
        pytest.param(0, Reset.UNKNOWN, id="QEMU"),
        pytest.param(0x0E000000, Reset.POWER_ON, id="power, brown-out, pin"),
        pytest.param(0x06000000, Reset.BROWN_OUT, id="brown-out, pin"),
        pytest.param(0x04000000, Reset.PIN, id="pin"),
        pytest.param(0x14000000, Reset.SOFTWARE, id="software, pin"),
        pytest.param(0x24000000, Reset.WATCHDOG, id="independent watchdog, pin"),
        pytest.param(0x44000000, Reset.WATCHDOG, id="window watchdog, pin"),
    ],
)
def test_reset_cause_comes_from_the_chips_flags(flags: int, cause: Reset, tmp_path: Path) -> None:
    assert stuck("stm32f405", tmp_path, "cause", {RCC_CSR: flags, IWDG: 0}) == cause


def test_progress_feeds_the_watchdog(tmp_path: Path) -> None:
    assert stuck("stm32f405", tmp_path, "watchdog", {RCC_CSR: 0, IWDG: 0}) == 0xAAAA


@pytest.mark.parametrize(
    ("status", "limit"),
    [
        pytest.param(0, 1234, id="works"),
        pytest.param(1 << 16, 0, id="always busy"),
        pytest.param(1 << 4, 0, id="write-protected"),
    ],
)
def test_counters_are_written_or_the_failure_is_reported(status: int, limit: int, tmp_path: Path) -> None:
    assert stuck("stm32f405", tmp_path, "numbers", {0x40023C0C: status}) == limit


def test_sleep_and_time_end_with_a_timer_that_does_not_respond(tmp_path: Path) -> None:
    assert stuck("esp32c3", tmp_path, "sleep", {0x60023000: 0, SYSTIMER_LOW: 16 * 1234}) == 1234
