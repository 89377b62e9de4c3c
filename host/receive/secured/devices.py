"""Devices that hold a key, and what was accepted of each: counters, images that copies may follow, status frames."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from host.keys.policy import DevicePolicy
from host.receive.matching import AHEAD, BEHIND
from host.receive.secured.candidates import Board
from wire.control import Control
from wire.frame import SEQUENCES
from wire.replies.status import Status
from wire.secure.keys import COUNTERS, Keys
from wire.secure.status import open_status

# Counters after the last accepted one that are searched after a silence.
WINDOW = 1 << 16
# Copies, late frames and further chunks of an image are accepted for so long after its first frame.
COPIES_S = 30.0
NO_COUNTER = -1


class Refusal(StrEnum):
    """Reasons for which a frame is refused."""

    NOT_AUTHENTIC = "not authentic"  # damaged, from a board without the key, or forged
    REPLAY = "replay"  # authentic, but of an image that no frame is awaited of, or an old status
    DAMAGED = "damaged"  # its payload is damaged or forged, and only undamaged ones are accepted
    CONTRADICTION = "contradiction"  # damaged, and unlike the other frames of its image
    REVOKED = "revoked"  # the device may not send any more
    NO_KEY = "no key"  # only frames of devices with a key are accepted


class Accepted(NamedTuple):
    """What a host has to remember of a device, so that it accepts nothing twice. It belongs to one key."""

    key_mark: str  # names the key and says nothing about it
    counter: int  # the largest accepted one; NO_COUNTER before the first
    boots: int = 0  # of the last status frame
    uptime_s: int = -1  # of the last status frame; -1 before the first


def key_mark(keys: Keys) -> str:
    """Return 16 hex digits that differ for different keys, and tell nothing about them."""
    return keys.tag(b"inkling state")[:8].hex()


@dataclass
class KeyedDevice:
    """A device that holds a key, with one board for each model that it may run."""

    policy: DevicePolicy
    boards: list[Board]  # none if the key is revoked
    counter: int = NO_COUNTER  # the largest accepted one
    reported: int = NO_COUNTER  # a counter that a board reported without proof: it is searched, too
    status: tuple[int, int] = (0, -1)  # boots and uptime in seconds, of the last status frame
    mark: str = field(init=False)  # `key_mark` of the key; empty for a revoked device
    _images: dict[int, float] = field(default_factory=dict)  # counter -> time of the first frame, of the latest images

    def __post_init__(self) -> None:
        self.mark = key_mark(self.policy.keys) if self.policy.keys else ""

    @property
    def known_counter(self) -> int | None:
        """The largest accepted counter; None before the first."""
        return None if self.counter == NO_COUNTER else self.counter

    @property
    def accepted(self) -> Accepted | None:
        """What has to be remembered; None for a revoked device, of which nothing is accepted."""
        return Accepted(self.mark, self.counter, *self.status) if self.mark else None

    def restore(self, accepted: Accepted) -> None:
        """Go on after what an earlier run accepted, unless it was with another key."""
        if self.mark and accepted.key_mark == self.mark:
            self.counter, self.status = accepted.counter, (accepted.boots, accepted.uptime_s)

    def next_counters(self) -> list[int]:
        """Return the counters of the frames that can come next, and of late ones."""
        near = {*range(max(0, self.counter - BEHIND), self.counter + AHEAD + 1)}
        if self.reported > self.counter:
            near |= {*range(self.reported, self.reported + AHEAD)}
        return sorted(counter for counter in near if counter < COUNTERS)

    def window(self, sequence: int) -> np.ndarray:
        """Return the counters (K,) int64 with this sequence number, of the WINDOW ones after the last accepted one.

        Before the first, they begin with the one that the board reported.
        """
        first = max(self.reported, 0) if self.counter == NO_COUNTER else self.counter + 1
        return np.arange(first + (sequence - first) % SEQUENCES, min(first + WINDOW, COUNTERS), SEQUENCES)

    def is_replay(self, counter: int, now: float) -> bool:
        """Return True if an image is not newer than the last one, and further frames of it are not awaited."""
        return counter <= self.counter and now - self._images.get(counter, -np.inf) > COPIES_S

    def accept(self, counter: int, now: float) -> None:
        """Accept a frame with this counter, which is no replay."""
        self._images.setdefault(counter, now)
        self.counter = max(self.counter, counter)
        for old in [one for one in self._images if one < self.counter - BEHIND]:
            del self._images[old]

    def open_status(self, control: Control) -> Status | Refusal:
        """Return the status in a control frame and accept it, or the reason for which it is refused."""
        keys, bits = self.policy.keys, control.header.model
        if keys is None:
            return Refusal.REVOKED
        numbers = [board.model.number for board in self.boards if board.model.model_bits == bits]
        opened = [status for number in numbers if (status := open_status(keys, control, number))]
        if not opened:
            return Refusal.NOT_AUTHENTIC
        newer = opened[0].boots, opened[0].uptime_s
        if newer <= self.status:
            return Refusal.REPLAY
        self.status = newer
        self.counter = max(self.counter, opened[0].counter - 1)
        return opened[0]
