"""What only the bare STM32F405 port has: its clock, its receive buffer, QEMU's count of instructions."""

import subprocess
from pathlib import Path

import pytest
import serial

from firmware.tools import emulator
from tests.firmware_tools import REPLY_SECONDS, boot, program
from wire.control import ErrorCode, Opcode

ROOT = Path(__file__).parents[1]
PORT = ROOT / "firmware" / "ports" / "stm32f405"
CPU = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft", "--specs=nano.specs", "-nostartfiles"]


@pytest.fixture(scope="module")
def timer_elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The port with tests/c/timer_app.c in place of the application."""
    elf = tmp_path_factory.mktemp("timer") / "firmware.elf"
    sources = [*sorted(PORT.glob("*.c")), ROOT / "tests" / "c" / "timer_app.c"]
    folders = [f"-I{ROOT / 'firmware' / folder}" for folder in ("src", "lib/board")]
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", '-DINKLING_TARGET="test"', f"-Wl,-T,{PORT}/stm32f405.ld"]
    subprocess.run(["arm-none-eabi-gcc", *CPU, *flags, *folders, *sources, "-o", elf], check=True)
    return elf


def ask(url: str, question: bytes) -> int:
    with serial.serial_for_url(url, timeout=REPLY_SECONDS) as line:
        line.write(question)
        return int(line.readline())


def test_instructions_are_counted_by_the_boards_own_clock(timer_elf: Path) -> None:
    """A loop of a million instructions, with interrupts of the clock itself on top."""
    with emulator.qemu(timer_elf, count_instructions=True) as url:
        counts = [emulator.instructions(ask(url, b"L"), 168_000_000) for _ in range(3)]
    assert all(1_000_000 <= count <= 1_000_200 for count in counts), counts


def test_time_never_runs_backwards(timer_elf: Path) -> None:
    """Across the counter's wraps, every 100 ms, whose interrupt QEMU delivers late."""
    with emulator.qemu(timer_elf) as url:
        assert ask(url, b"M") == 0


def test_flood_while_encoding_is_an_overrun() -> None:
    """More bytes than the receive buffer holds, while nobody reads it: said, and got over."""
    with boot("qemu_stm32f405") as board:
        board.send(board.command(Opcode.BENCH, b"\x64"))
        board.send(bytes(20_000))
        assert board.reply().opcode == Opcode.BENCH | 0x80
        assert board.error()[0] == ErrorCode.OVERRUN
        while not board.silent(1.0):  # what was still on its way may overrun again
            board.line.reset_input_buffer()
        assert board.info().wire_version == 1


def test_missing_firmware_and_dead_board_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(emulator.EmulatorError, match="no firmware at"), emulator.qemu(tmp_path / "none.elf"):
        pass
    (tmp_path / "junk.elf").write_bytes(b"not an ELF file")
    monkeypatch.setattr(emulator, "START_SECONDS", 2.0)
    with pytest.raises(emulator.EmulatorError, match="the board"), emulator.qemu(tmp_path / "junk.elf"):
        pass
    elf = program("qemu_stm32f405")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(emulator.EmulatorError, match="qemu-system-arm is not installed"), emulator.qemu(elf):
        pass
