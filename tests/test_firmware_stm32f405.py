"""What only the bare STM32F405 port has: its clock, its receive buffer, QEMU's count of instructions."""

import subprocess
from pathlib import Path

import pytest
import serial

from firmware.tools import emulator
from tests.firmware_tools import REPLY_SECONDS, boot, program
from wire.control import REPLY_BIT, Opcode

ROOT = Path(__file__).parents[1]
PORT = ROOT / "firmware" / "ports" / "stm32f405"
CPU = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft", "--specs=nano.specs", "-nostartfiles"]


def port_with(application: str, folder: Path) -> Path:
    """The port's firmware with a program of tests/c in place of the application."""
    source = ROOT / "tests" / "c" / application
    elf = folder / "firmware.elf"
    paths = [*(ROOT / "firmware" / name for name in ("src", "lib/board")), PORT]
    folders = [f"-I{path}" for path in paths]
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", '-DINKLING_TARGET="test"', f"-Wl,-T,{PORT}/stm32f405.ld"]
    command = ["arm-none-eabi-gcc", *CPU, *flags, *folders, *sorted(PORT.glob("*.c")), source, "-o", elf]
    subprocess.run(command, check=True)
    return elf


@pytest.fixture(scope="module")
def timer_elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return port_with("timer_app.c", tmp_path_factory.mktemp("timer"))


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


def test_full_receive_buffer_holds_the_line_back_and_tells_what_was_lost(tmp_path: Path) -> None:
    """On registers that the test sets: an emulated line waits, and never loses a byte."""
    with emulator.qemu(port_with("ring_app.c", tmp_path)) as url:
        assert ask(url, b"R") == 0


def test_flood_while_encoding_loses_nothing_on_a_line_that_waits() -> None:
    """More bytes than the receive buffer holds, while nobody reads it; QEMU's line has no rate of its own."""
    with boot("qemu_stm32f405") as board:
        board.send(board.command(Opcode.BENCH, b"\x10"))
        board.send(bytes(20_000) + board.command(Opcode.INFO))
        assert board.reply().opcode == Opcode.BENCH | REPLY_BIT
        reply = board.reply()
        assert (reply.opcode, reply.request) == (Opcode.INFO | REPLY_BIT, board.request)


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
