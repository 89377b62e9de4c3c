"""The STM32F405 in labwired, which models its clock control and USART in more detail than QEMU."""

import struct
import subprocess
import sys

import numpy as np
import pytest

from firmware.tools.labwired_board import Simulation
from tests.support import ROOT
from tests.support.firmware import boot, program
from wire.control import Opcode, command
from wire.crc import crc32
from wire.payload import interleave

NUMBERS = 0x080C0000  # first record of the log: firmware/ports/stm32f405/flash.c
NEXT_PAGE = 0x080E0000
MARK = 0x494E4B31
KEYED_MARK, KEY_MARK, REST_MARK = 0xB6B1B4CE, 0x4B455931, 0xB4BAA6CE
KEY = bytes(range(0xA0, 0xB0))
MAX_SLICES = 10_000


@pytest.mark.emulated
@pytest.mark.slow
def test_stm32f405_in_labwired_encodes_a_golden_image() -> None:
    """Built with portable kernels: labwired 0.25 lacks the DSP instructions that CMSIS-NN uses."""
    with boot("sim_stm32f405") as board:
        info = board.info()
        assert (info.target, info.model_number) == ("sim_stm32f405", board.bundle.number)
        assert info.clock_hz == 168_000_000  # labwired's PLL locks; QEMU has no PLL
        stored = np.load(board.bundle.golden_path)
        frame, cost = board.run(stored["images"][0].tobytes())
    assert frame[12:-2] == interleave(stored["payload"][0].tobytes(), board.bundle.chunk_bits(0))
    assert 0 < cost.encode_cycles < cost.total_cycles


@pytest.mark.emulated
@pytest.mark.slow
def test_stm32f405_in_labwired_writes_its_counters_into_flash() -> None:
    """The first boot and the first block, by the chip's flash controller, which QEMU lacks."""
    board = Simulation("stm32f405", str(program("sim_stm32f405")))
    for _ in range(MAX_SLICES):
        board.advance(b"")
        if board.read_u32(NUMBERS + 12) == MARK:
            break
    words = [board.read_u32(NUMBERS + offset) for offset in (0, 4, 8, 12)]
    assert words == [112, 1, crc32(struct.pack(">2I", 112, 1)), MARK]


@pytest.mark.emulated
@pytest.mark.slow
def test_stm32f405_in_labwired_writes_its_key_into_flash() -> None:
    """Into the other page, before two equal records that put it into effect."""
    board = Simulation("stm32f405", str(program("sim_stm32f405")))
    for _ in range(MAX_SLICES):
        board.advance(b"")
        if board.read_u32(NUMBERS + 12) == MARK:
            break
    board.advance(command(Opcode.KEY, 7, KEY))
    for _ in range(MAX_SLICES):
        board.advance(b"")
        if board.read_u32(NEXT_PAGE + 60) == KEYED_MARK:
            break
    words = [board.read_u32(NEXT_PAGE + 4 * index) for index in range(16)]
    record = [224, 1, crc32(struct.pack(">2I", 224, 1)), KEYED_MARK]
    first, last = struct.unpack("<3I", KEY[:12]), struct.unpack("<I", KEY[12:])
    assert words == [*first, KEY_MARK, *last, crc32(KEY), 0, REST_MARK, *record, *record]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "arguments are CHIP ELF PORT"),
        (("esp99", "x.elf", "5000"), "CHIP is esp32c3 or stm32f405"),
        (("esp32c3", "x.elf", "port"), "PORT 0..65535"),
        (("esp32c3", "none.elf", "5000"), "labwired: "),
    ],
)
def test_labwired_board_reports_wrong_arguments_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    command = [sys.executable, "-m", "firmware.tools.labwired_board", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("inkling: ") and message in done.stderr and done.stderr.count("\n") == 1
