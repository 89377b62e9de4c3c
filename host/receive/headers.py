"""Decoder of received header blocks: by the BCH code alone, or as the nearest header that known devices can send."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import comb
from typing import NamedTuple

import numpy as np

from wire import bch
from wire.frame import HEADER_BYTES, SEQUENCES, SYNC, SYNC_MAX_FLIPS, FrameType, Header
from wire.model import Model

SYNC_BITS = 8 * len(SYNC)
HEADER_BITS = 8 * HEADER_BYTES  # 63 of the code and the 0 bit after them, which is known too
# A known device is recognised after up to AHEAD - 1 lost frames in a row, and in frames up to BEHIND late. Each further
# candidate is one more header that noise can be mistaken for.
AHEAD, BEHIND = 8, 2
# For frames of known devices: flips allowed in the sync word and in the header. The limit of their sum is `max_flips`.
KNOWN_SYNC_MAX_FLIPS, KNOWN_HEADER_MAX_FLIPS = 9, 12
# The second nearest candidate must be this many flips farther. Most misread headers are near-ties: at a bit error rate
# of 0.1, each additional flip is nine times less likely.
MIN_LEAD = 4
# The code alone gives one of 2^24 headers. To win, it must be nearer than the nearest candidate by this many flips.
CODE_MIN_LEAD = 6
# Rate at which noise passes for a candidate: per random byte on a line, per foreign packet of a radio.
FALSE_PER_BYTE, FALSE_PER_PACKET = 2e-8, 1e-4


class Match(NamedTuple):
    """A decoded header, its flipped bits, and the tests that it passed: (number of bits, flips allowed in them)."""

    header: Header
    flips: int  # of HEADER_BITS
    passed: tuple[tuple[int, int], ...]


@lru_cache(maxsize=1024)
def max_flips(bits: int, candidates: int, rate: float) -> int:
    """Return the largest distance at which random bits match one of the candidates at most at `rate`; -1 if none.

    A block of random bits is within d of a given one with probability sum_{i<=d} C(bits, i) / 2^bits.
    """
    allowed, within, most = rate * 2**bits / max(1, candidates), 0, -1
    while (within := within + comb(bits, most + 1)) <= allowed:
        most += 1
    return most


class HeaderDecoder:
    """Decoder of header blocks for a set of models and the devices heard so far.

    The next header of a known device is one of a few. Sync and header together are therefore compared with each of
    these candidates (a maximum likelihood decision for independent flips). The limit is the number of flips at which
    noise rarely matches: 18 of 96 with one known device, 16 with fifty, at most 12 of them in the header. A new device
    is found by the code alone: up to 6 flips in the sync word and 7 in the header.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self._models: dict[int, list[Model]] = defaultdict(list)
        for model in models:
            self._models[model.model_bits].append(model)
        self._exact: dict[bytes, Header] = {}  # every header of every known device
        self._tables: dict[tuple[int, int], np.ndarray] = {}  # device, model bits -> codewords (32, chunks)
        self._next: dict[tuple[int, int], np.ndarray] = {}  # those that can be sent next
        self._expected = bch.codewords([])
        self._candidates: np.ndarray | None = None

    def add_device(self, device: int, model_bits: int, sequence: int) -> None:
        """Make a device known, or update it. `sequence` is that of its newest frame of this model."""
        key = device, model_bits
        if key not in self._tables:
            chunks = max(len(model.chunks) for model in self._models[model_bits])
            headers = [
                Header(FrameType.FEATURE, device, s, model_bits, c) for s in range(SEQUENCES) for c in range(chunks)
            ]
            self._exact.update((header.encode(), header) for header in headers)
            self._tables[key] = bch.codewords([header.word() for header in headers]).reshape(SEQUENCES, chunks)
        window = np.arange(sequence - BEHIND, sequence + AHEAD + 1) % SEQUENCES
        self._next[key] = self._tables[key][window].ravel()
        self._candidates = None

    def expect(self, headers: Iterable[Header]) -> None:
        """Add the answers to a pending command to the candidates, until the next call."""
        self._expected = bch.codewords([header.word() for header in headers])
        self._candidates = None

    def models(self, header: Header) -> list[Model]:
        """Return the models that a feature header may mean: those with its model bits that have its chunk."""
        return [model for model in self._models.get(header.model, []) if header.chunk < len(model.chunks)]

    def is_plausible(self, header: Header) -> bool:
        """Return True if a board could have sent this header to this host."""
        if header.type == FrameType.REPLY:
            return header.chunk == 0
        return header.type == FrameType.FEATURE and bool(self.models(header))

    def has_unknown_model(self, header: Header) -> bool:
        """Return True if this is the header of a feature frame of an unknown model."""
        return header.type == FrameType.FEATURE and header.model not in self._models

    def decode(self, block: bytes, sync_flips: int) -> Match | None:
        """Decode the 8 bytes after a sync word. Returns a plausible header, one of an unknown model, or None."""
        known = self._exact.get(block)
        if known:
            return Match(known, 0, ((SYNC_BITS, KNOWN_SYNC_MAX_FLIPS), (HEADER_BITS, bch.MAX_ERRORS)))
        candidates = self._all()
        bits = SYNC_BITS + HEADER_BITS
        limit = max_flips(bits, len(candidates), FALSE_PER_BYTE)
        near = _nearest(block, candidates, min(KNOWN_HEADER_MAX_FLIPS, limit - sync_flips), ((bits, limit),))
        if sync_flips > SYNC_MAX_FLIPS:
            return near
        return self._or_by_code(block, near, ((SYNC_BITS, SYNC_MAX_FLIPS), (bch.N_BITS, bch.MAX_ERRORS)))

    def decode_packet(self, block: bytes, size: int) -> Match | None:
        """Decode the first 8 bytes of a radio packet of `size` bytes, which has no sync word."""
        candidates = self._all()
        fits = {  # a header's last fields, model and chunk
            model_bits << 4 | chunk
            for model_bits, models in self._models.items()
            for model in models
            for chunk in range(len(model.chunks))
            if model.chunk_layout(chunk).size == size
        }
        last_fields = candidates >> np.uint64(HEADER_BITS - bch.WORD_BITS) & np.uint64(0x1FF)
        candidates = candidates[np.isin(last_fields, [*fits])]
        limit = min(KNOWN_HEADER_MAX_FLIPS, max_flips(HEADER_BITS, len(candidates), FALSE_PER_PACKET))
        near = _nearest(block, candidates, limit, ((HEADER_BITS, limit),))
        match = self._or_by_code(block, near, ((bch.N_BITS, bch.MAX_ERRORS),))
        if match is None or match.header.type != FrameType.FEATURE:
            return None
        accepted = self.has_unknown_model(match.header) or match.header.model << 4 | match.header.chunk in fits
        return match if accepted else None

    def _or_by_code(self, block: bytes, near: Match | None, passed: tuple[tuple[int, int], ...]) -> Match | None:
        """Return the header by the code alone if that is clearly nearer to the block than `near`, else `near`."""
        # Codewords differ in 15 bits: within 7 there is no other.
        decoded = None if near and near.flips <= bch.MAX_ERRORS else bch.decode(block)
        if decoded is None or (near and near.flips < decoded[1] + CODE_MIN_LEAD):
            return near
        header = Header.from_word(decoded[0])
        if not (self.is_plausible(header) or self.has_unknown_model(header)):
            return near
        return Match(header, decoded[1] + (block[-1] & 1), passed)

    def _all(self) -> np.ndarray:
        """Return the codewords of all headers that can be sent next, (K,) uint64."""
        if self._candidates is None:
            self._candidates = np.unique(np.concatenate([self._expected, *self._next.values()]))
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
    return Match(Header.from_word(int(candidates[best]) >> (HEADER_BITS - bch.WORD_BITS)), flips, passed)
