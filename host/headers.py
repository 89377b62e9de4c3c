"""Which header a received block is: by the code alone, or the nearest of those that can come now."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from wire import bch
from wire.bundle import Bundle
from wire.frame import FrameType, Header

SEQUENCES = 32
# How many frames in a row may be lost before only the code alone finds a device again. Each candidate more is
# one more that a damaged header can be taken for.
AHEAD = 8


class Headers:
    """Reads header blocks, knowing which models exist and which devices are about.

    A block is first decoded algebraically (up to 7 flips). When that fails, or gives a device that is not
    about, the nearest header that a known device may send next, or that an expected frame has, is taken
    instead (up to 11 flips, no tie).
    """

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        self._models: dict[int, list[Bundle]] = defaultdict(list)
        for bundle in bundles:
            self._models[bundle.model_number % 32].append(bundle)
        self._known: dict[tuple[int, int], int] = {}  # device, model -> the last sequence number
        self._expected = np.empty(0, np.int64)

    def know(self, header: Header) -> None:
        """This device is about, and has just sent this feature header."""
        self._known[header.device, header.model] = header.sequence

    def expect(self, headers: Iterable[Header]) -> None:
        """These are plausible too, until the next call: the answers to a pending command."""
        self._expected = np.array([header.word() for header in headers], np.int64)

    def bundles(self, header: Header) -> list[Bundle]:
        """The bundles that a feature header may mean: those with its model bits that have its chunk."""
        return [bundle for bundle in self._models.get(header.model, []) if header.chunk < len(bundle.chunks)]

    def plausible(self, header: Header) -> bool:
        """Whether a board could have sent this to this host."""
        if header.type == FrameType.REPLY:
            return header.chunk == 0
        return header.type == FrameType.FEATURE and bool(self.bundles(header))

    def unknown(self, header: Header) -> bool:
        """Whether this is a feature frame of a model that no bundle has."""
        return header.type == FrameType.FEATURE and header.model not in self._models

    def read(self, block: bytes) -> Header | None:
        """The header of 8 received bytes: a plausible one, else one of an unknown model, else None."""
        decoded = bch.decode(block)
        header = Header.from_word(decoded[0]) if decoded else None
        if header and not (self.plausible(header) or self.unknown(header)):
            header = None
        if header and (header.type == FrameType.REPLY or (header.device, header.model) in self._known):
            return header
        near = bch.nearest(block, self._candidates())
        return Header.from_word(near[0]) if near else header

    def _candidates(self) -> np.ndarray:
        """The words of all headers that can come next, (K,) int64."""
        words = [self._expected]
        for (device, model), last in self._known.items():
            first = Header(FrameType.FEATURE, device, 0, model, 0).word()
            sequences = (last + np.arange(AHEAD + 1)) % SEQUENCES
            chunks = np.arange(max(len(bundle.chunks) for bundle in self._models[model]))
            words.append((first + (sequences << 9)[:, None] + chunks).ravel())  # (AHEAD + 1, chunks)
        return np.concatenate(words)
