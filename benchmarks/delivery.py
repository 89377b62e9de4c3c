"""Images over the binary symmetric channel: frames of a known device, received and classified as a host does it."""

from collections.abc import Callable

import numpy as np

from benchmarks.encoding import ANSWER, Encoded
from benchmarks.metrics import Metrics
from benchmarks.sender import WARM_UP, Sender
from channel_sim.channels.bsc import BitFlips
from host.classify.classifier import Classifier, LogitsModel, Reading
from host.errors import HostError
from host.receive.events import AnswerFrame, Event, FeatureFrame
from host.receive.stream import StreamReceiver
from wire.model import MIN_BER, Model


class FrameStream:
    """The frames of one device over one link at one bit error rate, as the receiver finds them.

    Of each image one chunk is sent (ANSWER: the board's answer), or the answer if its confidence level is at least
    `threshold`. `seed` is that of the bit flips.
    """

    def __init__(self, model: Model, chunk: int, ber: float, seed: int, threshold: int | None = None) -> None:
        self._model, self._chunk, self._threshold = model, chunk, threshold
        self._receiver = StreamReceiver([model])
        self._channel = BitFlips(ber)
        self._rng = np.random.default_rng([seed, chunk - ANSWER, round(ber * 1e6)])
        self.sent = 0
        self.wrong_headers = 0

    @property
    def sends_answers(self) -> bool:
        """Some images or all are sent as answers."""
        return self._threshold is not None or self._chunk == ANSWER

    def send(self, encoded: Encoded, on_progress: Callable[[int], None]) -> list[FeatureFrame | AnswerFrame | None]:
        """Send the next n images in their order; return the frame of each, None if it is lost.

        `on_progress` is called with the number of images sent since the last call.
        """
        first = self.sent
        sender = Sender(self._model, encoded, encoded.chunks(self._chunk, self._threshold), first)
        if not first:
            for number in range(-WARM_UP, 0):
                self._transmit(sender, number, BitFlips(0.0))
        frames = []
        for number in range(first, first + len(encoded.symbols)):
            frame, others = sender.own(self._transmit(sender, number, self._channel), number)
            self.wrong_headers += others
            frames.append(frame)
            on_progress(1)
        self.sent += len(frames)
        return frames

    def _transmit(self, sender: Sender, number: int, channel: BitFlips) -> list[Event]:
        """Send one image; return what the receiver finds."""
        damaged = channel.corrupt(sender.frame(number, sync=True), self._rng)
        return [*self._receiver.feed(damaged or b""), *self._receiver.flush()]


class Delivery:
    """Sends images as a FrameStream does, and classifies what arrives."""

    def __init__(
        self, model: Model, decoder: LogitsModel, chunk: int, ber: float, seed: int, threshold: int | None = None
    ) -> None:
        self._model, self.ber = model, ber
        self._stream = FrameStream(model, chunk, ber, seed, threshold)
        self._classifier = Classifier({model.model_id: decoder})
        self._readings: list[Reading] = []
        self._labels: list[int] = []  # of the readings
        self.metrics = Metrics()

    @property
    def wrong_headers(self) -> int:
        """The number of frames that were found but not sent."""
        return self._stream.wrong_headers

    @property
    def reported_ber(self) -> float | None:
        """The receiver's latest estimate, which it would report to the sender; None before the first frame."""
        return self._readings[-1].ber if self._readings else None

    def send(self, encoded: Encoded, labels: np.ndarray, on_progress: Callable[[int], None]) -> None:
        """Send and classify the next images, with labels (n,), in the order of sending.

        `on_progress` is called with the number of images sent since the last call.
        """
        frames = self._stream.send(encoded, on_progress)
        arrived = [(frame, label) for frame, label in zip(frames, labels.tolist(), strict=True) if frame]
        readings = self._classifier.read_all([frame for frame, _ in arrived])
        for reading, (_, label) in zip(readings, arrived, strict=True):
            self.metrics.arrived(reading, label)
            self._labels.append(label)
        self._readings += readings
        for _ in range(len(labels) - len(arrived)):
            self.metrics.lost()

    def figures(self) -> dict[str, float]:
        """Return the accuracies and losses of what was sent. Raises HostError if no frame arrived."""
        if not self._readings:
            raise HostError(f"no frame arrived at BER {self.ber:g}")
        given = {} if self._stream.sends_answers else {"accuracy_true_ber_given": self._accuracy_true_ber_given()}
        return {
            "accuracy": self.metrics.accuracy,
            "accuracy_sent": self.metrics.accuracy_sent,
            **given,
            "frames_lost": self.metrics.frames_lost,
            "wrong_headers": self.wrong_headers,
            "ber_estimated": self.metrics.ber_estimated,
        }

    def _accuracy_true_ber_given(self) -> float:
        """Return the accuracy of the frames delivered if the decoder is given the true bit error rate."""
        symbols = np.array([reading.symbols for reading in self._readings])
        answers = np.array([reading.answer_word for reading in self._readings])
        true_ber = np.full(len(symbols), max(self.ber, MIN_BER))
        predictions = self._classifier.decode(self._model.model_id, symbols, true_ber, answers)
        return sum(p.index == label for p, label in zip(predictions, self._labels, strict=True)) / len(predictions)
