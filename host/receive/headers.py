"""Decoder of received header blocks: by the BCH codes alone, or as the nearest block that known devices can send."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from host.receive.answers import AnswerDecoder
from host.receive.matching import (
    FALSE_PER_BYTE,
    FALSE_PER_PACKET,
    HEADER_BITS,
    KNOWN_HEADER_MAX_FLIPS,
    KNOWN_SYNC_MAX_FLIPS,
    MIN_LEAD,
    SYNC_BITS,
    WINDOWS,
    Match,
    device_keys,
    merged,
)
from wire import bch
from wire.frame import HEADER_BYTES, MAX_CHUNKS, MODELS, SEQUENCES, SYNC_MAX_FLIPS, FrameType, Header
from wire.model import Model

# The codes alone give one of 2^24 headers or 2^34 answers. To win, it must be nearer than the nearest candidate by this
# many flips. So must a candidate of a device that is not established.
CODE_MIN_LEAD = 6


class HeaderDecoder:
    """Decoder of header blocks for a set of models and the devices heard so far.

    The next header of a known device is one of a few, and its next answer one of some hundred. Sync and header together
    are therefore compared with each of these candidates (a maximum likelihood decision for independent flips). The
    limit is the number of flips at which noise rarely matches: for headers 18 of 96 with one known device, 16 with
    fifty, at most 12 of them in the header. A new device is found by the codes alone: up to 6 flips in the sync word,
    and 7 in the header or 5 in the answer.

    The candidates of established devices come first, with a limit of their own. Those of MAX_NEWCOMERS others must be
    as clearly nearer as a match by the codes alone, so that forged device numbers cost the established devices no
    frames and little time.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self._models: dict[int, list[Model]] = defaultdict(list)
        for model in models:
            self._models[model.model_bits].append(model)
        self.answers = AnswerDecoder(models)
        self._exact: dict[bytes, Header] = {}  # every header of every known device
        self._blocks: dict[tuple[int, int], list[bytes]] = {}  # device, model bits -> those of one device
        self._windows: dict[tuple[int, int], np.ndarray] = {}  # device, model bits -> codewords (32, K) by the newest
        self._next: dict[tuple[int, int], np.ndarray] = {}  # those that can be sent next
        self._established: set[tuple[int, int]] = set()
        self._expected = bch.HEADER.codewords([])
        self._is_expecting = False
        self._candidates: dict[bool, np.ndarray] = {}  # of the established devices, of the others
        self._sizes: dict[int, np.ndarray] = {}

    def add_device(self, device: int, model_bits: int, newest: Sequence[int], established: bool = False) -> None:
        """Make a device known, or update it.

        newest: the sequence number of its newest frame of this model; two if it may have begun anew.
        """
        key = device, model_bits
        if key not in self._windows:
            chunks = max(len(model.chunks) for model in self._models[model_bits])
            headers = [
                Header(FrameType.FEATURE, device, s, model_bits, c) for s in range(SEQUENCES) for c in range(chunks)
            ]
            self._blocks[key] = [header.encode() for header in headers]
            self._exact.update(zip(self._blocks[key], headers, strict=True))
            codewords = bch.HEADER.codewords([header.word() for header in headers]).reshape(SEQUENCES, -1)
            self._windows[key] = codewords[WINDOWS].reshape(SEQUENCES, -1)
        self._next.pop(key, None)  # the device heard last is the last one
        self._next[key] = merged(self._windows[key], newest)
        self._candidates.pop(established, None)
        if established != (key in self._established):
            self._candidates.clear()
            (self._established.add if established else self._established.discard)(key)
        self.answers.add_device(device, model_bits, newest, established)

    def remove_device(self, device: int, model_bits: int) -> None:
        """Forget a device."""
        key = device, model_bits
        if self._windows.pop(key, None) is not None:
            del self._next[key]
            self._established.discard(key)
            self._candidates.clear()
            for block in self._blocks.pop(key):
                del self._exact[block]
        self.answers.remove_device(device, model_bits)

    def expect(self, headers: Iterable[Header]) -> None:
        """Add the headers of the answers to a pending command to the candidates, until the next call."""
        expected = list(headers)
        self._is_expecting = bool(expected)
        self.answers.expect(header for header in expected if header.type == FrameType.ANSWER)
        self._expected = bch.HEADER.codewords([header.word() for header in expected if header.type != FrameType.ANSWER])
        self._candidates.clear()

    def models(self, header: Header) -> list[Model]:
        """Return the models that a header may mean: those with its model bits that have its chunk or send answers."""
        models = self._models.get(header.model, [])
        if header.type == FrameType.ANSWER:
            return [model for model in models if model.class_count]
        return [model for model in models if header.chunk < len(model.chunks)]

    def is_plausible(self, header: Header) -> bool:
        """Return True if a board could have sent this header to this host."""
        if header.type == FrameType.REPLY:
            return header.chunk == 0
        return header.type in (FrameType.FEATURE, FrameType.ANSWER) and bool(self.models(header))

    def has_unknown_model(self, header: Header) -> bool:
        """Return True if this is the header of a feature or answer frame of an unknown model."""
        return header.type in (FrameType.FEATURE, FrameType.ANSWER) and header.model not in self._models

    def exact(self, packet: bytes) -> Match | None:
        """Return the header of a radio packet if it is, bit by bit, one that a known device sends in this size."""
        header = self._exact.get(packet[:HEADER_BYTES])
        if header is None or not self.fits(len(packet))[header.model << 4 | header.chunk]:
            return None
        return Match(header, 0, ((HEADER_BITS, bch.HEADER.max_errors),))

    def decode(self, block: bytes, sync_flips: int) -> Match | None:
        """Decode the 8 bytes after a sync word. Returns a plausible header, one of an unknown model, or None."""
        known = self._exact.get(block)
        if known:
            return Match(known, 0, ((SYNC_BITS, KNOWN_SYNC_MAX_FLIPS), (HEADER_BITS, bch.HEADER.max_errors)))
        near = None
        for established in self.ranks():
            if not _is_settled(near):
                near = _nearer_by_code(near, self._near(block, sync_flips, established))
        if sync_flips > SYNC_MAX_FLIPS or _is_settled(near):
            return near
        by_code = self._by_code(block, ((SYNC_BITS, SYNC_MAX_FLIPS), (bch.N_BITS, bch.HEADER.max_errors)), near)
        return _nearer_by_code(near, _nearer(by_code, self.answers.decode_by_code(block, sync_flips)))

    def decode_packet(self, block: bytes, size: int) -> Match | None:
        """Decode the first 8 bytes of a radio packet of `size` bytes, which has no sync word.

        A header of the type of replies is that of a status frame, of any device.
        """
        if size == HEADER_BYTES:
            near = None
            for established in self.ranks():
                if not _is_settled(near):
                    near = _nearer_by_code(near, self.answers.decode(block, established=established))
            return near if _is_settled(near) else _nearer_by_code(near, self.answers.decode_by_code(block))
        fits, compared, near = self.fits(size), 0, None
        for established in self.ranks():
            if not _is_settled(near):
                candidates = self.next_of(established)
                last_fields = candidates >> np.uint64(HEADER_BITS - bch.HEADER.word_bits) & np.uint64(0x1FF)
                candidates = candidates[fits[last_fields]]
                compared += len(candidates)
                limit = min(KNOWN_HEADER_MAX_FLIPS, bch.max_flips(HEADER_BITS, compared, FALSE_PER_PACKET))
                near = _nearer_by_code(near, _nearest(block, candidates, limit, ((HEADER_BITS, limit),)))
        match = _nearer_by_code(near, self._by_code(block, ((bch.N_BITS, bch.HEADER.max_errors),), near))
        if match is None or match.header.type == FrameType.REPLY:
            return match
        if match.header.type != FrameType.FEATURE:
            return None
        accepted = self.has_unknown_model(match.header) or fits[match.header.model << 4 | match.header.chunk]
        return match if accepted else None

    def fits(self, size: int) -> np.ndarray:
        """Return if frames with these last fields of a header, model and chunk, are of this size: (512,) bool."""
        if size not in self._sizes:
            self._sizes[size] = fits = np.zeros(MODELS * MAX_CHUNKS, bool)
            for model_bits, models in self._models.items():
                for model in models:
                    for chunk in range(len(model.chunks)):
                        fits[model_bits << 4 | chunk] |= model.chunk_layout(chunk).size == size
        return self._sizes[size]

    def _by_code(self, block: bytes, passed: tuple[tuple[int, int], ...], near: Match | None) -> Match | None:
        """Return the header by the code alone; None if it is implausible, or cannot be nearer than `near`."""
        # Codewords differ in 15 bits: within 7 there is no other.
        decoded = None if near and near.flips <= bch.HEADER.max_errors else bch.HEADER.decode(block)
        if decoded is None:
            return None
        header = Header.from_word(decoded[0])
        if header.type == FrameType.ANSWER or not (self.is_plausible(header) or self.has_unknown_model(header)):
            return None
        return Match(header, decoded[1] + (block[-1] & 1), passed)

    def ranks(self) -> tuple[bool, ...]:
        """Return the order of the search: established devices and answers to a command, if there are any; others."""
        return (True, False) if self._established or self._is_expecting else (False,)

    def _near(self, block: bytes, sync_flips: int, established: bool) -> Match | None:
        """Return the nearest header or answer that the established devices can send next, or the others."""
        candidates = self.next_of(established)
        compared = len(candidates) if established else len(candidates) + len(self.next_of(True))
        bits = SYNC_BITS + HEADER_BITS
        limit = bch.max_flips(bits, compared, FALSE_PER_BYTE)
        near = _nearest(block, candidates, min(KNOWN_HEADER_MAX_FLIPS, limit - sync_flips), ((bits, limit),))
        return _nearer(near, self.answers.decode(block, sync_flips, established))

    def next_of(self, established: bool) -> np.ndarray:
        """Return the codewords (K,) uint64 of all headers that established devices can send next, or the others.

        The answers to a pending command count as those of an established device.
        """
        if established not in self._candidates:
            parts = [self._next[key] for key in device_keys(self._next, self._established, established)]
            if established and self._expected.size:
                self._candidates[True] = np.unique(np.concatenate([self._expected, *parts]))
            else:
                self._candidates[established] = np.concatenate(parts) if parts else bch.HEADER.codewords([])
        return self._candidates[established]


