"""The alternatives to Inkling as operating points: answers and features over conventional links.

Each sends its bytes behind a header of 3 bytes (device, sequence, model and chunk) and a check; what is damaged beyond
repair is dropped. Their shares of delivered packets come from `packets`, so that their accuracies are expected values.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.adaptive.frontier import Point
from benchmarks.adaptive.schemes.cells import Cell
from benchmarks.adaptive.schemes.energy import EnergyModel
from benchmarks.adaptive.schemes.packets import CODING_RATES, CodedPacket, LoRaPacket, Packet, Share, crc_packet
from wire.frame import CRC16_BYTES
from wire.lora import MAX_PACKET_BYTES

HEADER_BYTES = 3
ANSWER_BYTES = 1
COPIES = (2, 3)
TRIES = 4  # the first, and up to three retransmissions
CORRECTABLE = (2, 4, 8, 12, 16, 24, 32, 48)  # bytes, of the Reed-Solomon codes tried for features
ANSWER_CORRECTABLE = (1, 2, 4)  # and for answers


class Competitor(Protocol):
    """A way to send images, or a board's results for them, over a conventional link."""

    @property
    def packets(self) -> list[Packet]:
        """The packets whose shares of delivery `point` needs."""

    def point(self, cell: Cell, delivered: Mapping[str, Share], energy: EnergyModel) -> Point:
        """Return the operating point in a cell, given the shares of packets delivered, by their keys."""


@dataclass(frozen=True, eq=False)
class Content:
    """An opponent's content per image, and the images (n,) bool that are classified correctly if it arrives."""

    scheme: str
    bytes: int
    correct: np.ndarray
    instructions: int  # of the board's network


@dataclass(frozen=True, eq=False)
class Opponent:
    """One content over one link. `copies` are sent unasked; `acknowledgement` is sent for a packet that arrives."""

    scheme: str
    setting: str
    content: Content
    packet: Packet
    copies: int = 1
    acknowledgement: Packet | None = None

    @property
    def packets(self) -> list[Packet]:
        """See Competitor.packets."""
        return [self.packet]

    def point(self, cell: Cell, delivered: Mapping[str, Share], energy: EnergyModel) -> Point:
        """See Competitor.point.

        Acknowledgements are never lost, in the opponent's favour. Their air time counts; the board listens for as
        long after each try.
        """
        (share, error), sf = delivered[self.packet.key], cell.sf
        tries = TRIES if self.acknowledgement else self.copies
        arrives = 1 - (1 - share) ** tries
        sent = float(tries) if not self.acknowledgement else arrives / share if share else float(TRIES)
        acknowledgement_s = self.acknowledgement.air_time_s(sf) if self.acknowledgement else 0.0
        sending_s = sent * self.packet.air_time_s(sf)
        return Point(
            self.scheme,
            f"SF{sf}, {self.setting}",
            sending_s + arrives * acknowledgement_s,
            sent * self.packet.size,
            energy.millijoules(self.content.instructions, sending_s, sent * acknowledgement_s),
            self.content.correct * np.float32(arrives),
            *_spread(self.content.correct, arrives),
            float(self.content.correct.mean()) * tries * (1 - share) ** (tries - 1) * error,
        )


@dataclass(frozen=True, eq=False)
class CompressedImages:
    """Compressed images in as many packets as they need, each behind a CRC; all packets have to arrive.

    sizes (n,) in bytes. What compression costs the board is left out, in the opponent's favour.
    """

    scheme: str
    setting: str
    sizes: np.ndarray
    correct: np.ndarray  # (n,) bool
    coding_rate: int

    @property
    def packets(self) -> list[Packet]:
        """See Competitor.packets."""
        rows, _ = self._rows()
        return [self._packet(length) for length in np.unique(rows[rows > 0])]

    def point(self, cell: Cell, delivered: Mapping[str, Share], energy: EnergyModel) -> Point:
        """See Competitor.point."""
        rows, lengths = self._rows()
        arrives, air_s, sent, error = (np.zeros(len(self.sizes)) for _ in range(4))
        arrives += 1
        for length in lengths:
            packet = self._packet(length)
            count = (rows == length).sum(axis=1)
            share = delivered[packet.key]
            # Shares of all lengths come from the same simulated packets, so that their errors add up.
            error = error * share.value**count + arrives * count * share.value ** np.maximum(count - 1, 0) * share.error
            arrives *= share.value**count
            air_s += count * packet.air_time_s(cell.sf)
            sent += count * packet.size
        correct = (self.correct * arrives).astype(np.float32)
        mean_air_s = float(air_s.mean())
        spread = float(np.sqrt((self.correct * arrives * (1 - arrives)).sum()) / len(correct))
        return Point(
            self.scheme,
            f"SF{cell.sf}, {self.setting}",
            mean_air_s,
            float(sent.mean()),
            energy.millijoules(0, mean_air_s),
            correct,
            spread,
            float(correct.mean()),
            float((self.correct * error).mean()),
        )

    def _rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the bytes in each image's packets (n, packets), 0 where there is none, and the lengths that occur."""
        room = MAX_PACKET_BYTES - HEADER_BYTES - CRC16_BYTES
        rows = np.clip(self.sizes[:, None] - np.arange(0, self.sizes.max(), room), 0, room)
        return rows, np.unique(rows[rows > 0])

    def _packet(self, length: int) -> LoRaPacket:
        return crc_packet(HEADER_BYTES + int(length), self.coding_rate, header=True)


