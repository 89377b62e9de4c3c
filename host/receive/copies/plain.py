"""Search for the plain frame that several copies are of: among those that known devices can send, then by the codes."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from host.receive.answers import AnswerTable
from host.receive.copies import osd
from host.receive.copies.identity import PlainIdentity
from host.receive.copies.soft import SoftBlock
from host.receive.headers import HeaderDecoder
from host.receive.matching import FALSE_ANSWER_PER_PACKET, FALSE_PER_PACKET, HEADER_BITS, Match
from wire import bch
from wire.answer import CONFIDENCES
from wire.frame import ANY_DEVICE, HEADER_BYTES, SEQUENCES, AnswerHeader, FrameType, Header, answer_part, header_part

# The second likeliest frame must be e^7 times less likely, about as MIN_LEAD flips of one copy at a bit error rate of
# 0.15.
LEAD = 7.0
# Of answers with more classes than this, only those with the class that was found are rivals.
MAX_RIVAL_CLASSES = 128


class _Near(NamedTuple):
    cost: float
    header: Header
    block: int
    table: AnswerTable | None = None


class PlainSearch:
    """Search for plain frames in the bits of several copies, with the candidates of a HeaderDecoder."""

    def __init__(self, headers: HeaderDecoder) -> None:
        self._headers = headers
        # By size and rank: all headers that can be sent next, and those of this size.
        self._fitting_last: dict[tuple[int, bool], tuple[np.ndarray, np.ndarray]] = {}

    def find(self, block: SoftBlock, size: int) -> PlainIdentity | None:
        """Return the frame that a block of `size` bytes' packets is of; None if it is unlike all, or uncertain."""
        find = self._answer if size == HEADER_BYTES else self._feature
        near, compared = None, 0
        for established in self._headers.ranks():
            if near is None:
                near, compared = find(block, size, established, compared)
        near = near or (self._answer_by_code(block) if size == HEADER_BYTES else self._by_code(block, size))
        return None if near is None else self.identity(near.header, near.block, size, near.table)

    def identity(self, header: Header, block: int, size: int, table: AnswerTable | None = None) -> PlainIdentity:
        """Return the identity of a frame by its header, its block, and the table of its answers, if it is one."""
        match = Match(header, 0, ())
        if header.type != FrameType.ANSWER or table is None:
            return PlainIdentity(match, block, self._other_headers(header, block, size))
        own = bch.ANSWER.codewords([header_part(header.device, header.sequence, header.model)])
        return PlainIdentity(match, block, self._other_answers(header, block, table), table, own)

    def _feature(self, block: SoftBlock, size: int, established: bool, compared: int) -> tuple[_Near | None, int]:
        """Return the likeliest header that known devices can send next, and the number compared so far."""
        candidates = self._fitting(size, established)
        compared += len(candidates)
        if not candidates.size:
            return None, compared
        costs = block.costs(candidates)
        best = int(costs.argmin())
        cost = float(costs[best])
        if cost > block.limit(compared, FALSE_PER_PACKET) or np.count_nonzero(costs < cost + LEAD) > 1:
            return None, compared
        sent = int(candidates[best])
        return _Near(cost, Header.from_word(sent >> (HEADER_BITS - bch.HEADER.word_bits)), sent), compared

    def _answer(self, block: SoftBlock, size: int, established: bool, compared: int) -> tuple[_Near | None, int]:
        """Return the likeliest answer that known devices can send next, and the number compared so far.

        Several answers to one image may be near: the reader of the match decides. Several images are a guess.
        """
        groups = self._headers.answers.next_of(established)
        compared += sum(len(table) * len(headers) for table, headers in groups)
        limit = block.limit(compared, FALSE_ANSWER_PER_PACKET)
        near = [
            (cost, codeword, answer, table)
            for table, headers in groups
            for cost, codeword, answer in table.likeliest(block.hard, block.ratios, headers, limit + LEAD)
        ]
        best = min(near, key=lambda one: one[0], default=None)
        if best is None or best[0] > limit or sum(one[0] < best[0] + LEAD for one in near) > 1:
            return None, compared
        cost, codeword, answer, table = best
        return _Near(cost, self._headers.answers.header_of(codeword), codeword ^ table.block(answer), table), compared

    def _by_code(self, block: SoftBlock, size: int) -> _Near | None:
        """Return the likeliest header by the code alone: one that a packet of this size may have, of any device."""
        fits = self._headers.fits(size)
        limit = block.limit((ANY_DEVICE + 1) * SEQUENCES * (1 + int(fits.sum())), FALSE_PER_PACKET)
        near: list[_Near] = []
        for cost, word in osd.likeliest(bch.HEADER, block, limit + LEAD):
            header = Header.from_word(word)
            if header.type == FrameType.FEATURE:
                possible = fits[header.model << 4 | header.chunk] or self._headers.has_unknown_model(header)
            else:
                possible = header.type == FrameType.REPLY and header.chunk == 0
            if possible:
                near.append(_Near(cost, header, int(bch.HEADER.codewords([word])[0])))
        return _single(near, limit)

    def _answer_by_code(self, block: SoftBlock) -> _Near | None:
        """Return the likeliest answer by the code alone, of any device and a known model."""
        tables = self._headers.answers.tables
        total = sum(map(len, tables.values())) * SEQUENCES * ANY_DEVICE
        limit = block.limit(total, FALSE_ANSWER_PER_PACKET)
        near: dict[Header, _Near] = {}
        for cost, word in osd.likeliest(bch.ANSWER, block, limit + LEAD):
            if word >> 34 != FrameType.ANSWER:
                continue
            sent = AnswerHeader.from_word(word)
            table = tables.get(sent.model)
            if table and sent.device != ANY_DEVICE and sent.answer.index * CONFIDENCES < len(table):
                header = Header(FrameType.ANSWER, sent.device, sent.sequence, sent.model, 0)
                near.setdefault(header, _Near(cost, header, int(bch.ANSWER.codewords([word])[0]), table))
        return _single([*near.values()], limit)

    def _fitting(self, size: int, established: bool) -> np.ndarray:
        """Return the headers (K,) of this size that devices of a rank can send next."""
        candidates = self._headers.next_of(established)
        known, fitting = self._fitting_last.get((size, established), (None, candidates))
        if known is not candidates:
            last_fields = candidates >> np.uint64(HEADER_BITS - bch.HEADER.word_bits) & np.uint64(0x1FF)
            fitting = candidates[self._headers.fits(size)[last_fields]]
            self._fitting_last[size, established] = candidates, fitting
        return fitting

    def _other_headers(self, header: Header, block: int, size: int) -> np.ndarray:
        """Return the headers of other images: of the same device and chunk, and of known devices."""
        own = _all_sequences(header.word() & ~((SEQUENCES - 1) << 9))
        others = [self._fitting(size, established) for established in self._headers.ranks()]
        return _without(np.concatenate([own, *others]), block)

    def _other_answers(self, header: Header, block: int, table: AnswerTable) -> np.ndarray:
        """Return answers to other images: of the same device, and of known devices, with any class or the same one."""
        own = [header_part(header.device, s, header.model) for s in range(SEQUENCES) if s != header.sequence]
        others = [headers for rank in self._headers.ranks() for _, headers in self._headers.answers.next_of(rank)]
        headers = np.concatenate([bch.ANSWER.codewords(own), *others])
        this = bch.ANSWER.codewords([header_part(header.device, header.sequence, header.model)])[0]
        headers = headers[headers != this]
        answers = table.blocks
        if len(table) > MAX_RIVAL_CLASSES * CONFIDENCES or len(headers) > 2 * SEQUENCES:
            index = int(np.flatnonzero(answers == np.uint64(block) ^ this)[0]) // CONFIDENCES
            answers = bch.ANSWER.codewords(answer_part(np.full(CONFIDENCES, index), np.arange(CONFIDENCES)))
        return (headers[:, None] ^ answers).reshape(-1)


@lru_cache(maxsize=1024)
def _all_sequences(word: int) -> np.ndarray:
    """Return the headers (32,) with all sequence numbers, given a header's word with sequence number 0."""
    return bch.HEADER.codewords([word | sequence << 9 for sequence in range(SEQUENCES)])


def _single(near: list[_Near], limit: float) -> _Near | None:
    """Return the likeliest of these frames; None if it is unlikely, or another one is nearly as likely."""
    near.sort(key=lambda one: one.cost)
    if not near or near[0].cost > limit or (len(near) > 1 and near[1].cost < near[0].cost + LEAD):
        return None
    return near[0]


def _without(blocks: np.ndarray, block: int) -> np.ndarray:
    return blocks[blocks != np.uint64(block)]