def _nearest(block: bytes, candidates: np.ndarray, limit: int, passed: tuple[tuple[int, int], ...]) -> Match | None:
    """Return the candidate nearest to the block; None beyond the limit, or if another is nearly as near."""
    if not candidates.size or limit < 0:
        return None
    distances = bch.distances(block, candidates)
    best = int(distances.argmin())
    flips = int(distances[best])
    if flips > limit or np.count_nonzero(distances < flips + MIN_LEAD) > 1:
        return None
    return Match(_header(int(candidates[best]) >> (HEADER_BITS - bch.HEADER.word_bits)), flips, passed)


_header = lru_cache(maxsize=1024)(Header.from_word)  # few headers come again and again


def _nearer(header: Match | None, answer: Match | None) -> Match | None:
    """Return the nearer one. An answer must be clearly nearer than a header: of answers, there are far more."""
    if header is None or answer is None:
        return header or answer
    if header.flips <= answer.flips:
        return header
    return answer if answer.flips + MIN_LEAD <= header.flips else None


def _is_settled(near: Match | None) -> bool:
    """Return True if no match by the codes alone can be clearly nearer. Most frames are: it saves the slower search."""
    return near is not None and near.flips < CODE_MIN_LEAD


def _nearer_by_code(near: Match | None, by_code: Match | None) -> Match | None:
    """Return the match by the codes alone if it is clearly nearer to the block than `near`, else `near`."""
    if by_code is None or (near and near.flips < by_code.flips + CODE_MIN_LEAD):
        return near
    return by_code
