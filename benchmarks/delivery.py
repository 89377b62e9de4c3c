"""Frames of a known device, one after the other, over the binary symmetric channel and into `host.receive.stream`."""

from collections.abc import Callable

import numpy as np

from channel_sim.channels.bsc import BitFlips
from host.classify.ber import BerEstimator, payload_ber
from host.errors import HostError
from host.receive.events import FeatureFrame
from host.receive.stream import StreamReceiver
from wire.bundle import Bundle

BERS = (0.0, 1e-3, 3e-3, 1e-2, 3e-2, 5e-2, 1e-1)
DEVICE = 1
WARM_UP = 20  # clean frames, not counted, by which the receiver comes to know the device

Classify = Callable[[np.ndarray, np.ndarray], np.ndarray]  # symbols (N, S), BER told (N,) -> classes (N,)


class Delivery:
    """One chunk of each picture over a link of one bit error rate; `seed` is that of the flips.

    Of the frames that came: `arrived`, the pictures' numbers; `symbols` (S,) as received; `link_ber`, the rate that
    the receiver estimates; `told_ber`, what it tells the decoder.
    """

    def __init__(self, bundle: Bundle, chunk: int, ber: float, seed: int) -> None:
        self._bundle, self._chunk, self.ber = bundle, chunk, ber
        self._receiver, self._estimator = StreamReceiver([bundle]), BerEstimator()
        self._channel = BitFlips(ber)
        self._rng = np.random.default_rng([seed, chunk, round(ber * 1e6)])
        self.sent = self.wrong_headers = 0
        self.arrived: list[int] = []
        self.symbols: list[np.ndarray] = []
        self.link_ber: list[float] = []
        self.told_ber: list[float] = []

    @property
    def reported_ber(self) -> float | None:
        """What the receiver would report to the sender: its estimate; None before any frame has come."""
        return self.link_ber[-1] if self.link_ber else None

    def send(self, symbols: np.ndarray, each: Callable[[], None]) -> None:
        """Levels (n, S) of the next pictures in the order of sending; `each` is called after every one."""
        if not self.sent:
            for number in range(-WARM_UP, 0):
                self._through(symbols[0], number % 32, BitFlips(0.0))
        for levels in symbols:
            sequence = self.sent % 32
            frames = self._through(levels, sequence, self._channel)
            mine = [f for f in frames if (f.device, f.sequence, f.chunk) == (DEVICE, sequence, self._chunk)]
            self.wrong_headers += len(frames) - len(mine)
            for frame in mine[:1]:
                self.arrived.append(self.sent)
                self.symbols.append(frame.symbols)
                self.link_ber.append(self._estimator.update(frame))
                self.told_ber.append(payload_ber(frame, self.link_ber[-1]))
            self.sent += 1
            each()

    def _through(self, levels: np.ndarray, sequence: int, channel: BitFlips) -> list[FeatureFrame]:
        first, count = self._bundle.chunk_symbols(self._chunk)
        frame = self._bundle.frame(levels[first : first + count], DEVICE, sequence, self._chunk)
        damaged = channel.corrupt(frame, self._rng)
        events = [*self._receiver.feed(damaged or b""), *self._receiver.flush()]
        return [event for event in events if isinstance(event, FeatureFrame)]

    def figures(self, classify: Classify, labels: np.ndarray) -> dict[str, float]:
        """Accuracies of what was sent; labels (N,) of all pictures. HostError when no frame came through."""
        if not self.arrived:
            raise HostError(f"no frame came through at BER {self.ber:g}")
        got, wanted = np.array(self.symbols), labels[self.arrived]
        right = int((classify(got, np.array(self.told_ber)) == wanted).sum())
        right_if_true = int((classify(got, np.full(len(got), max(self.ber, 1e-4))) == wanted).sum())
        return {
            "accuracy": right / len(got),
            "accuracy_sent": right / self.sent,
            "accuracy_true_ber_told": right_if_true / len(got),
            "frames_lost": self.sent - len(got),
            "wrong_headers": self.wrong_headers,
            "ber_estimated": float(np.mean(self.link_ber)),
        }
