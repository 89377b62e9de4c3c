"""Mode adaptive over a conventional link: Inkling's answers and features, each behind a CRC.

It separates what the adaptive mode gains from what Inkling's frames gain.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.adaptive.frontier import Point
from benchmarks.adaptive.schemes.cells import Cell
from benchmarks.adaptive.schemes.energy import EnergyModel
from benchmarks.adaptive.schemes.opponents import ANSWER_BYTES, HEADER_BYTES, Content
from benchmarks.adaptive.schemes.packets import LoRaPacket, Packet, Share, crc_packet

SCHEME = "adaptive behind a CRC"


@dataclass(frozen=True, eq=False)
class AdaptiveCrc:
    """Answers from a confidence level on, and else features, with explicit headers that say which it is.

    confidences (n,) are those of the test images.
    """

    answers: Content
    features: Content
    confidences: np.ndarray
    threshold: int
    coding_rate: int

    @property
    def _answer(self) -> LoRaPacket:
        return crc_packet(HEADER_BYTES + ANSWER_BYTES, self.coding_rate, header=True)

    @property
    def _feature(self) -> LoRaPacket:
        return crc_packet(HEADER_BYTES + self.features.bytes, self.coding_rate, header=True)

    @property
    def packets(self) -> list[Packet]:
        """See Competitor.packets."""
        return [self._answer, self._feature]

    def point(self, cell: Cell, delivered: Mapping[str, Share], energy: EnergyModel) -> Point:
        """See Competitor.point."""
        answered = self.confidences >= self.threshold
        answer, feature = delivered[self._answer.key], delivered[self._feature.key]
        arrives, error = (np.where(answered, answer[place], feature[place]) for place in (0, 1))
        correct = np.where(answered, self.answers.correct, self.features.correct)
        share = float(answered.mean())
        air_s = share * self._answer.air_time_s(cell.sf) + (1 - share) * self._feature.air_time_s(cell.sf)
        return Point(
            SCHEME,
            f"SF{cell.sf}, threshold {self.threshold}, {self.features.bytes} bytes, 4/{self.coding_rate}",
            air_s,
            share * self._answer.size + (1 - share) * self._feature.size,
            energy.millijoules(self.features.instructions, air_s),
            (correct * arrives).astype(np.float32),
            float(np.sqrt((correct * arrives * (1 - arrives)).sum()) / len(correct)),
            float((correct * arrives).mean()),
            float((correct * error).mean()),
        )
