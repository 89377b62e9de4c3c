"""Limits within which received bits match a header or an answer that a device can send."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from wire import bch
from wire.answer import Answer
from wire.frame import HEADER_BYTES, SEQUENCES, SYNC, Header
from wire.model import Model
from wire.secure.frames import SecuredDevice

SYNC_BITS = 8 * len(SYNC)
HEADER_BITS = 8 * HEADER_BYTES  # 63 of the code and the 0 bit after them, which is known too
# A known device is recognised after up to AHEAD - 1 lost frames in a row, and in frames up to BEHIND late. Each further
# candidate is one more header that noise can be mistaken for.
AHEAD, BEHIND = 8, 2
WINDOWS = (np.arange(SEQUENCES)[:, None] + np.arange(-BEHIND, AHEAD + 1)) % SEQUENCES  # by the newest sequence number
# For frames of known devices: flips allowed in the sync word and in the header. `bch.max_flips` limits their sum.
KNOWN_SYNC_MAX_FLIPS, KNOWN_HEADER_MAX_FLIPS = 9, 12
# The second nearest candidate must be this many flips farther. Most misread headers are near-ties: at a bit error rate
# of 0.1, each additional flip is nine times less likely.
MIN_LEAD = 4
# Within so many flips, no other codeword is nearly as near: those of answers differ in 11 bits, those of headers in 15.
CLEAR_FLIPS = (2 * bch.ANSWER.max_errors + 1 - MIN_LEAD) // 2
# Beside established devices, so many others have candidates: those heard last. The rest are found by the codes alone.
MAX_NEWCOMERS = 32
# Rate at which noise passes for a header, and for an answer: per random byte on a line, per foreign packet of a radio
# whose length fits. Few foreign packets have the 8 bytes of an answer.
FALSE_PER_BYTE, FALSE_PER_PACKET, FALSE_ANSWER_PER_PACKET = 2e-8, 1e-4, 1e-3


DeviceKey = tuple[int, int]  # device, model bits


class Proof(NamedTuple):
    """What an authentic header tag proves: the board, its model and the counter of the image."""

    board: SecuredDevice
    model: Model
    counter: int
    tag_flips: int  # of TAG_BITS
    answer: Answer | None  # of an answer frame: class and level as sent, encrypted


class Match(NamedTuple):
    """A decoded header, its flipped bits, and the tests that it passed: (number of bits, flips allowed in them)."""

    header: Header
    flips: int  # of HEADER_BITS
    passed: tuple[tuple[int, int], ...]
    answers: np.ndarray | None = None  # (answers,) uint8, of an answer frame: the flips if each of them was sent
    proof: Proof | None = None  # of a secured frame

    @property
    def is_clear(self) -> bool:
        """True if no other header or answer is nearly as near."""
        return self.flips <= CLEAR_FLIPS


def merged(windows: np.ndarray, newest: Sequence[int]) -> np.ndarray:
    """Return the codewords (K,) that can be sent after one of these sequence numbers, by windows (32, K)."""
    return windows[newest[0]] if len(newest) == 1 else np.unique(windows[list(newest)])


def device_keys(heard: Iterable[DeviceKey], established: Collection[DeviceKey], which: bool) -> list[DeviceKey]:
    """Return the devices that have candidates, of all in the order in which they were heard.

    which: the established ones, or the others.
    """
    keys = [key for key in heard if (key in established) == which]
    return keys if which or not established else keys[-MAX_NEWCOMERS:]
