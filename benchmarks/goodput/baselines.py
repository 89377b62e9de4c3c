"""The baselines of Inkling: the same features behind a CRC or Reed-Solomon code, and compressed images.

Features that arrive intact are classified as over a clean link, so the link alone decides. All baselines send zeros,
because the result of a CRC depends on the flips and not on the data. A damaged frame that passes its CRC (one in
65,536 damaged ones) counts as intact, in the baseline's favour.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.goodput.links import Link, Radio
from wire.frame import CRC16_BYTES, FeatureLayout
from wire.lora import MAX_PACKET_BYTES

HEADER_BYTES = 3  # device, sequence, model and chunk, without Inkling's code over them

OnProgress = Callable[[int], None]  # called with the number of images done since the last call


@dataclass(frozen=True)
class Outcome:
    """Result of sending n images."""

    correct: np.ndarray  # (n,) bool: arrived and classified correctly
    arrived: np.ndarray  # (n,) bool
    air_s: np.ndarray  # (n,) seconds on the air
    extra: Mapping[str, float]  # further figures


class Scheme(Protocol):
    """One way to send the classes of images over a link."""

    @property
    def title(self) -> str:
        """Name in tables and plots."""

    def send(self, link: Link, value: float, rng: np.random.Generator, on_progress: OnProgress) -> Outcome:
        """Send all images over a link in the state `value`."""


@dataclass(frozen=True)
class Crc:
    """Features behind a CRC: dropped if damaged, and sent again up to `tries` - 1 times.

    Acknowledgements are free, instant and never lost, in this baseline's favour.
    """

    title: str
    payload_bytes: int
    correct: np.ndarray  # (n,) bool: classified correctly when intact
    coding_rate: int = 5
    tries: int = 1
    header: bool = True  # LoRa's explicit header; without it, both ends know the length of a packet

    def send(self, link: Link, value: float, rng: np.random.Generator, on_progress: OnProgress) -> Outcome:
        """See Scheme.send."""
        radio = link.radio(value, self.coding_rate, header=self.header)
        size = HEADER_BYTES + self.payload_bytes
        sent = np.zeros(len(self.correct), np.int64)
        arrived = np.zeros(len(self.correct), bool)
        for _ in range(self.tries):
            waiting = np.flatnonzero(~arrived)
            if not len(waiting):
                break
            sent[waiting] += 1
            arrived[waiting] = _intact(radio, np.zeros((len(waiting), size), np.uint8), rng)
        on_progress(len(self.correct))
        extra = {"frame_bytes": size, "frames_sent": float(sent.mean())}
        return Outcome(self.correct & arrived, arrived, sent * radio.air_time_s(size), extra)


@dataclass(frozen=True)
class ReedSolomon:
    """Features and their CRC-16 in a shortened Reed-Solomon code over GF(256), as long as the air time allows.

    A bounded-distance decoder corrects up to half as many bytes as there are parity bytes. The CRC-16 inside rejects
    the result of more errors. The link's own CRC is off, because it covers the frame before correction.
    """

    title: str
    payload_bytes: int
    correct: np.ndarray  # (n,) bool: classified correctly when intact
    inkling: FeatureLayout  # the Inkling frame whose air time it may use
    header: bool = True  # LoRa's explicit header; without it, both ends know the length of a packet

    def frame_bytes(self, link: Link) -> int:
        """Return the size of the largest frame with at most the air time of Inkling's."""
        radio = link.radio(0.0, crc=False, header=self.header)
        limit = link.inkling_air_s(self.inkling, self.header) + 1e-9
        return max(size for size in range(1, MAX_PACKET_BYTES + 1) if radio.air_time_s(size) <= limit)

    def correctable_bytes(self, link: Link) -> int:
        """Return the number of wrong bytes per frame that the code corrects."""
        return (self.frame_bytes(link) - HEADER_BYTES - self.payload_bytes - CRC16_BYTES) // 2

    def send(self, link: Link, value: float, rng: np.random.Generator, on_progress: OnProgress) -> Outcome:
        """See Scheme.send."""
        radio, size = link.radio(value, crc=False, header=self.header), self.frame_bytes(link)
        received, _, lost = radio.transmit(np.zeros((len(self.correct), size), np.uint8), rng)
        arrived = ~lost & (np.count_nonzero(received, axis=1) <= self.correctable_bytes(link))
        on_progress(len(self.correct))
        extra = {"frame_bytes": size, "correctable_bytes": self.correctable_bytes(link)}
        return Outcome(self.correct & arrived, arrived, np.full(len(self.correct), radio.air_time_s(size)), extra)


@dataclass(frozen=True)
class Files:
    """Compressed images in as many packets as they need, each behind a CRC. All packets of an image must be intact."""

    title: str
    sizes: np.ndarray  # (n,) bytes of each image
    correct: np.ndarray  # (n,) bool: classified correctly when intact

    def send(self, link: Link, value: float, rng: np.random.Generator, on_progress: OnProgress) -> Outcome:
        """See Scheme.send. Packets of one length are sent together."""
        radio, room = link.radio(value), MAX_PACKET_BYTES - HEADER_BYTES
        arrived, air_s = np.ones(len(self.sizes), bool), np.zeros(len(self.sizes))
        for first in range(0, self.sizes.max(), room):
            carried = np.clip(self.sizes - first, 0, room)
            for length in np.unique(carried[carried > 0]):
                rows = np.flatnonzero(carried == length)
                arrived[rows] &= _intact(radio, np.zeros((len(rows), HEADER_BYTES + length), np.uint8), rng)
                air_s[rows] += radio.air_time_s(HEADER_BYTES + int(length))
        on_progress(len(self.sizes))
        extra = {"bytes_mean": float(self.sizes.mean()), "packets_mean": float((-(-self.sizes // room)).mean())}
        return Outcome(self.correct & arrived, arrived, air_s, extra)


def _intact(radio: Radio, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Send frames uint8 (n, B); return bool (n,): received with a correct CRC."""
    _, crc_ok, lost = radio.transmit(frames, rng)
    return crc_ok & ~lost
