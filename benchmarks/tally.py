"""Counting what came of the pictures that were sent: DESIGN's two accuracies, side by side."""

from dataclasses import dataclass, field

import numpy as np

from host.classify.ber import BerEstimator, payload_ber
from host.classify.decoder import Decoder, Found
from host.receive.events import FeatureFrame


@dataclass
class Tally:
    """Pictures sent over one link. `accuracy` is of the frames delivered, `accuracy_sent` counts lost as wrong."""

    decoder: Decoder
    estimator: BerEstimator = field(default_factory=BerEstimator)
    sent: int = 0
    delivered: int = 0
    right: int = 0
    estimates: list[float] = field(default_factory=list)

    def lost(self) -> None:
        """A picture whose frame did not come."""
        self.sent += 1

    def arrived(self, frame: FeatureFrame, label: int) -> Found:
        """A picture whose frame came: estimate the BER as a receiver does, decode, count."""
        self.sent += 1
        self.delivered += 1
        self.estimates.append(self.estimator.update(frame))
        found = self.decoder.classify(frame.symbols, payload_ber(frame, self.estimates[-1]))
        self.right += found.index == label
        return found

    @property
    def frames_lost(self) -> int:
        return self.sent - self.delivered

    @property
    def accuracy(self) -> float:
        return self.right / self.delivered if self.delivered else 0.0

    @property
    def accuracy_sent(self) -> float:
        return self.right / self.sent if self.sent else 0.0

    @property
    def ber_estimated(self) -> float:
        """Mean of the link's bit error rate as estimated, over the frames that came."""
        return float(np.mean(self.estimates)) if self.estimates else 0.0
