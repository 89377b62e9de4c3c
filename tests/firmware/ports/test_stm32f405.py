"""What only the bare STM32F405 port has: its receive buffer, and how its emulator fails."""

from pathlib import Path

import pytest

from firmware.tools import emulator
from tests.firmware.ports.bare_ports import ask, build_with
from tests.support.firmware import boot, program
from wire.control import REPLY_BIT, Opcode


def test_full_receive_buffer_holds_the_line_back_and_tells_what_was_lost(tmp_path: Path) -> None:
    """On registers that the test sets: an emulated line waits, and never loses a byte."""
    with emulator.qemu(build_with("qemu_stm32f405", "ring_app.c", tmp_path)) as url:
        assert ask(url, b"R") == b"0\n"


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
