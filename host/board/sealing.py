"""Sealing of commands for a board with a key: with which key, and for which counter."""

from host.board.errors import BoardError, DeviceError, KeyMismatchError
from host.keys.key_file import KeyFile
from wire.control import ErrorCode
from wire.secure.commands import sealed_command
from wire.secure.keys import Keys

# A board's counter grows by one per image and by up to a block per restart. A seal for a counter far ahead could be
# kept by an attacker, who can forge the reports of counters, and would be valid later.
MAX_AHEAD = 1 << 16


class Sealer:
    """Seals commands for one board. `counter`: that of its next image, as far as is known."""

    def __init__(self, keys: Keys, device: int, counter: int) -> None:
        self.keys = keys
        self.device = device
        self.counter = counter
        self._lowest = counter  # that its next image can have

    def command(self, opcode: int, request: int, data: bytes) -> bytes:
        """Return a sealed command frame."""
        return sealed_command(self.keys, self.device, self.counter, opcode, request, data)

    def corrects(self, error: BoardError) -> bool:
        """Take the counter for which the board demands a seal; return False if the error has another reason.

        The report is not authentic. Raises DeviceError if it is below the known counters, or more than MAX_AHEAD above.
        """
        reported = error.next_counter
        if error.code != ErrorCode.NOT_AUTHENTIC or reported is None or reported == self.counter:
            return False
        if not self._lowest <= reported <= self._lowest + MAX_AHEAD:
            raise DeviceError(
                f"device {self.device} reports counter {reported} after {self._lowest}, to which no board jumps: "
                "another board has its number, or somebody forges replies; nothing was sealed for it"
            )
        self.counter = self._lowest = reported
        return True

    def use(self, is_certain: bool = True) -> None:
        """Note that the board has executed a RUN or CAPTURE, whose image has used up the counter.

        is_certain: false if its answer was too damaged to tell. The board then corrects a wrong guess.
        """
        self.counter += 1
        if is_certain:
            self._lowest = self.counter


def keys_of(file: KeyFile, device: int) -> Keys | None:
    """Return the keys of a device from a key file; None if it has none of it. Raises KeyMismatchError if revoked."""
    stored = file.devices.get(device)
    if stored is not None and stored.revoked:
        raise KeyMismatchError(
            f"device {device} is revoked in {file.path}: give it a new key (inkling keys rotate), or erase its flash "
            "(see docs/security.md)"
        )
    return stored.policy.keys if stored else None


def lost_key(file: KeyFile, device: int) -> KeyMismatchError:
    """Return the error for a board without a key, of which the file has one."""
    return KeyMismatchError(
        f"device {device} has no key, but {file.path} has one of it: it has lost it, or is another board with this "
        "number; give it a new one (inkling keys add)"
    )


def other_key(file: KeyFile, device: int | None) -> KeyMismatchError:
    """Return the error for a board with a key that is not in the file, or not the current one in the file."""
    stored = None if device is None else file.devices.get(device)
    who = "the board" if device is None else f"device {device}"
    if stored and stored.pending:
        return KeyMismatchError(
            f"{who} refuses its key in {file.path}, a change of which was interrupted: finish it (inkling keys "
            f"{'rotate' if stored.current else 'add'})"
        )
    which = "another key" if stored else "no key"
    return KeyMismatchError(
        f"{who} has a key, and {file.path} has {which} of it: name the right key file with --keys (see inkling keys "
        "list), or erase the board's flash (see docs/security.md)"
    )
