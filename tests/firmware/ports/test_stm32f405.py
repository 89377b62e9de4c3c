"""The bare STM32F405 port: its receive buffer, and errors of its emulator."""

from pathlib import Path

import pytest

from firmware.tools import emulator
from tests.firmware.ports.bare_programs import ask, build_with
from tests.support.firmware import boot, program
from wire.control import REPLY_BIT, Opcode

pytestmark = pytest.mark.emulated


def test_full_receive_buffer_blocks_the_line_and_reports_losses(tmp_path: Path) -> None:
    """Tested on simulated registers: an emulated line waits and never loses a byte."""
    with emulator.qemu(build_with("qemu_stm32f405", "ring_app.c", tmp_path)) as url:
        assert ask(url, b"R") == b"0\n"


def test_flood_while_encoding_loses_nothing_on_a_line_that_waits() -> None:
    """More bytes than the receive buffer holds, while it is not read; QEMU's line has no data rate."""
    with boot("qemu_stm32f405") as board:
        board.send(board.command(Opcode.BENCH, b"\x10"))
        board.send(bytes(20_000) + board.command(Opcode.INFO))
        assert board.reply().opcode == Opcode.BENCH | REPLY_BIT
        reply = board.reply()
        assert (reply.opcode, reply.request) == (Opcode.INFO | REPLY_BIT, board.request)


def test_qemu_reports_missing_firmware_dead_board_and_missing_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
