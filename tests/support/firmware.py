"""Emulated boards for tests: built once, spoken to over their serial port as a host would."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

import serial

from firmware.tools import core_dir, emulator
from firmware.tools.build import build
from wire import bundle, control
from wire.control import Control, ErrorReply, Info, Opcode, RunCost
from wire.frame import SYNC, FeatureLayout

TARGETS = ("native", "qemu_stm32f405", "qemu_rv32imc")
REPLY_SECONDS = 20.0  # a loaded machine runs QEMU slowly
SIMULATOR_REPLY_SECONDS = 240.0  # labwired takes some 10 seconds for a picture, on a machine that does nothing else


def bundle_path() -> Path:
    """The bundle that is built in: INKLING_BUNDLE, or the one that ships."""
    return Path(os.environ.get("INKLING_BUNDLE") or core_dir.ROOT / "bundles" / "cifar10")


@contextmanager
def build_lock() -> Iterator[None]:
    """Workers of one test run, and test runs beside it, take turns at building."""
    core_dir.prepare()
    with (core_dir.CORE_DIR / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def program(environment: str) -> Path:
    """The built firmware of an environment of platformio.ini."""
    with build_lock():
        return build(environment)


class RunningBoard:
    """One end of a serial line with a board on the other."""

    def __init__(self, url: str, reply_seconds: float = REPLY_SECONDS) -> None:
        self.line = serial.serial_for_url(url, timeout=reply_seconds)
        self.reply_seconds = reply_seconds
        self.bundle = bundle.load(bundle_path())
        self.request = 0

    def send(self, data: bytes) -> None:
        self.line.write(data)

    def command(self, opcode: int, data: bytes = b"", device: int = 255) -> bytes:
        """A command's bytes, with the next request number."""
        self.request = (self.request + 1) % 256
        return control.command(opcode, self.request, data, device)

    def read(self, count: int) -> bytes:
        data = self.line.read(count)
        assert len(data) == count, f"board sent {len(data)} of {count} bytes: {data.hex()}"
        return data

    def reply(self) -> Control:
        """The next reply, whole and right."""
        assert self.read(len(SYNC)) == SYNC
        start = self.read(12)
        size = control.control_size(start)
        assert size is not None
        reply = control.parse_control(start + self.read(size - len(start)))
        assert reply is not None
        return reply

    def error(self) -> tuple[int, int, int]:
        """The next reply must be ERROR: (code, opcode that failed, request)."""
        reply = self.reply()
        assert reply.opcode == Opcode.ERROR
        error = ErrorReply.unpack(reply.data)
        return error.code, error.opcode, reply.request

    def info(self) -> Info:
        self.send(self.command(Opcode.INFO))
        reply = self.reply()
        assert (reply.opcode, reply.request) == (Opcode.INFO | control.REPLY_BIT, self.request)
        return Info.unpack(reply.data)

    def run(self, pixels: bytes, chunk: int = 0) -> tuple[bytes, RunCost]:
        """Sends an image; returns the whole feature frame and what it cost."""
        self.send(self.command(Opcode.RUN, control.run_data(chunk, pixels, wants_cost=True)))
        frame = self.read(FeatureLayout(self.bundle.chunk_bits(chunk)).serial_size)
        reply = self.reply()
        assert (reply.opcode, reply.request) == (Opcode.RUN | control.REPLY_BIT, self.request)
        return frame, RunCost.unpack(reply.data)

    def silent(self, seconds: float = 0.5) -> bool:
        """Whether the board says nothing for that long."""
        self.line.timeout = seconds
        said = self.line.read(1)
        self.line.timeout = self.reply_seconds
        return said == b""


def start(target: str, elf: Path, *, count_instructions: bool = False) -> AbstractContextManager[str]:
    """The emulator of a target with any firmware for it; its context is the URL of the board's line.

    ValueError for a target that has no emulator.
    """
    if target in emulator.MACHINES:
        return emulator.qemu(elf, target, count_instructions=count_instructions)
    if target in emulator.CHIPS:
        return emulator.labwired(elf, target)
    if target != "native":
        raise ValueError(f"no emulator for {target}")
    return emulator.native(elf)


@contextmanager
def boot(target: str, *, count_instructions: bool = False) -> Iterator[RunningBoard]:
    """Builds and starts a target; yields the line to it."""
    with start(target, program(target), count_instructions=count_instructions) as url:
        board = RunningBoard(url, SIMULATOR_REPLY_SECONDS if target in emulator.CHIPS else REPLY_SECONDS)
        try:
            yield board
        finally:
            board.line.close()