def answer_opponents(content: Content) -> Iterator[Opponent]:
    """Yield the board's class as one byte: behind a CRC, repeated, acknowledged, and in two codes.

    The 3-byte header and the byte are in packets of one length, so that LoRa's header can be left out.
    """
    for rate in CODING_RATES:
        packet = crc_packet(HEADER_BYTES + ANSWER_BYTES, rate, header=False)
        yield Opponent(f"{content.scheme}, CRC", f"4/{rate}, implicit header", content, packet)
        for copies in COPIES:
            setting = f"4/{rate}, implicit header, {copies} copies"
            yield Opponent(f"{content.scheme}, repeated", setting, content, packet, copies)
        acknowledgement = crc_packet(HEADER_BYTES, rate, header=False)
        setting = f"4/{rate}, implicit header, up to {TRIES - 1} retransmissions"
        yield Opponent(f"{content.scheme}, ARQ", setting, content, packet, acknowledgement=acknowledgement)
    for correctable in ANSWER_CORRECTABLE:
        total = HEADER_BYTES + ANSWER_BYTES + CRC16_BYTES + 2 * correctable
        reed_solomon = LoRaPacket(total, CODING_RATES[0], False, correctable)
        setting = f"{correctable} correctable, implicit header"
        yield Opponent(f"{content.scheme}, Reed-Solomon", setting, content, reed_solomon)
    yield from _coded(content)


def feature_opponents(content: Content) -> Iterator[Opponent]:
    """Yield features behind a CRC, acknowledged, in Reed-Solomon codes, and behind the convolutional code."""
    size = f"{content.bytes} bytes"
    for header in (False, True):
        mode = "explicit header" if header else "implicit header"
        for rate in CODING_RATES:
            packet = crc_packet(HEADER_BYTES + content.bytes, rate, header)
            if packet.size > MAX_PACKET_BYTES:
                continue
            setting = f"{size}, 4/{rate}, {mode}"
            yield Opponent(f"{content.scheme}, CRC", setting, content, packet)
            acknowledgement = crc_packet(HEADER_BYTES, rate, header)
            setting = f"{setting}, up to {TRIES - 1} retransmissions"
            yield Opponent(f"{content.scheme}, ARQ", setting, content, packet, acknowledgement=acknowledgement)
        for correctable in CORRECTABLE:
            total = HEADER_BYTES + content.bytes + CRC16_BYTES + 2 * correctable
            if total <= MAX_PACKET_BYTES:
                reed_solomon = LoRaPacket(total, CODING_RATES[0], header, correctable)
                setting = f"{size}, {correctable} correctable, {mode}"
                yield Opponent(f"{content.scheme}, Reed-Solomon", setting, content, reed_solomon)
    yield from _coded(content)


def packets_of(competitors: Iterable[Competitor]) -> list[Packet]:
    """Return all packets that competitors need, without repetitions."""
    return list(dict.fromkeys(packet for competitor in competitors for packet in competitor.packets))


def _coded(content: Content) -> Iterator[Opponent]:
    """Yield the same header, content and CRC behind the convolutional code, sent once or until acknowledged."""
    for soft in (True, False):
        packet, acknowledgement = (
            CodedPacket(8 * (HEADER_BYTES + size + CRC16_BYTES), soft) for size in (content.bytes, 0)
        )
        decisions = f"{'soft' if soft else 'hard'} decisions"
        setting = f"{content.bytes} byte{'s' * (content.bytes > 1)}, K=9, {decisions}"
        yield Opponent(f"{content.scheme}, K=9 code, {decisions}", setting, content, packet)
        setting = f"{setting}, up to {TRIES - 1} retransmissions"
        yield Opponent(f"{content.scheme}, K=9 code and ARQ, {decisions}", setting, content, packet, 1, acknowledgement)


def _spread(correct: np.ndarray, arrives: float) -> tuple[float, float]:
    """Return the standard deviation of the accuracy over draws of the channel, and its mean."""
    accuracy = float(correct.mean())
    return float(np.sqrt(accuracy * arrives * (1 - arrives) / len(correct))), accuracy * arrives
