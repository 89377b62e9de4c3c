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
    max_flips,
)
from wire import bch
from wire.frame import HEADER_BYTES, MAX_CHUNKS, MODELS, SEQUENCES, SYNC_MAX_FLIPS, FrameType, Header
from wire.model import Model

# The codes alone give one of 2^24 headers or 2^34 answers. To win, it must be nearer than the nearest candidate by this
# many flips.
CODE_MIN_LEAD = 6


class HeaderDecoder:
    """Decoder of header blocks for a set of models and the devices heard so far.

    The next header of a known device is one of a few, and its next answer one of some hundred. Sync and header together
    are therefore compared with each of these candidates (a maximum likelihood decision for independent flips). The
    limit is the number of flips at which noise rarely matches: for headers 18 of 96 with one known device, 16 with
    fifty, at most 12 of them in the header. A new device is found by the codes alone: up to 6 flips in the sync word,
    and 7 in the header or 5 in the answer.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self._models: dict[int, list[Model]] = defaultdict(list)
        for model in models:
            self._models[model.model_bits].append(model)
        self._answers = AnswerDecoder(models)
        self._exact: dict[bytes, Header] = {}  # every header of every known device
        self._windows: dict[tuple[int, int], np.ndarray] = {}  # device, model bits -> codewords (32, K) by the newest
        self._next: dict[tuple[int, int], np.ndarray] = {}  # those that can be sent next
        self._expected = bch.HEADER.codewords([])
        self._candidates: np.ndarray | None = None
        self._sizes: dict[int, np.ndarray] = {}

    def add_device(self, device: int, model_bits: int, sequence: int) -> None:
        """Make a device known, or update it. `sequence` is that of its newest frame of this model."""
        key = device, model_bits
        if key not in self._windows:
            chunks = max(len(model.chunks) for model in self._models[model_bits])
            headers = [
                Header(FrameType.FEATURE, device, s, model_bits, c) for s in range(SEQUENCES) for c in range(chunks)
            ]
            self._exact.update((header.encode(), header) for header in headers)
            codewords = bch.HEADER.codewords([header.word() for header in headers]).reshape(SEQUENCES, chunks)
            self._windows[key] = codewords[WINDOWS].reshape(SEQUENCES, -1)
        self._next[key] = self._windows[key][sequence]
        self._candidates = None
        self._answers.add_device(device, model_bits, sequence)

    def expect(self, headers: Iterable[Header]) -> None:
        """Add the headers of the answers to a pending command to the candidates, until the next call."""
        expected = list(headers)
        self._answers.expect(header for header in expected if header.type == FrameType.ANSWER)
        self._expected = bch.HEADER.codewords([header.word() for header in expected if header.type != FrameType.ANSWER])
        self._candidates = None

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

    def decode(self, block: bytes, sync_flips: int) -> Match | None:
        """Decode the 8 bytes after a sync word. Returns a plausible header, one of an unknown model, or None."""
        known = self._exact.get(block)
        if known:
            return Match(known, 0, ((SYNC_BITS, KNOWN_SYNC_MAX_FLIPS), (HEADER_BITS, bch.HEADER.max_errors)))
        candidates = self._all()
        bits = SYNC_BITS + HEADER_BITS
        limit = max_flips(bits, len(candidates), FALSE_PER_BYTE)
        near = _nearest(block, candidates, min(KNOWN_HEADER_MAX_FLIPS, limit - sync_flips), ((bits, limit),))
        near = _nearer(near, self._answers.decode(block, sync_flips))
        if sync_flips > SYNC_MAX_FLIPS or _is_settled(near):
            return near
        by_code = self._by_code(block, ((SYNC_BITS, SYNC_MAX_FLIPS), (bch.N_BITS, bch.HEADER.max_errors)), near)
        return _nearer_by_code(near, _nearer(by_code, self._answers.decode_by_code(block, sync_flips)))

    def decode_packet(self, block: bytes, size: int) -> Match | None:
        """Decode the first 8 bytes of a radio packet of `size` bytes, which has no sync word.

        A header of the type of replies is that of a status frame, of any device.
        """
        if size == HEADER_BYTES:
            near = self._answers.decode(block)
            return near if _is_settled(near) else _nearer_by_code(near, self._answers.decode_by_code(block))
        candidates, fits = self._all(), self._fits(size)
        candidates = candidates[fits[candidates >> np.uint64(HEADER_BITS - bch.HEADER.word_bits) & np.uint64(0x1FF)]]
        limit = min(KNOWN_HEADER_MAX_FLIPS, max_flips(HEADER_BITS, len(candidates), FALSE_PER_PACKET))
        near = _nearest(block, candidates, limit, ((HEADER_BITS, limit),))
        match = _nearer_by_code(near, self._by_code(block, ((bch.N_BITS, bch.HEADER.max_errors),), near))
        if match is None or match.header.type == FrameType.REPLY:
            return match
        if match.header.type != FrameType.FEATURE:
            return None
        accepted = self.has_unknown_model(match.header) or fits[match.header.model << 4 | match.header.chunk]
        return match if accepted else None

    def _fits(self, size: int) -> np.ndarray:
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

    def _all(self) -> np.ndarray:
        """Return the codewords of all headers that can be sent next, (K,) uint64."""
        if self._candidates is None:
            candidates = np.concatenate([self._expected, *self._next.values()])
            self._candidates = np.unique(candidates) if self._expected.size else candidates
        return self._candidates


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
