"""Inkling's modes as operating points: answers only, features only, and adaptive by a threshold of confidence.

Each way to send (answer frames, or the feature frames of one prefix) is sent once for all images; a threshold then
decides per image which of the two counts. That a receiver of both kinds does as well is checked by `measure`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.adaptive.frontier import Point
from benchmarks.adaptive.schemes.cells import Cell
from benchmarks.adaptive.schemes.energy import EnergyModel
from channel_sim.channels.coded_css import Css
from channel_sim.channels.lora import LoRa
from wire.answer import CONFIDENCES
from wire.frame import CRC16_BYTES

INKLING, SOFT = "Inkling", "Inkling with soft bits"  # on LoRa chips, and on the radio of `soft_radio`
ANSWERS, FEATURES, ADAPTIVE = "answers only", "features only", "adaptive"


@dataclass(frozen=True)
class Way:
    """A way to send images. `chunk` is None for an answer frame; `size` is that of the frame in bytes.

    By LoRa, the radio's own CRC is on, as in the firmware, and drops nothing. `soft` is the radio of `soft_radio`,
    which has no coding rate (0) and needs no header.
    """

    chunk: int | None
    size: int
    coding_rate: int
    header: bool  # LoRa's explicit header; without it, both ends know the length
    soft: bool = False

    @property
    def name(self) -> str:
        """Name in the kept figures."""
        frame = "answer" if self.chunk is None else f"chunk{self.chunk}"
        link = "soft" if self.soft else f"4-{self.coding_rate}_{'explicit' if self.header else 'implicit'}"
        return f"{frame}_{link}"

    @property
    def setting(self) -> str:
        """The setting as text."""
        frame = "answer" if self.chunk is None else f"{self.size} bytes"
        return frame if self.soft else f"{frame} 4/{self.coding_rate}"

    @property
    def adapts(self) -> bool:
        """True if a receiver can tell the lengths of two frames apart."""
        return self.header or self.soft

    def air_time_s(self, sf: int) -> float:
        """Return the air time in seconds."""
        if self.soft:
            return Css(0.0, sf).air_time_s(8 * self.size)
        return LoRa(0.0, sf, self.coding_rate, explicit_header=self.header).air_time_s(self.size)

    @property
    def bytes(self) -> int:
        """Bytes on the air, with the radio's CRC if there is one."""
        return self.size + CRC16_BYTES * (not self.soft)


@dataclass(frozen=True, eq=False)
class Stream:
    """All images sent in one way: (draws, n) bool, arrived and classified correctly; on test and held-out images."""

    way: Way
    correct: np.ndarray
    held_out: np.ndarray


@dataclass(frozen=True, eq=False)
class Confidences:
    """The board's confidence levels for the test images (n,) and the held-out images (m,)."""

    test: np.ndarray
    held_out: np.ndarray


@dataclass(frozen=True)
class Modes:
    """The modes of one bundle's board."""

    confidences: Confidences
    instructions: int
    energy: EnergyModel

    def points(self, cell: Cell, streams: Sequence[Stream]) -> Iterator[Point]:
        """Yield the operating points of a cell, given the streams of all ways."""
        answers = [stream for stream in streams if stream.way.chunk is None]
        features = [stream for stream in streams if stream.way.chunk is not None]
        for stream in streams:
            header = "" if stream.way.soft else f", {'explicit' if stream.way.header else 'implicit'} header"
            mode = ANSWERS if stream.way.chunk is None else FEATURES
            yield self._point(cell, mode, f"{stream.way.setting}{header}", stream, stream, 0)
        for answer in answers:
            for feature in features:
                if answer.way.adapts and feature.way.adapts and answer.way.soft == feature.way.soft:
                    for threshold in range(1, CONFIDENCES):
                        setting = f"threshold {threshold}, {answer.way.setting}, {feature.way.setting}"
                        yield self._point(cell, ADAPTIVE, setting, answer, feature, threshold)

    def _point(self, cell: Cell, mode: str, setting: str, answer: Stream, feature: Stream, threshold: int) -> Point:
        """Return the point at which images of at least this confidence are answered, and the others described."""
        answered = self.confidences.test >= threshold
        correct = np.where(answered, answer.correct, feature.correct)  # (draws, n)
        held_out = np.where(self.confidences.held_out >= threshold, answer.held_out, feature.held_out)
        share = float(answered.mean())
        air_s = share * answer.way.air_time_s(cell.sf) + (1 - share) * feature.way.air_time_s(cell.sf)
        return Point(
            f"{SOFT if answer.way.soft else INKLING}, {mode}",
            f"SF{cell.sf}, {setting}",
            air_s,
            share * answer.way.bytes + (1 - share) * feature.way.bytes,
            self.energy.millijoules(self.instructions, air_s),
            correct.mean(axis=0, dtype=np.float32),
            float(correct.mean(axis=1).std(ddof=1)) if len(correct) > 1 else 0.0,
            float(held_out.mean()),
        )
