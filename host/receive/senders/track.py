"""Track of a sender: one run of sequence numbers, and the place of a frame in it."""

from dataclasses import dataclass, field
from enum import IntEnum
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np

from host.receive.senders.rhythm import Rhythm
from wire.frame import SEQUENCES

# A sequence number up to this far behind the newest may be a late frame.
LATE = 8
# A number up to this far ahead continues a track whatever the time is. Farther ones need the rhythm, or a second frame.
NEAR = 8
# Without a rhythm, a copy or late frame arrives within this time: longer than a repeater or a second gateway takes.
REPEAT_S = 10.0
# A copy was received when its image was, though it may have waited for hours on its way. Clocks of gateways differ by
# less.
SAME_TIME_S = 2.0
# Payloads count as copies up to a bit error rate p of 0.2: a damaged one differs from a clean one in p of its bits, and
# from another damaged one in 2 p (1 - p), with a binomial deviation. Payloads of different images differ in about half.
MOST_BER, DEVIATIONS = 0.2, 4.0


class Certainty(IntEnum):
    """Certainty of a number of lost images: the sequence numbers alone give it modulo 32."""

    EXACT = 0
    AT_LEAST = 1  # 32 more, or 64, may be lost
    ABOUT = 2  # by the time that has passed and the device's rhythm

    @property
    def words(self) -> str:
        """The name in messages and JSON."""
        return self.name.lower().replace("_", " ")


class Frame(NamedTuple):
    """A frame of an image as its sender's track sees it."""

    sequence: int
    chunk: int
    bits: np.ndarray  # (n,) int8: 0, 1, -1 = not received
    clean: bool  # they are as they were sent
    answer_bits: int  # the number of bits at their start that are equal in all frames of an image
    now: float  # seconds


@dataclass
class Image:
    """An image of a track: chunk -> bits as received first, and if they are certain."""

    number: int  # of the image among those of its source
    heard: float  # seconds, of its newest frame
    chunks: dict[int, tuple[np.ndarray, bool]] = field(default_factory=dict)

    def is_alike(self, frame: Frame) -> bool:
        """Return True if a frame may be of this image."""
        return all(
            _alike(bits[:count], clean, frame.bits[:count], frame.clean)
            for chunk, (bits, clean) in self.chunks.items()
            for count in [len(frame.bits) if chunk == frame.chunk else frame.answer_bits]
        )


class Step(NamedTuple):
    """Place of a frame in a track: so many images ahead of the newest, or behind it (0 and less)."""

    ahead: int
    certainty: Certainty = Certainty.EXACT

    @property
    def cost(self) -> int:
        """A smaller one is likelier, if a frame fits several tracks. Copies cost 0."""
        return self.ahead if self.ahead > 0 else 1 - self.ahead


@dataclass
class Track:
    """One run of sequence numbers, as a board sends it between two restarts.

    `images` holds those of the last 32 of which something was received, by index. An index is the sequence number plus
    a multiple of 32.
    """

    newest: int  # index
    heard: float  # seconds, when the newest image began
    first: int  # index
    began: float
    support: int = 1  # images that continued the track, and the first
    idle: int = 0  # images of another track since the newest
    gap: int = 0  # images lost before it, at least, if it turns out to be the board's
    images: dict[int, Image] = field(default_factory=dict)

    def begin(self, image: Image, ahead: int, now: float) -> None:
        """Add a new image ahead of the newest."""
        self.newest, self.heard, self.idle = self.newest + ahead, now, 0
        self.support += ahead > 0
        self.images[self.newest] = image
        for old in [index for index in self.images if index <= self.newest - SEQUENCES]:
            del self.images[old]

    def place(self, frame: Frame, rhythm: Rhythm) -> Step | None:
        """Return the place of a frame; None if it does not continue this track."""
        behind = (self.newest - frame.sequence) % SEQUENCES
        image = self.images.get(self.newest - behind)
        ahead, seconds = SEQUENCES - behind, max(0.0, frame.now - self.heard)
        limits, most = rhythm.images_in(seconds), rhythm.most_in(seconds)
        received_before = frame.now < self.heard - SAME_TIME_S
        if image and received_before and abs(frame.now - image.heard) <= SAME_TIME_S and image.is_alike(frame):
            return Step(-behind)
        if limits and (fitting := _within(ahead, limits)):
            return Step(fitting, Certainty.EXACT if fitting == ahead else Certainty.ABOUT)
        too_early = limits is not None and limits[1] < ahead
        # Without a rhythm, a copy or a late frame has to be recent, or else the board too slow to be there again.
        since = image.heard if image else self.heard
        recent = behind <= LATE and (limits is not None or frame.now - since <= REPEAT_S or most < ahead)
        if image and (recent or too_early or (limits and ahead > NEAR)) and image.is_alike(frame):
            return Step(-behind)
        if not image and behind > 0 and recent:
            return Step(-behind)
        if ahead == 1 or (ahead <= NEAR and not too_early):
            return Step(ahead, Certainty.EXACT if most < ahead + SEQUENCES else Certainty.AT_LEAST)
        return None

    def gap_before(self, frame: Frame, rhythm: Rhythm) -> int:
        """Return the number of images lost, at least, if this frame comes after those of the track.

        0 if the content or the time shows that the numbers have begun anew.
        """
        behind = (self.newest - frame.sequence) % SEQUENCES
        image = self.images.get(self.newest - behind)
        limits = rhythm.images_in(max(0.0, frame.now - self.heard))
        if (image and behind <= LATE and not image.is_alike(frame)) or (limits and limits[1] < SEQUENCES - behind):
            return 0
        return SEQUENCES - behind - 1


def _within(ahead: int, limits: tuple[float, float]) -> int | None:
    """Return the number within limits that equals `ahead` modulo 32, if there is one."""
    least, most = limits
    number = ahead + SEQUENCES * max(0, ceil((least - ahead) / SEQUENCES))
    return number if number <= most else None


def _alike(first: np.ndarray, first_clean: bool, second: np.ndarray, second_clean: bool) -> bool:
    """Return True if two payloads may be copies of one."""
    both = (first >= 0) & (second >= 0)
    count, different = np.count_nonzero(both), np.count_nonzero((first != second) & both)
    if first_clean and second_clean:
        return different == 0
    share = MOST_BER if first_clean or second_clean else 2 * MOST_BER * (1 - MOST_BER)
    return different <= count * share + DEVIATIONS * sqrt(count * share * (1 - share))
