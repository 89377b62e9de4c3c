"""Replies of the bare ESP32-C3 in labwired, which executes it on register-level models of the chip.

Time-outs are tested on other targets: a second of simulated time takes a minute here.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from firmware.tools import emulator
from firmware.tools.footprint import measure
from host.receive.events import FeatureFrame
from host.receive.stream import StreamReceiver
from tests.firmware.radio.native_radio import load_golden
from tests.support import ROOT
from tests.support.firmware import SIMULATOR_REPLY_SECONDS, RunningBoard, boot, program
from wire.control import ErrorCode, Opcode, run_data
from wire.payload import interleave

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

TARGET = "sim_esp32c3"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with emulator.labwired(program(TARGET), TARGET) as url:
        yield url


@pytest.fixture
def board(url: str) -> Iterator[RunningBoard]:
    with RunningBoard(url, SIMULATOR_REPLY_SECONDS) as board:
        yield board


def golden(board: RunningBoard, number: int) -> tuple[bytes, bytes]:
    """Return a golden image and its payload on the wire."""
    stored = np.load(board.bundle.golden_path)
    payload = interleave(stored["payload"][number].tobytes(), board.bundle.chunk_bits(0))
    return stored["images"][number].tobytes(), payload


def test_info_gives_the_bundle_and_the_build(board: RunningBoard) -> None:
    info = board.info()
    assert (info.target, info.engine) == (TARGET, "aot")
    assert info.model_number == board.bundle.number
    assert info.clock_hz == 160_000_000
    assert info.encoder_ram_bytes == measure(program(TARGET)).encoder_ram_bytes
    assert 0 < info.stack_bytes < 8192


def test_run_encodes_a_golden_image_in_as_many_instructions_as_in_qemu(board: RunningBoard) -> None:
    """Two independent simulators: QEMU counts instructions, labwired counts one cycle per instruction."""
    image, payload = golden(board, 0)
    frame, cost = board.run(image)
    assert frame[12:-2] == payload
    (event,) = StreamReceiver([board.bundle]).feed(frame)
    assert isinstance(event, FeatureFrame)
    np.testing.assert_array_equal(event.symbols, np.load(board.bundle.golden_path)["symbols"][0])
    with boot("qemu_rv32imc", count_instructions=True) as counted:
        instructions = emulator.instructions(counted.run(image)[1].encode_cycles, counted.info().clock_hz)
    assert cost.encode_cycles == pytest.approx(instructions, rel=1e-4)


def test_host_receive_decodes_what_the_board_sends(board: RunningBoard, url: str) -> None:
    """The command is sent on one connection and `receive` opens the next; the board's time stops in between."""
    image, _ = golden(board, 1)
    board.send(board.command(Opcode.RUN, run_data(0, image)))
    board.line.close()
    command = [sys.executable, "-m", "host", "receive", "--port", url, "--bundle", str(board.bundle.path)]
    done = subprocess.run(
        [*command, "--count", "1", "--json", "-"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=SIMULATOR_REPLY_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    reading = json.loads(done.stdout)
    assert reading["crc_ok"] and reading["model_id"] == board.bundle.model_id
    assert reading["index"] == load_golden().indices[1]


def test_invalid_commands_are_refused(board: RunningBoard) -> None:
    board.send(board.command(0x7F))
    assert board.error() == (ErrorCode.UNKNOWN_COMMAND, 0x7F, board.request)
    board.send(board.command(Opcode.BENCH, bytes(2)))
    assert board.error() == (ErrorCode.BAD_LENGTH, Opcode.BENCH, board.request)
    board.send(board.command(Opcode.RUN, bytes((0, 16)) + golden(board, 0)[0]))
    assert board.error() == (ErrorCode.BAD_ARGUMENT, Opcode.RUN, board.request)
    broken = bytearray(board.command(Opcode.INFO))
    broken[-1] ^= 1
    board.send(bytes(range(100)) + bytes(broken) + board.command(Opcode.INFO))
    assert board.error()[0] == ErrorCode.BAD_CRC
    assert board.reply().request == board.request


def test_labwired_reports_missing_firmware_broken_firmware_and_missing_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(emulator.EmulatorError, match="no firmware at"), emulator.labwired(tmp_path / "none.elf"):
        pass
    (tmp_path / "junk.elf").write_bytes(b"not an ELF file")
    with pytest.raises(emulator.EmulatorError, match="labwired: "), emulator.labwired(tmp_path / "junk.elf"):
        pass
    elf = program(TARGET)
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    with pytest.raises(emulator.EmulatorError, match="labwired is not installed"), emulator.labwired(elf):
        pass
