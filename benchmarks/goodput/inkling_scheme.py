"""Inkling in the comparison: real frames through the real receiver and classifier."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from benchmarks.goodput.baselines import OnProgress, Outcome
from benchmarks.goodput.links import BAUD, BITS_PER_BYTE, Link
from benchmarks.sender import WARM_UP, Sender
from channel_sim.channels.bsc import BitFlips
from channel_sim.channels.lora import Reception
from host.classify.classifier import Classifier, LogitsModel
from host.receive.events import AnswerFrame, Event, FeatureFrame, Refused
from host.receive.radio import PacketReceiver
from host.receive.stream import StreamReceiver

BATCH = 500  # frames sent at once


@runtime_checkable
class PacketRadio(Protocol):
    """A radio that hands over packets with its readings, such as LoRa."""

    def receive_all(self, frames: np.ndarray, rng: np.random.Generator) -> list[Reception | None]:
        """Send frames uint8 (n, B) and return what is received."""


@dataclass(frozen=True)
class Inkling:
    """Features, answers or both, sent by a known device, one frame after the other; labels (n,)."""

    title: str
    sender: Sender
    decoder: LogitsModel
    labels: np.ndarray
    coding_rate: int = 5
    header: bool = True  # LoRa's explicit header; without it, both ends know the length of a packet

    def send(self, link: Link, value: float, rng: np.random.Generator, on_progress: OnProgress) -> Outcome:
        """See Scheme.send. A frame is lost if the radio's header or Inkling's header is unreadable.

        A secured frame is lost, too, if it is refused because its header tag is too damaged to be authentic.
        """
        own: dict[int, FeatureFrame | AnswerFrame] = {}  # by the number of the image
        wrong_headers = refused = 0
        for number, events in enumerate(self._received(link, value, rng), -WARM_UP):
            if number < 0:
                continue
            frame, others = self.sender.own(events, number)
            wrong_headers += others
            refused += any(isinstance(event, Refused) for event in events) and frame is None
            if frame:
                own[number] = frame
            on_progress(1)
        readings = Classifier({self.sender.model.model_id: self.decoder}).read_all(list(own.values()))
        arrived, correct = np.zeros(len(self.labels), bool), np.zeros(len(self.labels), bool)
        arrived[list(own)] = True
        classes = np.array([reading.prediction.index for reading in readings], np.int64)
        correct[arrived] = classes == self.labels[arrived]
        sizes = np.array([len(self.sender.frame(n, sync=link.sf is None)) for n in range(len(self.labels))])
        extra = {
            "frame_bytes": float(sizes.mean()),
            "wrong_headers": wrong_headers,
            "ber_estimated": float(np.mean([reading.ber for reading in readings])) if readings else 0.0,
        }
        if self.sender.keys:
            extra["refused"] = refused
        air_s = {size: self._air_time_s(link, size) for size in np.unique(sizes).tolist()}
        return Outcome(correct, arrived, np.array([air_s[size] for size in sizes.tolist()]), extra)

    def _air_time_s(self, link: Link, size: int) -> float:
        """Return the seconds that a frame takes; on a serial line, it has its own sync and CRC-16."""
        if link.sf is None:
            return size * BITS_PER_BYTE / BAUD
        return link.radio(0.0, self.coding_rate, header=self.header).air_time_s(size)

    def _received(self, link: Link, value: float, rng: np.random.Generator) -> Iterator[Sequence[Event | None]]:
        """Yield the receiver's events for each frame, first those of the warm-up."""
        if link.sf is None:
            return self._received_by_line(value, rng)
        radio = link.radio(value, self.coding_rate, header=self.header)
        assert isinstance(radio, PacketRadio)
        return self._received_by_radio(radio, rng)

    def _received_by_line(self, ber: float, rng: np.random.Generator) -> Iterator[Sequence[Event | None]]:
        receiver = StreamReceiver([self.sender.model], policies=self.sender.policies)
        channel, clean = BitFlips(ber), BitFlips(0.0)
        for number in range(-WARM_UP, len(self.labels)):
            damaged = (clean if number < 0 else channel).corrupt(self.sender.frame(number, sync=True), rng)
            yield [*receiver.feed(damaged or b""), *receiver.flush()]

    def _received_by_radio(self, radio: PacketRadio, rng: np.random.Generator) -> Iterator[Sequence[Event | None]]:
        receiver = PacketReceiver([self.sender.model], policies=self.sender.policies)
        for number in range(-WARM_UP, 0):
            yield [receiver.take(self.sender.frame(number, sync=False))]
        for first in range(0, len(self.labels), BATCH):
            batch = range(first, min(first + BATCH, len(self.labels)))
            frames = [self.sender.frame(number, sync=False) for number in batch]
            packets: list[Reception | None] = [None] * len(frames)
            for size in sorted({len(frame) for frame in frames}):  # the radio takes frames of one length at once
                places = [place for place, frame in enumerate(frames) if len(frame) == size]
                joined = np.frombuffer(b"".join(frames[place] for place in places), np.uint8)
                for place, packet in zip(places, radio.receive_all(joined.reshape(-1, size), rng), strict=True):
                    packets[place] = packet
            for packet in packets:
                yield [receiver.take(packet.payload, packet.snr_db, packet.rssi_dbm) if packet else None]
