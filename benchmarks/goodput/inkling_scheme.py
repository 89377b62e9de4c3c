"""Inkling itself among the compared systems: real frames through the real receiver, estimated error rate told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.goodput.baselines import Outcome
from benchmarks.goodput.links import Link
from channel_sim.channels.bsc import BitFlips
from host.classify.ber import BerEstimator, payload_ber
from host.classify.decoder import Decoder
from host.receive.events import FeatureFrame
from host.receive.headers import SEQUENCES
from host.receive.radio import PacketReceiver
from host.receive.stream import StreamReceiver
from wire.bundle import Bundle

DEVICE = 1
WARM_UP = 20  # clean frames, not counted, by which the receiver comes to know the device
BATCH = 500


@dataclass(frozen=True)
class Inkling:
    """One chunk of a bundle's payload, as a known device sends it, one frame after the other."""

    title: str
    bundle: Bundle
    decoder: Decoder
    symbols: np.ndarray  # (n, S)
    labels: np.ndarray  # (n,)
    chunk: int
    header: bool = True  # LoRa's own; without it, both ends know how long a packet is

    def send(self, medium: Link, value: float, rng: np.random.Generator, each: Callable[[int], None]) -> Outcome:
        """See System.send. A frame whose radio header or Inkling header is unreadable is lost."""
        arrived = np.zeros(len(self.labels), bool)
        got, link, told, wrong = [], [], [], 0
        estimator = BerEstimator()
        for number, events in enumerate(self._received(medium, value, rng), -WARM_UP):
            if number < 0:
                continue
            frames = [event for event in events if isinstance(event, FeatureFrame)]
            expected = (DEVICE, number % SEQUENCES, self.chunk)
            mine = [f for f in frames if (f.device, f.sequence, f.chunk) == expected]
            wrong += len(frames) - len(mine)
            for frame in mine[:1]:
                arrived[number] = True
                got.append(frame.symbols)
                link.append(estimator.update(frame))
                told.append(payload_ber(frame, link[-1]))
            each(1)
        right = np.zeros(len(self.labels), bool)
        right[arrived] = classes(self.decoder, got, told) == self.labels[arrived]
        layout = self.bundle.chunk_layout(self.chunk)
        extra = {
            "frame_bytes": medium.inkling_bytes(layout),
            "wrong_headers": wrong,
            "ber_estimated": float(np.mean(link)) if link else 0.0,
        }
        return Outcome(right, arrived, np.full(len(self.labels), medium.inkling_air_s(layout, self.header)), extra)

    def _received(self, medium: Link, value: float, rng: np.random.Generator) -> Iterator[list]:
        """What the receiver makes of each frame, the warm-up's first."""
        if medium.sf is None:
            receiver, channel, clean = StreamReceiver([self.bundle]), BitFlips(value), BitFlips(0.0)
            for number in range(-WARM_UP, len(self.labels)):
                damaged = (clean if number < 0 else channel).corrupt(self._frame(number, sync=True), rng)
                yield [*receiver.feed(damaged or b""), *receiver.flush()]
            return
        radio, packets = medium.link(value, header=self.header), PacketReceiver([self.bundle])
        for number in range(-WARM_UP, 0):
            yield [packets.take(self._frame(number, sync=False))]
        for first in range(0, len(self.labels), BATCH):
            batch = range(first, min(first + BATCH, len(self.labels)))
            frames = np.frombuffer(b"".join(self._frame(n, sync=False) for n in batch), np.uint8)
            for reception in radio.receive_all(frames.reshape(len(batch), -1), rng):
                yield [reception and packets.take(reception.payload, reception.snr_db, reception.rssi_dbm)]

    def _frame(self, number: int, sync: bool) -> bytes:
        first, count = self.bundle.chunk_symbols(self.chunk)
        levels = self.symbols[max(number, 0), first : first + count]
        return self.bundle.frame(levels, DEVICE, number % SEQUENCES, self.chunk, sync)


def classes(decoder: Decoder, symbols: list[np.ndarray] | np.ndarray, ber: list[float] | np.ndarray) -> np.ndarray:
    """The class of each picture by its symbols (N, S) and the bit error rate told (N,), int64 (N,)."""
    symbols, ber = np.array(symbols), np.array(ber)
    found = [decoder.logits(symbols[i : i + BATCH], ber[i : i + BATCH]).argmax(1) for i in range(0, len(ber), BATCH)]
    return np.concatenate(found) if found else np.empty(0, np.int64)
