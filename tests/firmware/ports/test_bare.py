"""What every bare port has of its own: its clock, QEMU's count of instructions, a new start after a fault."""

from pathlib import Path

import pytest
import serial

from firmware.tools import emulator
from firmware.tools.emulator import MACHINES
from tests.firmware.ports.bare_ports import BARE_PORTS, ask, build_with
from tests.support.firmware import REPLY_SECONDS, start

CLOCK_HZ = {"qemu_stm32f405": 168_000_000, "qemu_rv32imc": 1_000_000_000}


@pytest.fixture(scope="module", params=CLOCK_HZ)
def environment(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def timer_elf(environment: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_with(environment, "timer_app.c", tmp_path_factory.mktemp("timer"))


def test_instructions_are_counted_by_the_boards_own_clock(environment: str, timer_elf: Path) -> None:
    """A loop of a million instructions, on the STM32F405 with interrupts of the clock itself on top."""
    with emulator.qemu(timer_elf, environment, count_instructions=True) as url:
        counts = [emulator.instructions(int(ask(url, b"L")), CLOCK_HZ[environment]) for _ in range(3)]
    assert all(1_000_000 <= count <= 1_000_200 for count in counts), counts


def test_time_never_runs_backwards(environment: str, timer_elf: Path) -> None:
    """On the STM32F405 across the counter's wraps, every 100 ms, whose interrupt QEMU delivers late."""
    with emulator.qemu(timer_elf, environment) as url:
        assert int(ask(url, b"M")) == 0


def test_sleep_lasts_as_long_as_it_should(environment: str, timer_elf: Path) -> None:
    with emulator.qemu(timer_elf, environment) as url:
        assert 1_000_000 <= int(ask(url, b"Z")) < 2_000_000


# Where an address has nothing, labwired ends instead of raising a fault.
@pytest.mark.parametrize(("port", "kind"), [(port, b"I") for port in BARE_PORTS] + [(port, b"A") for port in MACHINES])
def test_a_fault_starts_the_program_over(port: str, kind: bytes, tmp_path: Path) -> None:
    elf = build_with(port, "fault_app.c", tmp_path)
    with start(port, elf) as url, serial.serial_for_url(url, timeout=REPLY_SECONDS) as line:
        for _ in range(2):
            for answer in (b"1\n", b"2\n"):
                line.write(b"N")
                assert line.readline() == answer
            line.write(kind)
            assert line.readline() == b"start\n"
