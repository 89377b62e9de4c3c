"""Images over the binary symmetric channel: frames of a known device, received and classified as a host does it."""

from collections.abc import Callable

import numpy as np

from benchmarks.metrics import Metrics
from channel_sim.channels.bsc import BitFlips
from host.classify.classifier import Classifier, LogitsModel, Reading
from host.errors import HostError
from host.receive.events import FeatureFrame
from host.receive.stream import StreamReceiver
from wire.frame import SEQUENCES
from wire.model import MIN_BER, Model

DEVICE = 1
WARM_UP = 20  # clean frames, not counted, that make the device known to the receiver


class Delivery:
    """Sends one chunk of each image at one bit error rate, and classifies what arrives.

    `seed` is that of the bit flips.
    """

    def __init__(self, model: Model, decoder: LogitsModel, chunk: int, ber: float, seed: int) -> None:
        self._model, self._chunk, self.ber = model, chunk, ber
        self._receiver = StreamReceiver([model])
        self._classifier = Classifier({model.model_id: decoder})
        self._channel = BitFlips(ber)
        self._rng = np.random.default_rng([seed, chunk, round(ber * 1e6)])
        self._readings: list[Reading] = []
        self._labels: list[int] = []  # of the readings
        self.metrics = Metrics()
        self.wrong_headers = 0

    @property
    def reported_ber(self) -> float | None:
        """The receiver's latest estimate, which it would report to the sender; None before the first frame."""
        return self._readings[-1].ber if self._readings else None

    def send(self, symbols: np.ndarray, labels: np.ndarray, on_progress: Callable[[int], None]) -> None:
        """Send and classify the next images.

        symbols (n, S) and labels (n,) are in the order of sending; `on_progress` is called with the number of images
        sent since the last call.
        """
        if not self.metrics.sent:
            for number in range(-WARM_UP, 0):
                self._transmit(symbols[0], number % SEQUENCES, BitFlips(0.0))
        arrived: list[tuple[FeatureFrame, int]] = []
        for number, (image, label) in enumerate(zip(symbols, labels.tolist(), strict=True), self.metrics.sent):
            sequence = number % SEQUENCES
            frames = self._transmit(image, sequence, self._channel)
            matching = [f for f in frames if (f.device, f.sequence, f.chunk) == (DEVICE, sequence, self._chunk)]
            self.wrong_headers += len(frames) - len(matching)
            arrived += [(frame, label) for frame in matching[:1]]
            on_progress(1)
        readings = self._classifier.read_all([frame for frame, _ in arrived])
        for reading, (_, label) in zip(readings, arrived, strict=True):
            self.metrics.arrived(reading, label)
            self._labels.append(label)
        self._readings += readings
        for _ in range(len(symbols) - len(arrived)):
            self.metrics.lost()

    def _transmit(self, symbols: np.ndarray, sequence: int, channel: BitFlips) -> list[FeatureFrame]:
        """Send the chunk of one image's symbols (S,); return what the receiver finds."""
        frame = self._model.frame(symbols[self._model.chunk_slice(self._chunk)], DEVICE, sequence, self._chunk)
        damaged = channel.corrupt(frame, self._rng)
        events = [*self._receiver.feed(damaged or b""), *self._receiver.flush()]
        return [event for event in events if isinstance(event, FeatureFrame)]

    def figures(self) -> dict[str, float]:
        """Return the accuracies and losses of what was sent. Raises HostError if no frame arrived."""
        if not self._readings:
            raise HostError(f"no frame arrived at BER {self.ber:g}")
        symbols = np.array([reading.symbols for reading in self._readings])
        true_ber = np.full(len(symbols), max(self.ber, MIN_BER))
        predictions = self._classifier.decode(self._model.model_id, symbols, true_ber)
        pairs = zip(predictions, self._labels, strict=True)
        return {
            "accuracy": self.metrics.accuracy,
            "accuracy_sent": self.metrics.accuracy_sent,
            "accuracy_true_ber_told": sum(p.index == label for p, label in pairs) / len(predictions),
            "frames_lost": self.metrics.frames_lost,
            "wrong_headers": self.wrong_headers,
            "ber_estimated": self.metrics.ber_estimated,
        }
