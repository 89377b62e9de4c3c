"""Identity of a packet that was received several times: its header, and which of the copies are copies of it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from host.receive.answers import AnswerTable
from host.receive.copies.soft import least_agreements
from host.receive.matching import KNOWN_HEADER_MAX_FLIPS, Match
from host.receive.secured.candidates import Candidate
from host.receive.secured.search import SecuredSearch, tag_of
from wire import bch
from wire.frame import HEADER_BYTES
from wire.secure.frames import TAGGED_HEADER_BYTES

# Of two images whose other bits are alike, one copy is taken for the other's at this rate. The damage of radios comes
# in bursts, so it is judged as if at this bit error rate at least.
FALSE_COPY, MIN_JUDGED_BER = 1e-5, 0.1
# Of an answer, a copy has no payload that is alike, and answers of unknown devices are no rivals.
MAX_ANSWER_FLIPS = KNOWN_HEADER_MAX_FLIPS
# Copies of one secured frame differ from its header and tag in fewer of these 128 bits, but for 1 % at a bit error rate
# of 0.15. Other frames differ from it in 15 bits of the header and half of the tag, and are as near at FALSE_COPY.
SECURED_MOST = 30


@dataclass(frozen=True, eq=False)
class PlainIdentity:
    """Identity of a plain frame, by its block: a header, or an answer with its header.

    rivals (K,) uint64: the blocks of other frames that the other packets may be.
    table, headers: of an answer, the table of its model's answers, and the codeword (1,) of its header.
    """

    match: Match
    block: int
    rivals: np.ndarray
    table: AnswerTable | None = None
    headers: np.ndarray | None = None

    def match_of(self, packet: bytes) -> Match:
        """Return the match of one copy."""
        block = packet[:HEADER_BYTES]
        count = (int.from_bytes(block, "big") ^ self.block).bit_count()
        if self.table is None or self.headers is None:
            return self.match._replace(flips=count)
        return self.match._replace(flips=count, answers=self.table.distances(block, self.headers)[0])

    def is_copy(self, packet: bytes, ber: float) -> bool:
        """Return True if a packet with this bit error rate is a copy rather than one of the rivals."""
        block = packet[:HEADER_BYTES]
        own = (int.from_bytes(block, "big") ^ self.block).bit_count()
        # Of the bits in which a rival differs from the frame, the packet agrees with the frame in (all + lead) / 2.
        lead = bch.distances(block, self.rivals).astype(int) - own
        if self.table is not None and own > MAX_ANSWER_FLIPS:
            return False
        needed = least_agreements(round(100 * max(ber, MIN_JUDGED_BER)), FALSE_COPY)
        return bool((lead >= (2 * needed - np.arange(len(needed)))[self._between]).all())

    @cached_property
    def _between(self) -> np.ndarray:
        """In how many bits (K,) each of the rivals differs from the frame."""
        return bch.weights(self.rivals ^ np.uint64(self.block)).astype(int)


@dataclass(frozen=True, eq=False)
class SecuredIdentity:
    """Identity of a secured frame, which its tag proves."""

    search: SecuredSearch
    candidate: Candidate
    block: int  # of the header
    tests: tuple[tuple[int, int], ...]

    @property
    def match(self) -> Match:
        """The match of the frame as it was sent."""
        sent = self.block.to_bytes(HEADER_BYTES, "big") + self.candidate.tag.to_bytes(HEADER_BYTES, "big")
        return self.match_of(sent)

    def match_of(self, packet: bytes) -> Match:
        """Return the match of one copy."""
        header, tag = self._flips(packet)
        found = self.candidate._replace(header_flips=header)
        return self.search.authentic(packet[:TAGGED_HEADER_BYTES], found, tag, self.tests)

    def is_copy(self, packet: bytes, ber: float) -> bool:
        """Return True if a packet is a copy: header and tag are near."""
        return sum(self._flips(packet)) <= SECURED_MOST

    def _flips(self, packet: bytes) -> tuple[int, int]:
        header = (int.from_bytes(packet[:HEADER_BYTES], "big") ^ self.block).bit_count()
        return header, (tag_of(packet) ^ self.candidate.tag).bit_count()


Identity = PlainIdentity | SecuredIdentity
