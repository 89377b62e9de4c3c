"""What is known of one sender: its images by sequence number, what came of them, and what must have been lost."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from host.headers import SEQUENCES
from wire.frame import Header

# A sequence number up to this far behind the newest is a late frame; all others are ahead, after losses.
LATE = 8
# Two copies of a payload differ in 2 p (1 - p) of their bits: 0.18 at a bit error rate of 0.1, give or take 0.02.
# Payloads of different images differ in 0.47, and hardly ever in less than this.
COPIES_DIFFER = 0.25


class Place(NamedTuple):
    """Where a frame belongs among those of its source."""

    image: int
    lost: int  # images missing just before it
    lost_so_far: int  # images missing altogether, as far as is known with this frame
    duplicate: bool  # this image's chunk came before
    late: bool  # a newer image came before


@dataclass
class Source:
    """The frames of one device with one model, counted by their sequence numbers modulo 32.

    More than 23 losses in a row look like fewer. A board that starts again at sequence 0 looks like losses, or,
    when it comes back to numbers just sent, like copies of those; but a copy has to look like one.
    """

    received: int = 0
    lost: int = 0  # images of which nothing has come (yet)
    duplicates: int = 0
    late: int = 0  # came behind a newer image
    newest: int = -1  # image
    _first: int = -1
    # Of the last images: chunk -> bits as they came first, 0, 1, -1 = not received.
    _images: dict[int, dict[int, np.ndarray]] = field(default_factory=dict)

    def note(self, header: Header, bits: np.ndarray) -> Place:
        """Count a frame by its header and its payload's bits (n,), and say where it belongs."""
        self.received += 1
        if not self._images:
            self._first = header.sequence
            self._begin(header.sequence, header.chunk, bits)
            return Place(header.sequence, 0, 0, False, False)
        ahead = (header.sequence - self.newest + LATE) % SEQUENCES - LATE
        image = self.newest + ahead
        first = self._images.get(image, {}).get(header.chunk) if ahead <= 0 else None
        if first is not None and not _alike(first, bits):
            ahead += SEQUENCES
            image, first = self.newest + ahead, None
        if ahead > 0:
            self.lost += ahead - 1
            self._begin(image, header.chunk, bits)
            return Place(image, ahead - 1, self.lost, False, False)
        if image not in self._images:
            self._images[image] = {}
            self.lost -= image > self._first
        self._images[image].setdefault(header.chunk, bits)
        self.duplicates += first is not None
        late = ahead < 0 and first is None
        self.late += late
        return Place(image, 0, self.lost, first is not None, late)

    def _begin(self, image: int, chunk: int, bits: np.ndarray) -> None:
        self.newest = image
        self._images[image] = {chunk: bits}
        for old in [number for number in self._images if number < image - LATE]:
            del self._images[old]


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    both = (first >= 0) & (second >= 0)
    return not both.any() or np.count_nonzero((first != second) & both) <= COPIES_DIFFER * np.count_nonzero(both)
