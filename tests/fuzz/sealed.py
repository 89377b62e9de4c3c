"""Frames of the receiver's fuzzer that are made with device keys, and the record of what the holders of keys made."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from host.keys.policy import Auth, DevicePolicy
from tests.host.secured import KEYS, OTHER_KEYS, SecuredBoard, make_status
from tests.support.host import answer_of, symbols_of
from wire.answer import Answer
from wire.bundle import Bundle
from wire.frame import SYNC
from wire.replies.status import Status
from wire.secure.frames import TAGGED_HEADER_BYTES
from wire.secure.keys import COUNTERS

# Beside the plain devices of the script: one may send damaged payloads, one may not, and the key of one is revoked.
POLICIES = {1: DevicePolicy(KEYS), 2: DevicePolicy(KEYS, Auth.FULL), 3: DevicePolicy(None)}
KEYED = (*POLICIES, 1)
# Where images are counted from: the first ones, after a silence, beyond the window of a search, and the last ones.
FIRST_COUNTERS = (0, 0, 0, 16, 256, 60_000, 200_000, COUNTERS - 256)
TAGGED = len(SYNC) + TAGGED_HEADER_BYTES


@dataclass(frozen=True)
class Sealed:
    """A secured feature or answer frame. The chunk of an answer frame is that after the last one of its bundle."""

    bundle: Bundle
    device: int
    counter: int
    chunk: int
    authentic: bool  # made with the device's key
    frame: bytes

    @property
    def is_answer(self) -> bool:
        """True for an answer frame."""
        return self.chunk == len(self.bundle.chunks)

    @property
    def image(self) -> tuple[int, str, int]:
        """Device, model_id and counter."""
        return self.device, self.bundle.model_id, self.counter


@dataclass
class Made:
    """What the holders of keys have sent so far. Whatever else a host takes for authentic is forged."""

    frames: dict[tuple[int, str, int], set[int]] = field(default_factory=dict)  # chunks by image
    statuses: set[tuple[int, Status]] = field(default_factory=set)  # and their devices

    def add(self, sealed: Sealed) -> None:
        """Record a frame, if it is made with the device's key."""
        if sealed.authentic:
            self.frames.setdefault(sealed.image, set()).add(sealed.chunk)


def symbols_sent(bundle: Bundle, device: int, counter: int) -> np.ndarray:
    """Return the symbols (S,) of an image. All chunks are parts of them."""
    return symbols_of(bundle, counter, device)


def answer_sent(bundle: Bundle, device: int, counter: int) -> Answer:
    """Return the board's answer to an image."""
    return answer_of(bundle, counter, device)


@cache
def seal(bundle: Bundle, device: int, counter: int, chunk: int, authentic: bool) -> Sealed:
    """Return the frame of an image's chunk, made with the device's key or with another one."""
    sender = SecuredBoard(bundle, device, KEYS if authentic else OTHER_KEYS).sender
    authentic = authentic and POLICIES[device].keys is not None
    if chunk == len(bundle.chunks):
        frame = sender.answer_frame(counter, answer_sent(bundle, device, counter))
        return Sealed(bundle, device, counter, chunk, authentic, frame)
    answer = answer_sent(bundle, device, counter) if bundle.answer else None
    symbols = symbols_sent(bundle, device, counter)[bundle.chunk_slice(chunk)]
    frame = sender.feature_frame(counter, chunk, bundle.payload(symbols, answer), bundle.chunk_bits(chunk))
    return Sealed(bundle, device, counter, chunk, authentic, frame)


def seal_status(
    bundle: Bundle, device: int, counter: int, uptime_s: int, boots: int, authentic: bool
) -> tuple[Status, bytes]:
    """Return a status and its frame, made with the device's key or with another one."""
    board = SecuredBoard(bundle, device, KEYS if authentic else OTHER_KEYS)
    return make_status(counter, uptime_s, boots), board.status(counter, uptime_s, boots)
