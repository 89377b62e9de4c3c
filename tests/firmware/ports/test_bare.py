"""Every bare port: its clock, QEMU's count of instructions, the restart after a fault."""

from pathlib import Path

import pytest
import serial

from firmware.tools import emulator
from firmware.tools.emulator import MACHINES
from tests.firmware.ports.bare_programs import BARE_PORTS, ask, build_with
from tests.support.firmware import REPLY_SECONDS, start

pytestmark = pytest.mark.emulated

CLOCK_HZ = {"qemu_stm32f405": 168_000_000, "qemu_rv32imc": 1_000_000_000}


@pytest.fixture(scope="module", params=CLOCK_HZ)
def environment(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def timer_elf(environment: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_with(environment, "timer_app.c", tmp_path_factory.mktemp("timer"))


def test_clock_counts_instructions_in_qemu(environment: str, timer_elf: Path) -> None:
    """A loop of a million instructions; on the STM32F405 the clock's own interrupts are added."""
    with emulator.qemu(timer_elf, environment, count_instructions=True) as url:
        counts = [emulator.instructions(int(ask(url, b"L")), CLOCK_HZ[environment]) for _ in range(3)]
    assert all(1_000_000 <= count <= 1_000_200 for count in counts), counts


def test_clock_never_runs_backwards(environment: str, timer_elf: Path) -> None:
    """On the STM32F405, the counter wraps every 100 ms, and QEMU delivers its interrupt late."""
    with emulator.qemu(timer_elf, environment) as url:
        assert int(ask(url, b"M")) == 0


def test_sleep_lasts_the_given_time(environment: str, timer_elf: Path) -> None:
    """A loaded machine may wake QEMU late, but not every time."""
    with emulator.qemu(timer_elf, environment) as url:
        for _ in range(10):
            micros = int(ask(url, b"Z"))
            assert micros >= 1_000_000
            if micros < 2_000_000:
                return
    pytest.fail("never within 2 s")


# For an access to an unmapped address, labwired ends instead of raising a fault.
@pytest.mark.parametrize(("port", "kind"), [(port, b"I") for port in BARE_PORTS] + [(port, b"A") for port in MACHINES])
def test_fault_restarts_the_program(port: str, kind: bytes, tmp_path: Path) -> None:
    elf = build_with(port, "fault_app.c", tmp_path)
    with start(port, elf) as url, serial.serial_for_url(url, timeout=REPLY_SECONDS) as line:
        for _ in range(2):
            for answer in (b"1\n", b"2\n"):
                line.write(b"N")
                assert line.readline() == answer
            line.write(kind)
            assert line.readline() == b"start\n"


# No emulator models a power-up flag, so that the first start has no known cause.
@pytest.mark.parametrize(("port", "kind"), [(port, b"I") for port in BARE_PORTS] + [("qemu_stm32f405", b"S")])
def test_fault_is_the_cause_of_the_restart_and_keeps_a_word(port: str, kind: bytes, tmp_path: Path) -> None:
    elf = build_with(port, "fault_app.c", tmp_path)
    with start(port, elf) as url, serial.serial_for_url(url, timeout=REPLY_SECONDS) as line:
        for life in range(3):
            for question, answer in ((b"C", b"6\n" if life else b"0\n"), (b"K", b"%d\n" % life)):
                line.write(question)
                assert line.readline() == answer
            line.write(kind)
            assert line.readline() == b"start\n"


@pytest.mark.parametrize("port", BARE_PORTS)
@pytest.mark.parametrize("kind", [b"B", b"S"], ids=["array", "stack"])
def test_overflow_of_the_stack_restarts_the_program(port: str, kind: bytes, tmp_path: Path) -> None:
    """Without a restart, the next answer would be the number of questions."""
    elf = build_with(port, "fault_app.c", tmp_path)
    with start(port, elf) as url, serial.serial_for_url(url, timeout=REPLY_SECONDS) as line:
        line.write(b"N")
        assert line.readline() == b"1\n"
        line.write(kind + b"N")
        assert line.readline() == b"start\n"
