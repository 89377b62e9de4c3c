"""A board's line on which commands are sealed, if the board has a key; and the command KEY."""

from collections.abc import Callable
from typing import TypeVar

from host.board.command_line import ATTEMPTS, CommandLine, unpack
from host.board.errors import RECEIVE_ERRORS, BoardError, GarbledReplyError
from host.board.known_counters import check_counter
from host.board.sealing import Sealer, keys_of, lost_key, other_key
from host.errors import HostError
from host.keys.key_file import taken_path
from host.keys.taken import FAILED, RECEIVED, TakenImages
from host.receive.secured.devices import key_mark
from wire.control import ErrorCode, Info, Opcode
from wire.replies.key_state import KeyState
from wire.secure.keys import Keys

Result = TypeVar("Result")

# Errors of a sealed RUN or CAPTURE that leave its counter unused, or after which a board sends no more images.
NOT_EXECUTED = (*RECEIVE_ERRORS, ErrorCode.UNKNOWN_COMMAND, ErrorCode.NOT_AUTHENTIC, ErrorCode.MEMORY)


class SealedLine(CommandLine):
    """A command line that seals commands with the board's key in the key file, if it has one."""

    not_stored = ""  # the reason for which the last counter that was used up could not be stored
    _sealer: Sealer | None = None
    _is_plain = False  # the key file has no key of this board

    def require_device(self) -> int:
        """Return the board's number, which its replies give."""
        if self.device is None:
            self._ask(Opcode.INFO, b"", self._timeout, Info.FORMAT.size)
        assert self.device is not None
        return self.device

    def key_state(self) -> KeyState:
        """Return whether the board has a key, and its counter. The command is sent up to three times."""
        return unpack(KeyState, self._ask(Opcode.KEY, b"", self._timeout, KeyState.FORMAT.size).data)

    def has_key(self, key: bytes, counter: int) -> bool:
        """Return True if the board executes a command that is sealed with this device key of 16 bytes.

        counter: of the board's next image, as `key_state` gives it.
        """
        sealer = Sealer(Keys.derive(key), self.require_device(), counter)
        try:
            self._ask(Opcode.KEY, b"", self._timeout, KeyState.FORMAT.size, sealer)
        except BoardError as error:
            if error.code in (ErrorCode.NOT_AUTHENTIC, ErrorCode.UNKNOWN_COMMAND):  # the latter: it has no key
                return False
            raise
        return True

    def set_key(self, key: bytes, old: bytes | None, counter: int) -> None:
        """Send a device key of 16 bytes, sealed with the old one if the board has one.

        It is sent up to three times. If this raises DeviceError, the board may have the new key: see `has_key`.
        """
        sealer = None if old is None else Sealer(Keys.derive(old), self.require_device(), counter)
        self._ask(Opcode.KEY, key, self._timeout, KeyState.FORMAT.size, sealer)

    def _sealed(self, send: Callable[[Sealer | None], Result]) -> Result:
        """Return the result of `send`, which sends a command, sealed if it is given a sealer.

        It is called again if the board's counter has moved: then the board has not executed the command. Raises
        KeyMismatchError if the board's key and the key file do not agree.
        """
        sealer = self._find_sealer()
        for attempt in range(ATTEMPTS):
            try:
                return send(sealer)
            except BoardError as error:
                if error.code != ErrorCode.NOT_AUTHENTIC:
                    raise
                if sealer and sealer.corrects(error) and attempt < ATTEMPTS - 1:
                    continue
                if self.keys is None:
                    raise
                raise other_key(self.keys, self.device) from None
        raise AssertionError("the last attempt returns or raises")

    def _find_sealer(self) -> Sealer | None:
        """Return what seals commands for this board; None if the key file has no key of it."""
        if self._sealer or self._is_plain or self.keys is None or not self.keys.devices:
            return self._sealer
        try:
            device = self.require_device()
        except GarbledReplyError:  # a noisy line; plain frames of devices with a key are refused all the same
            return None
        keys = keys_of(self.keys, device)
        self._is_plain = keys is None
        if keys:
            state = self.key_state()
            if not state.has_key:
                raise lost_key(self.keys, device)
            check_counter(self.keys, device, keys, state.counter)
            self._sealer = Sealer(keys, device, state.counter)
        return self._sealer

    def _send_for_image(self, send: Callable[[Sealer | None], Result]) -> Result:
        """Return the result of `send`, which sends RUN or CAPTURE, as `_sealed` does."""
        return self._sealed(lambda sealer: self._send_once(send, sealer))

    def _send_once(self, send: Callable[[Sealer | None], Result], sealer: Sealer | None) -> Result:
        try:
            return send(sealer)
        except BoardError as error:
            if sealer and error.code not in NOT_EXECUTED:  # it failed, and has used up the counter
                self._take(sealer.counter, FAILED)
                sealer.use(is_certain=False)
            raise

    def _take(self, counter: int, kind: str = RECEIVED) -> None:
        """Store that a command used up this counter, so that `inkling receive` does not count an image as lost."""
        assert self._sealer and self.keys
        self.not_stored = ""
        try:
            taken = TakenImages(taken_path(self.keys.path))
            taken.add(self._sealer.device, key_mark(self._sealer.keys), counter, kind)
        except (HostError, OSError) as error:
            self.not_stored = f"inkling receive will count images of device {self.device} as lost: {error}"
