"""A board with a device key, driven over its line with wire.secure, and the frames that it must send."""

import numpy as np

from tests.support.firmware import RunningBoard
from wire import control
from wire.answer import Answer
from wire.control import REPLY_BIT, Control, ErrorCode, ModeSetting, Opcode, RunCost, run_data
from wire.replies.key_state import KeyState
from wire.secure.commands import next_counter, sealed_command
from wire.secure.frames import SecuredDevice
from wire.secure.keys import Keys

KEY, OTHER_KEY = bytes(range(0xA0, 0xB0)), bytes(range(16))
DEVICE = 1


class KeyedBoard:
    """The host's end of a line to a board, with the key that it has, and the counter of its next image."""

    def __init__(self, board: RunningBoard, device_key: bytes = KEY, device: int = DEVICE, counter: int = 0) -> None:
        self.board, self.counter, self.number = board, counter, device
        self.use(device_key)
        stored = np.load(board.bundle.golden_path)
        self.images = [image.tobytes() for image in stored["images"]]
        self._symbols = stored["symbols"]

    def use(self, device_key: bytes) -> None:
        """Seal and predict with this key from now on."""
        self.keys = Keys.derive(device_key)
        bundle = self.board.bundle
        self.device = SecuredDevice(self.keys, self.number, bundle.number, bundle.class_count)

    def set_key(self, device_key: bytes = KEY, *, sealed: bool = False) -> KeyState:
        """Give the board a key, plain or sealed with the present one, and use it."""
        self.send(Opcode.KEY, device_key, sealed=sealed)
        state = self.key_reply()
        self.use(device_key)
        self.counter = state.counter
        return state

    def key_state(self) -> KeyState:
        self.send(Opcode.KEY, sealed=False)
        return self.key_reply()

    def key_reply(self) -> KeyState:
        return KeyState.unpack(self.reply(Opcode.KEY).data)

    def send(self, opcode: int, data: bytes = b"", *, sealed: bool = True, counter: int | None = None) -> bytes:
        """Send a command, sealed for the next image or for `counter`, and return its bytes."""
        plain = self.board.command(opcode, data, self.number)
        counter = self.counter if counter is None else counter
        seal = sealed_command(self.keys, self.number, counter, opcode, self.board.request, data)
        self.board.send(seal if sealed else plain)
        return seal if sealed else plain

    def reply(self, opcode: int) -> Control:
        """Return the next reply, which must answer the last command."""
        reply = self.board.reply()
        assert (reply.opcode, reply.request) == (opcode | REPLY_BIT, self.board.request), reply
        return reply

    def error(self) -> tuple[int, int]:
        """Return code and opcode of the next reply, which must be an ERROR for the last command."""
        code, opcode, request = self.board.error()
        assert request == self.board.request
        return code, opcode

    def refused(self) -> tuple[int, int]:
        """Return the opcode and the counter of the next reply, which must be NOT_AUTHENTIC."""
        reply = self.board.reply()
        assert (reply.opcode, reply.request, reply.data[0]) == (
            Opcode.ERROR, self.board.request, ErrorCode.NOT_AUTHENTIC,
        )  # fmt: skip
        counter = next_counter(reply.data)
        assert counter is not None
        return reply.data[1], counter

    def run(self, n: int, chunk: int = 0, *, by_mode: bool = False) -> bytes:
        """Send golden image n, sealed; check that the board sends exactly the frame that wire.secure makes for it.

        Returns the frame. By mode, the board must be in a mode that is not adaptive.
        """
        mode = self.mode() if by_mode else 0
        self.send(Opcode.RUN, run_data(chunk, self.images[n], wants_cost=True, by_mode=by_mode))
        expected = self.answer_frame(n) if mode else self.feature_frame(n, chunk)
        assert self.board.frame(len(expected)) == expected
        cost = RunCost.unpack(self.reply(Opcode.RUN).data)
        assert 0 < cost.encode_cycles < cost.total_cycles
        self.counter += 1
        return expected

    def mode(self, mode: int | None = None) -> int:
        """Set the mode, or ask for it, by a plain command."""
        return self.board.mode(mode).mode

    def feature_frame(self, n: int, chunk: int = 0, *, sync: bool = True) -> bytes:
        """Return the secured feature frame of golden image n with the present counter."""
        bundle = self.board.bundle
        symbols = self._symbols[n][bundle.chunk_slice(chunk)]
        payload = bundle.payload(symbols, self.board.golden_answer(n))
        return self.device.feature_frame(self.counter, chunk, payload, bundle.chunk_bits(chunk), sync)

    def answer_frame(self, n: int, *, sync: bool = True) -> bytes:
        """Return the secured answer frame of golden image n with the present counter."""
        answer = self.board.golden_answer(n)
        assert isinstance(answer, Answer)
        return self.device.answer_frame(self.counter, answer, sync)


__all__ = ["DEVICE", "KEY", "OTHER_KEY", "KeyedBoard", "ModeSetting", "control"]
