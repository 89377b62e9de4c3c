"""Metrics of the images that are sent over one link."""

from dataclasses import dataclass, field

import numpy as np

from host.classify.classifier import Reading


@dataclass
class Metrics:
    """Counts of images sent. `accuracy` is of the frames delivered; `accuracy_sent` counts lost frames as wrong."""

    sent: int = 0
    delivered: int = 0
    correct: int = 0
    estimates: list[float] = field(default_factory=list)

    def lost(self) -> None:
        """Count an image whose frame was lost."""
        self.sent += 1

    def arrived(self, reading: Reading, label: int) -> None:
        """Count an image whose frame arrived and was classified."""
        self.sent += 1
        self.delivered += 1
        self.estimates.append(reading.ber)
        self.correct += reading.prediction.index == label

    @property
    def frames_lost(self) -> int:
        """The number of images whose frame did not arrive."""
        return self.sent - self.delivered

    @property
    def accuracy(self) -> float:
        """The share of delivered images that are classified correctly; 0 if none was delivered."""
        return self.correct / self.delivered if self.delivered else 0.0

    @property
    def accuracy_sent(self) -> float:
        """The share of all images that are delivered and classified correctly; 0 if none was sent."""
        return self.correct / self.sent if self.sent else 0.0

    @property
    def ber_estimated(self) -> float:
        """The mean of the link's estimated bit error rate over the frames that arrived."""
        return float(np.mean(self.estimates)) if self.estimates else 0.0
