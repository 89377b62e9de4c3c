"""Inkling in the comparison: real frames through the real receiver and classifier."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.delivery import DEVICE, WARM_UP
from benchmarks.goodput.baselines import OnProgress, Outcome
from benchmarks.goodput.links import Link
from channel_sim.channels.bsc import BitFlips
from channel_sim.channels.lora import LoRa
from host.classify.classifier import Classifier
from host.classify.decoder import Decoder
from host.receive.events import Event, FeatureFrame
from host.receive.radio import PacketReceiver
from host.receive.stream import StreamReceiver
from wire.bundle import Bundle
from wire.frame import SEQUENCES

BATCH = 500  # frames sent at once


@dataclass(frozen=True)
class Inkling:
    """One chunk of a bundle's payload, sent by a known device, one frame after the other."""

    title: str
    bundle: Bundle
    decoder: Decoder
    symbols: np.ndarray  # (n, S)
    labels: np.ndarray  # (n,)
    chunk: int
    header: bool = True  # LoRa's explicit header; without it, both ends know the length of a packet

    def send(self, link: Link, value: float, rng: np.random.Generator, on_progress: OnProgress) -> Outcome:
        """See Scheme.send. A frame is lost if the radio's header or Inkling's header is unreadable."""
        own: dict[int, FeatureFrame] = {}  # by the number of the image
        wrong_headers = 0
        for number, events in enumerate(self._received(link, value, rng), -WARM_UP):
            if number < 0:
                continue
            frames = [event for event in events if isinstance(event, FeatureFrame)]
            expected = (DEVICE, number % SEQUENCES, self.chunk)
            matching = [frame for frame in frames if (frame.device, frame.sequence, frame.chunk) == expected]
            wrong_headers += len(frames) - len(matching)
            if matching:
                own[number] = matching[0]
            on_progress(1)
        readings = Classifier({self.bundle.model_id: self.decoder}).read_all(list(own.values()))
        arrived, correct = np.zeros(len(self.labels), bool), np.zeros(len(self.labels), bool)
        arrived[list(own)] = True
        classes = np.array([reading.prediction.index for reading in readings], np.int64)
        correct[arrived] = classes == self.labels[arrived]
        layout = self.bundle.chunk_layout(self.chunk)
        extra = {
            "frame_bytes": link.inkling_bytes(layout),
            "wrong_headers": wrong_headers,
            "ber_estimated": float(np.mean([reading.ber for reading in readings])) if readings else 0.0,
        }
        return Outcome(correct, arrived, np.full(len(self.labels), link.inkling_air_s(layout, self.header)), extra)

    def _received(self, link: Link, value: float, rng: np.random.Generator) -> Iterator[Sequence[Event | None]]:
        """Yield the receiver's events for each frame, first those of the warm-up."""
        if link.sf is None:
            return self._received_by_line(value, rng)
        radio = link.radio(value, header=self.header)
        assert isinstance(radio, LoRa)
        return self._received_by_radio(radio, rng)

    def _received_by_line(self, ber: float, rng: np.random.Generator) -> Iterator[Sequence[Event | None]]:
        receiver, channel, clean = StreamReceiver([self.bundle]), BitFlips(ber), BitFlips(0.0)
        for number in range(-WARM_UP, len(self.labels)):
            damaged = (clean if number < 0 else channel).corrupt(self._frame(number, sync=True), rng)
            yield [*receiver.feed(damaged or b""), *receiver.flush()]

    def _received_by_radio(self, radio: LoRa, rng: np.random.Generator) -> Iterator[Sequence[Event | None]]:
        receiver = PacketReceiver([self.bundle])
        for number in range(-WARM_UP, 0):
            yield [receiver.take(self._frame(number, sync=False))]
        for first in range(0, len(self.labels), BATCH):
            batch = range(first, min(first + BATCH, len(self.labels)))
            frames = np.frombuffer(b"".join(self._frame(n, sync=False) for n in batch), np.uint8)
            for packet in radio.receive_all(frames.reshape(len(batch), -1), rng):
                yield [receiver.take(packet.payload, packet.snr_db, packet.rssi_dbm) if packet else None]

    def _frame(self, number: int, sync: bool) -> bytes:
        symbols = self.symbols[max(number, 0), self.bundle.chunk_slice(self.chunk)]
        return self.bundle.frame(symbols, DEVICE, number % SEQUENCES, self.chunk, sync=sync)
