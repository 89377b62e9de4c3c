"""Search for secured frames: among those that devices with a key can send next, and in a wide window of counters.

Anybody can send a header, so headers only choose the candidates. Whether a frame is authentic, its tag alone decides:
the more candidates have a header near the received one, the fewer of its bits may be flipped (`wire.secure.limits`).
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from host.keys.policy import DevicePolicy
from host.receive.matching import HEADER_BITS, KNOWN_HEADER_MAX_FLIPS, KNOWN_SYNC_MAX_FLIPS, SYNC_BITS, Match, Proof
from host.receive.secured.candidates import Board, Candidate, NextFrames
from host.receive.secured.devices import KeyedDevice
from wire import bch
from wire.answer import CONFIDENCES, Answer
from wire.frame import HEADER_BYTES, SYNC_MAX_FLIPS, AnswerHeader, FrameType, Header
from wire.model import Model
from wire.secure.frames import TAGGED_HEADER_BYTES, SecuredDevice, SecuredLayout
from wire.secure.limits import TAG_BITS, WINDOW_RATE, max_tag_flips

# Tags of wide searches that are kept: up to 16 kB each.
MAX_WINDOWS = 256
# Wide searches for one device: so many at once, and per second on average.
BURST, PER_S = 256, 64

Tests = tuple[tuple[int, int], ...]  # as in a Match


class Tag(Protocol):
    """A received header tag: by how much it differs from others, and how much random bits may."""

    def costs(self, tags: np.ndarray) -> np.ndarray:
        """Return by how much it differs from each of the tags (K,) uint64."""

    def limit(self, candidates: int, rate: float) -> float:
        """Return the largest difference at which no more than this share of forged frames is accepted."""


class HardTag:
    """The header tag of one frame, which differs from others in a number of bits."""

    def __init__(self, block: bytes) -> None:
        self._tag = block[HEADER_BYTES:TAGGED_HEADER_BYTES]

    def costs(self, tags: np.ndarray) -> np.ndarray:
        """Return in how many bits (K,) it differs from each of the tags (K,) uint64."""
        return bch.distances(self._tag, tags)

    def limit(self, candidates: int, rate: float) -> float:
        """Return the number of flips at which no more than this share of forged frames is accepted."""
        return max_tag_flips(candidates, rate)


class SecuredSearch:
    """Search for the frames of devices with a key, which `devices` holds by their numbers.

    Header and tag are compared with those of the frames that can come next. If a header is none of these, but names a
    device with a key, its tag is compared with those of a window of 65,536 counters after the last accepted one. That
    takes 0.3 ms at first, so each device has a budget of such searches. Forged headers use it up, which costs nothing
    to the frames that can come next.
    """

    def __init__(
        self, models: Sequence[Model], policies: Mapping[int, DevicePolicy], clock: Callable[[], float]
    ) -> None:
        boards: list[Board] = []
        self.devices: dict[int, KeyedDevice] = {}
        for number, policy in policies.items():
            senders = [(SecuredDevice(policy.keys, number, m.number, m.class_count), m) for m in models if policy.keys]
            own = [Board(position, *sender) for position, sender in enumerate(senders, len(boards))]
            self.devices[number] = KeyedDevice(policy, own)
            boards += own
        self._models = models
        self.next = NextFrames(boards)
        self._clock = clock
        self._budgets = {number: Budget() for number in self.devices}
        self._windows: OrderedDict[tuple[int, int, int, int], np.ndarray] = OrderedDict()
        for number in self.devices:
            self.changed(number)

    def changed(self, device: int) -> None:
        """Expect other frames of a device than before: something was accepted of it."""
        for board in self.devices[device].boards:
            self.next.expect(board.position, self.devices[device].next_counters())

    def decode(self, block: bytes, sync_flips: int | None = None, size: int | None = None) -> Match | None:
        """Decode the first 16 bytes of a frame, or fewer if no more were received.

        sync_flips: flips in the sync word before them; None for a radio packet, whose `size` in bytes is then given.
        Returns a match with a proof if the frame is authentic, a match without one if its header names a device with a
        key, and None for anything else.
        """
        near = self._nearest(block, sync_flips, size) if len(block) >= TAGGED_HEADER_BYTES else None
        if near or (sync_flips is not None and sync_flips > SYNC_MAX_FLIPS):
            return near
        return self._by_code(block, sync_flips, size)

    def _nearest(self, block: bytes, sync_flips: int | None, size: int | None) -> Match | None:
        """Return the authentic one among the frames that can come next."""
        candidates = [*self.next.near(block[:HEADER_BYTES], size)]
        if not candidates:
            return None
        limit, received = max_tag_flips(len(candidates)), tag_of(block)
        flips, at = min(((one.tag ^ received).bit_count(), i) for i, one in enumerate(candidates))
        if flips > limit:
            return None
        tests: Tests = ((HEADER_BITS, KNOWN_HEADER_MAX_FLIPS), (TAG_BITS, limit))
        if sync_flips is not None:
            tests = ((SYNC_BITS, KNOWN_SYNC_MAX_FLIPS), *tests)
        return self.authentic(block, candidates[at], flips, tests)

    def _by_code(self, block: bytes, sync_flips: int | None, size: int | None) -> Match | None:
        """Return a match if the header, corrected by its code alone, names a device with a key."""
        named = _by_header_code(block) or _by_answer_code(block)
        if named is None or named[0].device not in self.devices:
            return None
        header, answer, flips = named
        if not any(_fits(model, header, answer, size) for model in self._models):
            return None
        most = bch.HEADER.max_errors if answer is None else bch.ANSWER.max_errors
        tests: Tests = ((bch.N_BITS, most),)
        if sync_flips is not None:
            tests = ((SYNC_BITS, SYNC_MAX_FLIPS), *tests)
        flips += block[HEADER_BYTES - 1] & 1
        if len(block) >= TAGGED_HEADER_BYTES:
            boards = self.boards_of(header, answer, size)
            if found := self.in_window(boards, header, answer, HardTag(block)):
                candidate, limit = found
                candidate = candidate._replace(header_flips=flips)
                return self.authentic(
                    block, candidate, (candidate.tag ^ tag_of(block)).bit_count(), (*tests, (TAG_BITS, int(limit)))
                )
        return Match(header, flips, tests)

    def boards_of(self, header: Header, answer: Answer | None, size: int | None) -> list[Board]:
        """Return the boards with a key that can send this header, encrypted answer and size in a secured frame."""
        boards = self.devices[header.device].boards if header.device in self.devices else []
        return [board for board in boards if _fits(board.model, header, answer, size, secured=True)]

    def in_window(
        self, boards: Sequence[Board], header: Header, answer: Answer | None, tag: Tag
    ) -> tuple[Candidate, float] | None:
        """Return the authentic frame of a device in its window of counters, and the largest cost allowed of its tag."""
        device = self.devices[header.device]
        counters = device.window(header.sequence)
        limit = tag.limit(len(boards) * len(counters), WINDOW_RATE)
        if not len(boards) * len(counters) or not self._budgets[header.device].spend(self._clock()):
            return None
        for board in boards:
            tags = self._window_tags(board.sender, counters, header, answer)
            costs = tag.costs(tags)
            best = int(costs.argmin())
            if costs[best] <= limit:
                return Candidate(board, int(counters[best]), header, 0, int(tags[best]), answer), limit
        return None

    def _window_tags(
        self, sender: SecuredDevice, counters: np.ndarray, header: Header, answer: Answer | None
    ) -> np.ndarray:
        """Return the tags (K,) uint64 of a frame at each counter. Those of features are kept for the next search."""
        if answer is not None:
            return sender.answer_tags(counters, np.full(len(counters), answer.index * CONFIDENCES + answer.confidence))
        key = sender.device, sender.model_number, header.chunk, int(counters[0])
        tags = self._windows.pop(key, None)
        if tags is None:
            tags = sender.feature_tags(counters, [header.chunk])
        self._windows[key] = tags
        if len(self._windows) > MAX_WINDOWS:
            self._windows.popitem(last=False)
        return tags

    def authentic(self, block: bytes, found: Candidate, tag_flips: int, tests: Tests) -> Match:
        """Return the match of an authentic frame. The flips of an answer are those of plain answers."""
        proof = Proof(found.board.sender, found.board.model, found.counter, tag_flips, found.answer)
        if found.answer is None:
            return Match(found.header, found.header_flips, tests, None, proof)
        flips = self.next.answer_flips(block[:HEADER_BYTES], found)
        # The tags of other answers are random: half of their bits differ.
        others, own = TAG_BITS // 2, found.answer.index * CONFIDENCES + found.answer.confidence
        flips = flips + np.uint8(others)
        flips[own] -= others - tag_flips
        plain = found.board.sender.decrypt_answers(found.counter, flips)
        return Match(found.header, found.header_flips, tests, plain, proof)


class Budget:
    """Budget of wide searches: BURST at once, PER_S per second on average (a token bucket)."""

    def __init__(self) -> None:
        self._left, self._time = float(BURST), 0.0

    def spend(self, now: float) -> bool:
        """Count a search at a time in seconds, earlier ones too. Returns False if it exceeds the budget."""
        passed = max(0.0, now - self._time)
        self._left, self._time = min(float(BURST), self._left + PER_S * passed), self._time + passed
        allowed = self._left >= 1
        self._left -= allowed
        return allowed


def _by_header_code(block: bytes) -> tuple[Header, None, int] | None:
    """Return the header of a feature frame by its code, and the number of flips."""
    decoded = bch.HEADER.decode(block[:HEADER_BYTES])
    if decoded is None:
        return None
    header = Header.from_word(decoded[0])
    return (header, None, decoded[1]) if header.type == FrameType.FEATURE else None


def _by_answer_code(block: bytes) -> tuple[Header, Answer, int] | None:
    """Return the header of an answer frame by its code, its encrypted answer, and the number of flips."""
    decoded = AnswerHeader.decode(block[:HEADER_BYTES])
    if decoded is None:
        return None
    sent, flips = decoded
    return Header(FrameType.ANSWER, sent.device, sent.sequence, sent.model, 0), sent.answer, flips


def _fits(model: Model, header: Header, answer: Answer | None, size: int | None, secured: bool = False) -> bool:
    """Return True if a board can send this header with this model, in a packet of this size, in a plain frame or not.

    secured: only in a secured frame.
    """
    if header.model != model.model_bits:
        return False
    if answer is not None:
        possible, sizes = answer.index < model.class_count, (TAGGED_HEADER_BYTES, HEADER_BYTES)
    elif possible := header.chunk < len(model.chunks):
        sizes = SecuredLayout(model.chunk_bits(header.chunk)).size, model.chunk_layout(header.chunk).size
    return possible and (size is None or size in sizes[: 1 if secured else 2])


def tag_of(block: bytes) -> int:
    """Return the header tag among the first bytes of a secured frame."""
    return int.from_bytes(block[HEADER_BYTES:TAGGED_HEADER_BYTES], "big")
