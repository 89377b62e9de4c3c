"""Metrics of images sent over one link: both accuracies side by side."""

from dataclasses import dataclass, field

import numpy as np

from host.classify.classifier import Classifier
from host.classify.decoder import Prediction
from host.receive.events import FeatureFrame


@dataclass
class Metrics:
    """Counts of images sent. `accuracy` is of the frames delivered; `accuracy_sent` counts lost ones as wrong."""

    classifier: Classifier
    sent: int = 0
    delivered: int = 0
    correct: int = 0
    estimates: list[float] = field(default_factory=list)

    def lost(self) -> None:
        """Count an image whose frame was lost."""
        self.sent += 1

    def arrived(self, frame: FeatureFrame, label: int) -> Prediction:
        """Classify and count an image whose frame arrived."""
        reading = self.classifier.read(frame)
        self.sent += 1
        self.delivered += 1
        self.estimates.append(reading.ber)
        self.correct += reading.prediction.index == label
        return reading.prediction

    @property
    def frames_lost(self) -> int:
        return self.sent - self.delivered

    @property
    def accuracy(self) -> float:
        return self.correct / self.delivered if self.delivered else 0.0

    @property
    def accuracy_sent(self) -> float:
        return self.correct / self.sent if self.sent else 0.0

    @property
    def ber_estimated(self) -> float:
        """Mean of the estimated bit error rate of the link, over the frames that arrived."""
        return float(np.mean(self.estimates)) if self.estimates else 0.0
