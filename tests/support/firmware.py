"""Emulated boards for tests: built once per test run, used over their serial port as a host uses them."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import serial

from firmware.tools import core_dir, emulator
from firmware.tools.build import build
from wire import control
from wire.answer import Answer
from wire.bundle import Bundle, load
from wire.control import Control, ErrorCode, ErrorReply, Info, ModeSetting, Opcode, RunCost
from wire.frame import HEADER_BYTES, SYNC, AnswerHeader, FrameType, Header
from wire.secure.status import SECURED_STATUS

TARGETS = ("native", "qemu_stm32f405", "qemu_rv32imc")
SANITIZED = "-g -fsanitize=address,undefined -fno-sanitize-recover=all"
REPLY_SECONDS = 240.0  # limit of the wait for a reply, also on a loaded machine
MAX_RESENT = 5  # commands of one board; more is a fault of the firmware, not load
SIMULATOR_REPLY_SECONDS = 600.0  # labwired takes 10 seconds per image on an idle machine
ANSWER_BYTES = len(SYNC) + HEADER_BYTES
REPLY_START_BYTES = ANSWER_BYTES + 4  # up to the request number
ERROR_BYTES = len(control.reply(Opcode.ERROR, 0, bytes(2), 0, 0))  # fewer than a feature frame has
STATUS_OPCODES = (Opcode.STATUS | control.REPLY_BIT, SECURED_STATUS)
BUILDS = core_dir.ROOT / ".pio" / "tests"


def bundle_path() -> Path:
    """Return the bundle that is built in: INKLING_BUNDLE or the default one."""
    return Path(os.environ.get("INKLING_BUNDLE") or core_dir.ROOT / "bundles" / "cifar10")


@contextmanager
def build_lock(name: str = "build") -> Iterator[None]:
    """Let one process at a time build in the folder called `name`; "build" is .pio/build."""
    core_dir.prepare()
    BUILDS.mkdir(parents=True, exist_ok=True)
    with (BUILDS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def program(environment: str, flags: str = "") -> Path:
    """Return the program of an environment of platformio.ini, built by the first worker that needs it.

    A build with additional compiler flags has its own folder.
    """
    name = f"{environment}-{hashlib.sha256(flags.encode()).hexdigest()[:12]}" if flags else environment
    folder = BUILDS / name if flags else None
    with build_lock(name if flags else "build"):
        run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID")
        record = BUILDS / f"{name}.built"  # the test run that built it last, and the program
        if run_id and record.is_file():
            built_by, _, path = record.read_text().partition(" ")
            if built_by == run_id and Path(path).is_file():
                return Path(path)
        elf = build(environment, build_dir=folder, flags=flags)
        record.write_text(f"{run_id} {elf}")
        return elf


class RunningBoard:
    """The host's end of a serial line to a board.

    A whole command that times out is sent again: on a loaded machine, an emulator may pause for longer than that.
    """

    def __init__(self, url: str, reply_seconds: float = REPLY_SECONDS, *, bundle: Bundle | None = None) -> None:
        self.line = serial.serial_for_url(url, timeout=reply_seconds)
        self.bundle = bundle or load(bundle_path())
        self.request = 0
        self._command = self._sent = b""  # the last command, and the last bytes sent
        self._resent = 0
        self.status: Control | None = None  # the last status frame skipped

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()

    def send(self, data: bytes) -> None:
        self.line.write(data)
        self._sent = data

    def command(self, opcode: int, data: bytes = b"", device: int = 255) -> bytes:
        """Return the bytes of a command with the next request number."""
        self.request = (self.request + 1) % 256
        self._command = control.command(opcode, self.request, data, device)
        return self._command

    def read(self, count: int) -> bytes:
        data = self.line.read(count)
        assert len(data) == count, f"board sent {len(data)} of {count} bytes: {data.hex()}"
        return data

    def frame(self, count: int) -> bytes:
        """Read at least `count` first bytes of the next frame. A status frame before it is skipped."""
        start = self.read(ANSWER_BYTES)
        while _is_reply(start):
            start += self.read(REPLY_START_BYTES - len(start))
            if start[-2] not in STATUS_OPCODES:
                break
            self.status = self._control(start)
            start = self.read(ANSWER_BYTES)
        return start + self.read(max(0, count - len(start)))

    def reply(self) -> Control:
        """Return the next reply, which must be intact. Status frames before it are skipped."""
        while True:
            reply = self._control(self.frame(REPLY_START_BYTES))
            if not self._timed_out(reply):
                return reply
            self._resend()

    def next_status(self) -> Control:
        """Return the next frame, which must be a status frame."""
        control_frame = self._control(self.read(REPLY_START_BYTES))
        assert control_frame.opcode in STATUS_OPCODES
        return control_frame

    def _control(self, start: bytes) -> Control:
        """Return the control frame that begins with these bytes, which must be intact."""
        assert start[: len(SYNC)] == SYNC
        size = control.control_size(start[len(SYNC) :])
        assert size is not None
        parsed = control.parse_control(start[len(SYNC) :] + self.read(len(SYNC) + size - len(start)))
        assert parsed is not None
        return parsed

    def _timed_out(self, reply: Control) -> bool:
        return (
            self._sent == self._command
            and reply.opcode == Opcode.ERROR
            and ErrorReply.unpack(reply.data).code == ErrorCode.TIMEOUT
        )

    def _resend(self) -> None:
        self._resent += 1
        assert self._resent <= MAX_RESENT, "the board gives up on whole commands"
        self.send(self._command)

    def error(self) -> tuple[int, int, int]:
        """Return code, opcode and request of the next reply, which must be an ERROR."""
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
        """Send an image; return the whole feature frame and its cost."""
        self.send(self.command(Opcode.RUN, control.run_data(chunk, pixels, wants_cost=True)))
        start = self.frame(ERROR_BYTES)
        while (error := control.parse_control(start[len(SYNC) :])) and self._timed_out(error):
            self._resend()
            start = self.frame(ERROR_BYTES)
        frame = start + self.read(self.bundle.chunk_layout(chunk).serial_size - len(start))
        reply = self.reply()
        assert (reply.opcode, reply.request) == (Opcode.RUN | control.REPLY_BIT, self.request)
        return frame, RunCost.unpack(reply.data)

    def mode(self, mode: int | None = None, threshold: int = 0) -> ModeSetting:
        """Set the mode, or only ask for it, and return the board's."""
        data = b"" if mode is None else ModeSetting(mode, threshold).pack()
        self.send(self.command(Opcode.MODE, data))
        reply = self.reply()
        assert (reply.opcode, reply.request) == (Opcode.MODE | control.REPLY_BIT, self.request)
        return ModeSetting.unpack(reply.data)

    def run_by_mode(self, pixels: bytes, chunk: int = 0) -> bytes:
        """Send an image; return the whole frame that the board's mode has it send: features or an answer."""
        self.send(self.command(Opcode.RUN, control.run_data(chunk, pixels, by_mode=True)))
        while True:
            start = self.frame(ANSWER_BYTES)
            if AnswerHeader.decode(start[len(SYNC) : ANSWER_BYTES]):
                return start
            start += self.read(ERROR_BYTES - len(start))
            error = control.parse_control(start[len(SYNC) :])
            if not error or not self._timed_out(error):
                return start + self.read(self.bundle.chunk_layout(chunk).serial_size - len(start))
            self._resend()

    def golden_answer(self, n: int) -> Answer | None:
        """Return the board's answer to a golden image; None if the bundle has no answer head."""
        if self.bundle.answer is None:
            return None
        index, confidence = np.load(self.bundle.golden_path)["answers"][n]
        return Answer(int(index), int(confidence))

    def golden_frame(self, n: int, chunk: int = 0, *, sync: bool = True) -> bytes:
        """Return the feature frame with which device 1 replies to the last command, for a golden image."""
        symbols = np.load(self.bundle.golden_path)["symbols"][n][self.bundle.chunk_slice(chunk)]
        answer = self.golden_answer(n)
        return self.bundle.frame(symbols, 1, self.request % 32, chunk, answer=answer, sync=sync)

    def is_silent(self) -> bool:
        """Return True if the board has sent nothing since its last reply: the next thing it sends answers INFO."""
        self.send(self.command(Opcode.INFO))
        reply = self.reply()
        return (reply.opcode, reply.request) == (Opcode.INFO | control.REPLY_BIT, self.request)


def _is_reply(start: bytes) -> bool:
    """Return True if sync and header, undamaged, are those of a reply."""
    header = Header.from_word(int.from_bytes(start[len(SYNC) :][:3], "big"))
    return header.type == FrameType.REPLY and header.encode() == start[len(SYNC) :][:HEADER_BYTES]


def start(target: str, elf: Path, *, count_instructions: bool = False) -> AbstractContextManager[str]:
    """Return a context manager that runs any firmware of a target and yields the URL of its serial line.

    Raises ValueError for a target that has no emulator.
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
    """Build and start a target; yield the host's end of its serial line."""
    patience = SIMULATOR_REPLY_SECONDS if target in emulator.CHIPS else REPLY_SECONDS
    with (
        start(target, program(target), count_instructions=count_instructions) as url,
        RunningBoard(url, patience) as board,
    ):
        yield board
