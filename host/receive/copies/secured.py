"""Search for the secured frame that several copies are of, by their combined header and tag.

As for one frame, headers only choose the candidates; the combined tag alone decides, at the same rate of forgeries.
"""

import numpy as np

from host.receive.copies import osd
from host.receive.copies.identity import SecuredIdentity
from host.receive.copies.soft import SoftBlock
from host.receive.secured.candidates import Candidate
from host.receive.secured.search import SecuredSearch
from wire import bch
from wire.answer import Answer
from wire.frame import AnswerHeader, FrameType, Header, answer_part, header_part
from wire.secure.frames import TAGGED_HEADER_BYTES
from wire.secure.limits import NEXT_RATE

# Rate at which a random header is near enough to a candidate for its tag to be compared.
NEAR_RATE = 1e-6
# Headers by the code whose tags are compared in a window of counters, the likeliest first.
MAX_HEADERS = 4


class SecuredCopiesSearch:
    """Search for secured frames in the bits of several copies, with the candidates of a SecuredSearch."""

    def __init__(self, search: SecuredSearch) -> None:
        self._search = search

    def find(self, header: SoftBlock, tag: SoftBlock, size: int) -> SecuredIdentity | None:
        """Return the authentic frame that header and tag of packets of `size` bytes are of; None if there is none."""
        return self._nearest(header, tag, size) or self._by_code(header, tag, size)

    def _nearest(self, header: SoftBlock, tag: SoftBlock, size: int) -> SecuredIdentity | None:
        """Return the authentic one among the frames that can come next."""
        candidates = self._candidates(header, size)
        if not candidates:
            return None
        limit = tag.limit(len(candidates), NEXT_RATE)
        costs = tag.costs(np.array([one.tag for one in candidates], np.uint64))
        best = int(costs.argmin())
        return self._identity(candidates[best]) if costs[best] <= limit else None

    def _candidates(self, header: SoftBlock, size: int) -> list[Candidate]:
        """Return the frames that can come next whose headers are near."""
        frames, most = self._search.next, header.limit(1, NEAR_RATE)
        expected = frames.expected_features()
        near = (header.costs(expected.headers) <= most) & (expected.sizes == size)
        found = [frames.feature(i, 0) for i in np.flatnonzero(near).tolist()]
        if size == TAGGED_HEADER_BYTES:
            for count, table in frames.tables.items():
                codewords = np.unique(frames.expected_answers(count).headers)
                for _, codeword, _ in table.likeliest(header.hard, header.ratios, codewords, most):
                    costs = header.costs(np.uint64(codeword) ^ table.blocks)
                    answers = np.flatnonzero(costs <= most)
                    found += frames.answers(count, codeword, answers, np.zeros(len(answers), int))
        return found

    def _by_code(self, header: SoftBlock, tag: SoftBlock, size: int) -> SecuredIdentity | None:
        """Return the authentic frame in the window of counters of the device that the header names."""
        most = header.limit(1, NEAR_RATE)
        named: list[tuple[Header, Answer | None]] = []
        if size == TAGGED_HEADER_BYTES:
            for _, word in osd.likeliest(bch.ANSWER, header, most):
                if word >> bch.ANSWER.word_bits - 2 == FrameType.ANSWER:
                    sent = AnswerHeader.from_word(word)
                    named.append((Header(FrameType.ANSWER, sent.device, sent.sequence, sent.model, 0), sent.answer))
        else:
            for _, word in osd.likeliest(bch.HEADER, header, most):
                sent_header = Header.from_word(word)
                if sent_header.type == FrameType.FEATURE:
                    named.append((sent_header, None))
        able = [(one, answer, boards) for one, answer in named if (boards := self._search.boards_of(one, answer, size))]
        for one, answer, boards in able[:MAX_HEADERS]:
            if found := self._search.in_window(boards, one, answer, tag):
                return self._identity(found[0])
        return None

    def _identity(self, found: Candidate) -> SecuredIdentity:
        header = found.header
        if found.answer is None:
            block = bch.HEADER.codewords([header.word()])[0]
        else:
            part = answer_part(found.answer.index, found.answer.confidence)
            block = bch.ANSWER.codewords([header_part(header.device, header.sequence, header.model) | part])[0]
        return SecuredIdentity(self._search, found, int(block), ())
