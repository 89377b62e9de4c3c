"""Bookkeeping of one sender: its images by sequence number, their copies, and the images that were lost."""

from dataclasses import dataclass, field
from math import sqrt
from typing import NamedTuple

import numpy as np

from host.receive.clash import ClashDetector
from wire.frame import SEQUENCES

# A sequence number up to this far behind the newest is a late frame. All others are ahead, after losses.
LATE = 8
# Key of an answer frame among the chunks of its image.
ANSWER = -1
# Copies of a payload differ in 2 p (1 - p) of their bits, 18 % at a bit error rate of 0.1, with a binomial deviation.
# Payloads of different images differ in about half. Payloads within four deviations of copies at 0.1 count as copies.
COPIES_DIFFER, DEVIATIONS = 0.18, 4.0


class Place(NamedTuple):
    """Place of a frame among those of its source."""

    image_number: int
    lost: int  # images missing just before it
    lost_so_far: int  # images missing in total, as known with this frame
    duplicate: bool  # this chunk of the image, or its answer, was received before
    late: bool  # a newer image was received before
    clash: bool = False  # two boards seem to send as this device


@dataclass
class Source:
    """Frames of one device with one model, counted by their sequence numbers modulo 32.

    More than 23 losses in a row look like fewer. The restart of a board looks like losses, or like copies if it returns
    to recent sequence numbers. A copy must resemble the first frame, which distinguishes the two unless the images are
    alike; so must the answer, which all frames of an image carry if the model has an answer head. A frame that does
    not resemble the earlier ones is the first image after a restart, before which nothing counts as lost. Two boards
    with one device number look like many losses or restarts, and `clash` becomes true.
    """

    received: int = 0
    lost: int = 0  # images of which nothing has been received (yet)
    duplicates: int = 0
    late: int = 0  # received after a newer image
    newest: int = -1  # image number
    _first: int = -1
    _boards: ClashDetector = field(default_factory=ClashDetector)
    # Of the last images: chunk or ANSWER -> bits as received first (0, 1, -1 = not received), and if they are certain.
    _images: dict[int, dict[int, tuple[np.ndarray, bool]]] = field(default_factory=dict)

    @property
    def clash(self) -> bool:
        """True if two boards seem to send as this device."""
        return self._boards.found

    def record(self, sequence: int, chunk: int, bits: np.ndarray, clean: bool, answer_bits: int = 0) -> Place:
        """Count a frame with this sequence number, and return its place.

        bits: (n,), of the payload, or of an answer frame's answer word with `chunk` ANSWER. clean: they are as they
        were sent. answer_bits: the number of bits at their start that are equal in all frames of an image.
        """
        place = self._place(sequence, chunk, bits, clean, answer_bits)
        return place._replace(clash=self.clash)

    def _place(self, sequence: int, chunk: int, bits: np.ndarray, clean: bool, answer_bits: int) -> Place:
        self.received += 1
        if not self._images:
            self._first = sequence
            self._begin(sequence, chunk, bits, clean)
            return Place(sequence, 0, 0, False, False)
        ahead = (sequence - self.newest + LATE) % SEQUENCES - LATE
        image = self.newest + ahead
        before = self._images.get(image, {}) if ahead <= 0 else {}
        if not all(
            _alike(first[:count], first_clean, bits[:count], clean)
            for earlier, (first, first_clean) in before.items()
            for count in [len(bits) if earlier == chunk else answer_bits]
        ):
            self._first = image + SEQUENCES
            self._begin(self._first, chunk, bits, clean)
            return Place(self._first, 0, self.lost, False, False)
        if ahead > 0:
            self.lost += ahead - 1
            self._begin(image, chunk, bits, clean)
            return Place(image, ahead - 1, self.lost, False, False)
        if image not in self._images:
            if image > self._first:  # else a repeater may be about to send copies
                self._boards.record(sequence)
            self._images[image] = {}
            self.lost -= image > self._first
        duplicate = chunk in before
        late = ahead < 0 and not duplicate
        self._images[image].setdefault(chunk, (bits, clean))
        self.duplicates += duplicate
        self.late += late
        return Place(image, 0, self.lost, duplicate, late)

    def _begin(self, image: int, chunk: int, bits: np.ndarray, clean: bool) -> None:
        self._boards.record(image % SEQUENCES)
        self.newest = image
        self._images[image] = {chunk: (bits, clean)}
        for old in [number for number in self._images if number < image - LATE]:
            del self._images[old]


def _alike(first: np.ndarray, first_clean: bool, second: np.ndarray, second_clean: bool) -> bool:
    """Return True if two payloads may be copies of one."""
    both = (first >= 0) & (second >= 0)
    count, different = np.count_nonzero(both), np.count_nonzero((first != second) & both)
    if first_clean and second_clean:
        return different == 0
    return different <= count * COPIES_DIFFER + DEVIATIONS * sqrt(count * COPIES_DIFFER * (1 - COPIES_DIFFER))
