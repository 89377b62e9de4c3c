"""Check of the counter that a board claims, which is not authentic, against those that the host knows."""

from host.board.errors import DeviceError
from host.board.sealing import MAX_AHEAD
from host.keys.key_file import KeyFile, state_path, taken_path
from host.keys.taken import TakenImages
from host.receive.secured.devices import key_mark
from host.receive.senders.state import read_counter
from wire.secure.keys import Keys

NEW_KEY = "give it a new key over its own cable (inkling keys rotate)"


def check_counter(file: KeyFile, device: int, keys: Keys, claimed: int) -> None:
    """Raise DeviceError if a board of the key file cannot come to the counter that it claims for its next image.

    None is before the counter that it had when it got its key, or before those after its authentic frames: in the state
    file beside the key file, and in the file of images taken. With such a state file, none is more than MAX_AHEAD above
    these either; without one, or while a receiving process has it open, how far the board has come is not known. Raises
    HostError if one of these files is damaged.
    """
    mark = key_mark(keys)
    accepted = read_counter(state_path(file.path), device, mark)
    taken = TakenImages(taken_path(file.path)).newest(device, mark)
    lowest = max(file.get(device).likely.counter, *(-1 if one is None else one + 1 for one in (accepted, taken)))
    if claimed < lowest:
        raise DeviceError(
            f"device {device} reports counter {claimed}, but {lowest} was reached with this key: another board has its "
            "number, its memory was set back, or somebody forges replies; nothing was sealed for it. If it is the "
            f"right board, {NEW_KEY}"
        )
    if accepted is not None and claimed > lowest + MAX_AHEAD:
        raise DeviceError(
            f"device {device} reports counter {claimed}, more than {MAX_AHEAD} above {lowest}, the last that is known "
            "to be authentic: somebody may forge replies; nothing was sealed for it. Let inkling receive hear a status "
            f"frame of it first, or {NEW_KEY}"
        )
