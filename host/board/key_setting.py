"""Giving keys to boards, such that a crash at any point loses neither the key of the board nor that of the host."""

import secrets
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from host.board.errors import DeviceError, KeyMismatchError
from host.board.sealed_line import SealedLine
from host.board.sealing import keys_of, other_key
from host.errors import HostError, PortError
from host.keys.key_file import DeviceKeys, KeyFile
from wire.replies.key_state import KeyState
from wire.secure.keys import KEY_BYTES


class Outcome(Enum):
    """What became of a board's key."""

    NEW = "has a new key"
    KEPT = "already has its key"
    FINISHED = "has its key: an interrupted change is finished"
    ROTATED = "has a new key in place of the old one"


class KeyChange(NamedTuple):
    """A board that has a key, which the key file has, too."""

    device: int
    outcome: Outcome
    permanent: bool  # the board keeps it without power


def add_key(board: SealedLine, path: Path) -> KeyChange:
    """Give a board without a key a new one, over its line, and store it in a key file; leave a board that has one.

    A board that lost its key gets another: an old one would meet its counters for the second time. Raises
    KeyMismatchError if the board has a key that the file lacks, or is revoked; DeviceError or PortError if the board
    does not respond. A key that may have reached the board stays in the file, and the next call finishes the change.
    """
    state, file = board.key_state(), KeyFile.load(path, new=True)
    device = board.require_device()
    if not state.has_key:
        return _give(board, path, None, state, Outcome.NEW)
    key = find_key(board, file, state)
    if key is None:
        raise other_key(file, device)
    before = file.get(device)
    is_current = before.current is not None and before.current.key == key
    if is_current:
        keys_of(file, device)  # raises KeyMismatchError if revoked
    with KeyFile.edit(path) as file:
        file.add(device, key, state.is_permanent)
    return KeyChange(device, Outcome.KEPT if is_current else Outcome.FINISHED, state.is_permanent)


def rotate_key(board: SealedLine, path: Path) -> KeyChange:
    """Give a board with a key a new one, sealed with the old one, and store it in the key file.

    Both stay in the file until the board is known to have the new one. Raises as `add_key` does.
    """
    state, file = board.key_state(), KeyFile.load(path, new=True)
    device = board.require_device()
    if not state.has_key:
        raise KeyMismatchError(f"device {device} has no key: give it one (inkling keys add)")
    old = find_key(board, file, state)
    if old is None:
        raise other_key(file, device)
    return _give(board, path, old, state, Outcome.ROTATED)


def find_key(board: SealedLine, file: KeyFile, state: KeyState) -> bytes | None:
    """Return the key of the file that the board has; None if it has another. state: of a board with a key."""
    candidates = file.devices.get(board.require_device(), DeviceKeys()).candidates
    return next((key for key in candidates if board.has_key(key, state.counter)), None)


def _give(board: SealedLine, path: Path, old: bytes | None, state: KeyState, outcome: Outcome) -> KeyChange:
    """Store a new key, send it, check that the board has it, and note that."""
    device, key = board.require_device(), secrets.token_bytes(KEY_BYTES)
    with KeyFile.edit(path) as file:
        file.add_pending(device, key, state.counter)
    failure: HostError = KeyMismatchError(f"device {device} did not take its new key")
    try:
        board.set_key(key, old, state.counter)
    except (DeviceError, PortError) as error:
        failure = error  # a lost reply, or a refused repetition, does not say that the board lacks the key
    try:
        after = board.key_state()
        if not after.has_key or not board.has_key(key, after.counter):
            raise failure
    except (DeviceError, PortError) as error:
        kind = PortError if isinstance(error, PortError) else DeviceError
        raise kind(f"{error}; {path} keeps the new key as pending: the same command finishes the change") from None
    with KeyFile.edit(path) as file:
        file.add(device, key, after.is_permanent)
    return KeyChange(device, outcome, after.is_permanent)
