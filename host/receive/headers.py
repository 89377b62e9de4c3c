"""Which header a received block is: by the code alone, or the nearest of those that can come now."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import comb
from typing import NamedTuple

import numpy as np

from wire import bch
from wire.frame import HEADER_BYTES, SYNC, SYNC_MAX_FLIPS, FrameType, Header
from wire.model import Model

SYNC_BITS = 8 * len(SYNC)
HEADER_BITS = 8 * HEADER_BYTES  # 63 of the code and the 0 bit after them, which is known just as well
SEQUENCES = 32
# How many frames in a row may be lost before only the code alone finds a device again, and how late one may come.
# Each candidate more is one more that noise can be taken for.
AHEAD, BEHIND = 8, 2
# With a candidate at hand, a sync word is looked at up to here; what counts is its flips and the header's together.
SYNC_LOOK_FLIPS = 9
# A candidate's own limits: flips in its header, and by how many the runner-up has to be farther. Those that are
# misread are mostly near-ties: at a bit error rate of 0.1, each flip more is nine times less likely.
HEADER_FLIPS, CLEAR_BY = 12, 4
# What the code alone makes of a block is any of 2^24 headers: it has to be nearer than the candidate by this much.
CODE_LEAD = 6
# What noise may be taken for a candidate: once in 5e7 random bytes of a line, once in 1e4 packets that are not ours.
FALSE_A_BYTE, FALSE_A_PACKET = 2e-8, 1e-4


class Match(NamedTuple):
    """A header that was recognised, its flipped bits, and the tests it passed: (bits, most flips among them)."""

    header: Header
    flips: int  # of HEADER_BITS
    passed: tuple[tuple[int, int], ...]


@lru_cache(maxsize=1024)
def most_flips(bits: int, candidates: int, rate: float) -> int:
    """The largest distance at which random bits come near one of the candidates at most that often; -1: none.

    A block of random bits lies within d of a given one with probability sum_{i<=d} C(bits, i) / 2^bits.
    """
    allowed, within, most = rate * 2**bits / max(1, candidates), 0, -1
    while (within := within + comb(bits, most + 1)) <= allowed:
        most += 1
    return most


class Headers:
    """Reads header blocks, knowing which models exist and which devices are about.

    A known device's next header is one of a few, so that sync and header together are compared with each of
    these (a maximum likelihood decision for independent flips), up to as many flips as noise hardly ever
    allows: 18 of 96 with one device about, 16 with fifty, and at most 12 of them in the header. A device that is not
    known yet is acquired by the code alone: up to 6 flips of the sync word and 7 of the header.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self._models: dict[int, list[Model]] = defaultdict(list)
        for model in models:
            self._models[model.model_bits].append(model)
        self._exact: dict[bytes, Header] = {}  # every header of every known device
        self._tables: dict[tuple[int, int], np.ndarray] = {}  # device, model -> codewords (32, chunks)
        self._next: dict[tuple[int, int], np.ndarray] = {}  # of these, the ones that can come now
        self._expected = bch.codewords(np.empty(0))
        self._candidates: np.ndarray | None = None

    def know(self, device: int, model_bits: int, sequence: int) -> None:
        """This device is about, and the newest frame of this model (5 bits) that it has sent has this sequence."""
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
        """These are plausible too, until the next call: the answers to a pending command."""
        self._expected = bch.codewords([header.word() for header in headers])
        self._candidates = None

    def models(self, header: Header) -> list[Model]:
        """The models that a feature header may mean: those with its model bits that have its chunk."""
        return [model for model in self._models.get(header.model, []) if header.chunk < len(model.chunks)]

    def plausible(self, header: Header) -> bool:
        """Whether a board could have sent this to this host."""
        if header.type == FrameType.REPLY:
            return header.chunk == 0
        return header.type == FrameType.FEATURE and bool(self.models(header))

    def unknown(self, header: Header) -> bool:
        """Whether this is a feature frame of a model that no model has."""
        return header.type == FrameType.FEATURE and header.model not in self._models

    def read(self, block: bytes, sync_flips: int) -> Match | None:
        """The header of the 8 bytes behind a sync word: a plausible one, or one of an unknown model, or None."""
        known = self._exact.get(block)
        if known:
            return Match(known, 0, ((SYNC_BITS, SYNC_LOOK_FLIPS), (HEADER_BITS, bch.CORRECTS)))
        candidates = self._all()
        bits = SYNC_BITS + HEADER_BITS
        limit = most_flips(bits, len(candidates), FALSE_A_BYTE)
        near = _nearest(block, candidates, min(HEADER_FLIPS, limit - sync_flips), ((bits, limit),))
        if sync_flips > SYNC_MAX_FLIPS:
            return near
        return self._or_by_code(block, near, ((SYNC_BITS, SYNC_MAX_FLIPS), (bch.N_BITS, bch.CORRECTS)))

    def read_packet(self, block: bytes, size: int) -> Match | None:
        """The same for the first 8 bytes of a radio packet of `size` bytes, which brings no sync word."""
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
        limit = most_flips(HEADER_BITS, len(candidates), FALSE_A_PACKET)
        limit = min(HEADER_FLIPS, limit)
        near = _nearest(block, candidates, limit, ((HEADER_BITS, limit),))
        match = self._or_by_code(block, near, ((bch.N_BITS, bch.CORRECTS),))
        if match is None or match.header.type != FrameType.FEATURE:
            return None
        ours = self.unknown(match.header) or match.header.model << 4 | match.header.chunk in fits
        return match if ours else None

    def _or_by_code(self, block: bytes, near: Match | None, passed: tuple[tuple[int, int], ...]) -> Match | None:
        """What the code alone makes of a block, when that is clearly nearer to it than the candidate `near`."""
        # Codewords differ in 15 bits: within 7 there is no other.
        decoded = None if near and near.flips <= bch.CORRECTS else bch.decode(block)
        if decoded is None or (near and near.flips < decoded[1] + CODE_LEAD):
            return near
        header = Header.from_word(decoded[0])
        if not (self.plausible(header) or self.unknown(header)):
            return near
        return Match(header, decoded[1] + (block[-1] & 1), passed)

    def _all(self) -> np.ndarray:
        """The codewords of all headers that can come next, (K,) uint64."""
        if self._candidates is None:
            self._candidates = np.unique(np.concatenate([self._expected, *self._next.values()]))
        return self._candidates


def _nearest(block: bytes, candidates: np.ndarray, limit: int, passed: tuple[tuple[int, int], ...]) -> Match | None:
    """The candidate closest to the block; None beyond the limit, and when another is nearly as close."""
    if not candidates.size or limit < 0:
        return None
    distances = bch.distances(block, candidates)
    best = int(distances.argmin())
    flips = int(distances[best])
    if flips > limit or np.count_nonzero(distances < flips + CLEAR_BY) > 1:
        return None
    return Match(Header.from_word(int(candidates[best]) >> (HEADER_BITS - bch.WORD_BITS)), flips, passed)
