"""Bookkeeping of one sender: its images by sequence number, their copies, and the images that were lost."""

from dataclasses import dataclass, field
from math import sqrt
from typing import NamedTuple

import numpy as np

from wire.frame import SEQUENCES, Header

# A sequence number up to this far behind the newest is a late frame. All others are ahead, after losses.
LATE = 8
# Copies of a payload differ in 2 p (1 - p) of their bits, 18 % at a bit error rate of 0.1, with a binomial deviation.
# Payloads of different images differ in about half. Payloads within four deviations of copies at 0.1 count as copies.
COPIES_DIFFER, DEVIATIONS = 0.18, 4.0


class Place(NamedTuple):
    """Place of a frame among those of its source."""

    image_number: int
    lost: int  # images missing just before it
    lost_so_far: int  # images missing in total, as known with this frame
    duplicate: bool  # this chunk of the image was received before
    late: bool  # a newer image was received before


@dataclass
class Source:
    """Frames of one device with one model, counted by their sequence numbers modulo 32.

    More than 23 losses in a row look like fewer. The restart of a board looks like losses, or like copies if it returns
    to recent sequence numbers. A copy must resemble the first frame, which distinguishes the two unless the images are
    alike. A frame that does not resemble it is the first image after a restart, before which nothing counts as lost.
    """

    received: int = 0
    lost: int = 0  # images of which nothing has been received (yet)
    duplicates: int = 0
    late: int = 0  # received after a newer image
    newest: int = -1  # image number
    _first: int = -1
    # Of the last images: chunk -> bits as received first (0, 1, -1 = not received), and if their CRC was correct.
    _images: dict[int, dict[int, tuple[np.ndarray, bool]]] = field(default_factory=dict)

    def record(self, header: Header, bits: np.ndarray, crc_ok: bool) -> Place:
        """Count a frame with the given header and payload bits (n,), and return its place."""
        self.received += 1
        if not self._images:
            self._first = header.sequence
            self._begin(header.sequence, header.chunk, bits, crc_ok)
            return Place(header.sequence, 0, 0, False, False)
        ahead = (header.sequence - self.newest + LATE) % SEQUENCES - LATE
        image = self.newest + ahead
        first = self._images.get(image, {}).get(header.chunk) if ahead <= 0 else None
        if first is not None and not _alike(*first, bits, crc_ok):
            self._first = image + SEQUENCES
            self._begin(self._first, header.chunk, bits, crc_ok)
            return Place(self._first, 0, self.lost, False, False)
        if ahead > 0:
            self.lost += ahead - 1
            self._begin(image, header.chunk, bits, crc_ok)
            return Place(image, ahead - 1, self.lost, False, False)
        if image not in self._images:
            self._images[image] = {}
            self.lost -= image > self._first
        self._images[image].setdefault(header.chunk, (bits, crc_ok))
        self.duplicates += first is not None
        late = ahead < 0 and first is None
        self.late += late
        return Place(image, 0, self.lost, first is not None, late)

    def _begin(self, image: int, chunk: int, bits: np.ndarray, crc_ok: bool) -> None:
        self.newest = image
        self._images[image] = {chunk: (bits, crc_ok)}
        for old in [number for number in self._images if number < image - LATE]:
            del self._images[old]


def _alike(first: np.ndarray, first_clean: bool, second: np.ndarray, second_clean: bool) -> bool:
    """Return True if two payloads may be copies of one."""
    both = (first >= 0) & (second >= 0)
    count, different = np.count_nonzero(both), np.count_nonzero((first != second) & both)
    if first_clean and second_clean:
        return different == 0
    return different <= count * COPIES_DIFFER + DEVIATIONS * sqrt(count * COPIES_DIFFER * (1 - COPIES_DIFFER))
