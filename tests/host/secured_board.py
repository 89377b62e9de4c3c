"""Fake board that may have a device key, as docs/SPEC.md describes it: KEY, sealed commands, secured frames."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.support.host import make_info
from wire.answer import Answer
from wire.control import (
    RUN_BY_MODE,
    RUN_BY_RADIO,
    RUN_WANTS_COST,
    SEALED_BIT,
    BenchResult,
    Control,
    ErrorCode,
    Info,
    Mode,
    ModeSetting,
    Opcode,
    RadioReport,
    RunCost,
    reply,
)
from wire.model import Model
from wire.replies.key_state import KeyState, key_flags
from wire.secure.commands import SEAL_BYTES, sealed_command
from wire.secure.frames import SecuredDevice
from wire.secure.keys import KEY_BYTES, Keys

COST = RunCost(1000, 2000, 3000)
ONLY_SEALED = (Opcode.RUN, Opcode.CAPTURE, Opcode.PIXELS)


@dataclass
class SecuredBoard:
    """The board: `answer` is the reply to a command; `received` lists the commands that it got."""

    device: int = 7
    key: bytes | None = None
    permanent: bool = True
    counter: int = 70_000
    model: Model | None = None
    mode: ModeSetting = field(default_factory=lambda: ModeSetting(Mode.FEATURES, 0))
    pixels: bytes = bytes(range(144))
    knows_key: bool = True  # false: older firmware
    received: list[Control] = field(default_factory=list)
    executed: list[Opcode] = field(default_factory=list)
    before: Callable[[Control], bytes | None] = lambda _command: None  # bytes instead of an answer

    def restart(self) -> None:
        """Lose what is not permanent, and skip counters as a board does."""
        if self.permanent:
            self.counter += 112
        else:
            self.key, self.counter = None, 0

    def answer(self, command: Control) -> bytes:
        """Return what the board sends for a command."""
        self.received.append(command)
        replaced = self.before(command)
        if replaced is not None:
            return replaced
        return self.execute(command)

    def execute(self, command: Control) -> bytes:
        """Check the seal of a command, and execute it."""
        opcode, data = command.opcode, command.data
        sealed = bool(opcode & SEALED_BIT)
        if sealed:
            opcode ^= SEALED_BIT
            if self.key is None:
                return self._error(command, ErrorCode.UNKNOWN_COMMAND)
            if len(data) < SEAL_BYTES:
                return self._error(command, ErrorCode.BAD_LENGTH)
            data = data[:-SEAL_BYTES]
            keys = Keys.derive(self.key)
            expected = sealed_command(keys, self.device, self.counter, opcode, command.request, data)
            if not expected.endswith(command.data[-SEAL_BYTES:] + expected[-4:]):
                return self._not_authentic(command)
        elif self.key is not None and (opcode in ONLY_SEALED or (opcode == Opcode.KEY and data)):
            return self._not_authentic(command)
        if opcode == Opcode.KEY and not self.knows_key:
            return self._error(command, ErrorCode.UNKNOWN_COMMAND)
        self.executed.append(Opcode(opcode))
        return self._image(command, data) if opcode in (Opcode.RUN, Opcode.CAPTURE) else self._reply(command, data)

    def _reply(self, command: Control, data: bytes) -> bytes:
        opcode = command.opcode & ~SEALED_BIT
        match opcode:
            case Opcode.INFO:
                return self._replied(command, self.info().pack())
            case Opcode.BENCH:
                return self._replied(command, BenchResult(1, 9, 9, 9, 9).pack())
            case Opcode.KEY:
                if data:
                    assert len(data) == KEY_BYTES
                    self.key = data
                flags = key_flags(self.key is not None, self.key is not None and self.permanent)
                return self._replied(command, KeyState(flags, self.counter).pack())
            case Opcode.PIXELS:
                return self._replied(command, self.pixels)
            case Opcode.MODE:
                self.mode = ModeSetting.unpack(data) if data else self.mode
                return self._replied(command, self.mode.pack())
        raise AssertionError(f"unexpected command {opcode}")

    def info(self) -> Info:
        """Return the board's INFO."""
        if self.model is None:
            return make_info()
        return make_info(model_number=self.model.number, classes=self.model.class_count, mode=self.mode.mode)

    def _image(self, command: Control, data: bytes) -> bytes:
        flags, chunk = data[0], data[1]
        report = b""
        if flags & RUN_BY_RADIO:
            frame, report = b"", RadioReport(0, 61_000, 36_000_000).pack()
        else:
            frame = self.frame(chunk, bool(flags & RUN_BY_MODE) and self.mode.mode == Mode.ANSWER, command.request)
        self.counter += 1
        return frame + (self._replied(command, COST.pack() + report) if flags & RUN_WANTS_COST or report else b"")

    def symbols(self, chunk: int = 0) -> np.ndarray:
        """Return the symbols (count,) that the board sends for an image with its present counter."""
        assert self.model is not None
        rng = np.random.default_rng([self.counter, chunk])
        return rng.integers(0, 1 << self.model.bits_per_symbol, self.model.chunk_symbols(chunk)[1])

    def answer_of_image(self) -> Answer | None:
        """Return the board's answer to an image with its present counter; None without an answer head."""
        assert self.model is not None
        return Answer(self.counter % self.model.class_count, 9) if self.model.answer else None

    def frame(self, chunk: int, is_answer: bool, request: int) -> bytes:
        """Return a secured frame with the present counter; without a key, a plain one for the request."""
        assert self.model is not None
        answer = self.answer_of_image()
        if self.key is None:
            if is_answer:
                assert answer
                return self.model.answer_frame(answer, self.device, request % 32)
            return self.model.frame(self.symbols(chunk), self.device, request % 32, chunk, answer=answer)
        secured = SecuredDevice(Keys.derive(self.key), self.device, self.model.number, self.model.class_count)
        if is_answer:
            assert answer
            return secured.answer_frame(self.counter, answer)
        payload = self.model.payload(self.symbols(chunk), answer)
        return secured.feature_frame(self.counter, chunk, payload, self.model.chunk_bits(chunk))

    def _replied(self, command: Control, data: bytes) -> bytes:
        model_number = self.model.number if self.model else 0
        return reply(command.opcode & ~SEALED_BIT | 0x80, command.request, data, self.device, model_number)

    def _error(self, command: Control, code: ErrorCode, more: bytes = b"") -> bytes:
        return reply(Opcode.ERROR, command.request, bytes((code, command.opcode)) + more, self.device, 0)

    def _not_authentic(self, command: Control) -> bytes:
        return self._error(command, ErrorCode.NOT_AUTHENTIC, self.counter.to_bytes(4, "big"))
