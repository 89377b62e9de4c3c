"""Conventional packets over a LoRa link: the share that arrives undamaged, simulated once per cell.

What a damaged packet held does not matter to a receiver that drops it, so each share serves every image and every
classifier. A packet of B bytes is damaged exactly like the first B bytes of a longer one, so one simulation of the
longest packets that LoRa has serves all lengths, whichever are asked for first.
"""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.adaptive.schemes.cells import Cell
from channel_sim.channels.coded_css import CodedCss
from channel_sim.channels.lora import LoRa
from wire.files import write_whole
from wire.frame import CRC16_BYTES
from wire.lora import MAX_PACKET_BYTES

CODING_RATES = (5, 6, 7, 8)  # 4/5 to 4/8
BLOCK = 200  # packets at once, which bounds the memory


@dataclass(frozen=True)
class LoRaPacket:
    """A packet of LoRa's own coding chain that tolerates some wrong bytes.

    `size` in bytes, its CRC-16 included. correctable: bytes that a Reed-Solomon code corrects; 0 behind a CRC alone.
    """

    size: int
    coding_rate: int
    header: bool  # LoRa's explicit header; without it, both ends know the length
    correctable: int = 0

    def air_time_s(self, sf: int) -> float:
        """Return the air time in seconds."""
        radio = LoRa(0.0, sf, self.coding_rate, explicit_header=self.header, crc=False)
        return radio.air_time_s(self.size)

    @property
    def key(self) -> str:
        """Name in the kept figures."""
        return f"lora {self.size} 4/{self.coding_rate} {'explicit' if self.header else 'implicit'} {self.correctable}"


@dataclass(frozen=True)
class CodedPacket:
    """A packet of data bits, CRC-16 included, behind the convolutional code of `channel_sim.channels.convolutional`."""

    data_bits: int
    soft: bool

    def air_time_s(self, sf: int) -> float:
        """Return the air time in seconds."""
        return CodedCss(0.0, sf).air_time_s(self.data_bits)

    @property
    def size(self) -> float:
        """Coded bytes on the air."""
        return 2 * (self.data_bits + 8) / 8

    @property
    def key(self) -> str:
        """Name in the kept figures."""
        return f"coded {self.data_bits} {'soft' if self.soft else 'hard'}"


Packet = LoRaPacket | CodedPacket


class Share(NamedTuple):
    """A share of packets that arrive undamaged, and its standard error."""

    value: float
    error: float

    @classmethod
    def of(cls, value: float, packets: int) -> "Share":
        """Return a share of so many simulated packets. Its error is not 0 where all or none of them arrive."""
        likely = (value * packets + 1) / (packets + 2)  # the rule of succession
        return cls(value, float(np.sqrt(likely * (1 - likely) / packets)))


@dataclass(frozen=True)
class Simulation:
    """Size and seed of the simulations, and the folder in which their results are kept."""

    lora_packets: int
    coded_packets: int
    seed: int
    folder: Path

    def delivered(self, cell: Cell, packets: Iterable[Packet]) -> dict[str, Share]:
        """Return the share of each packet that arrives undamaged, by its key."""
        wanted = {packet.key: packet for packet in packets}
        if cell.is_clean or cell.is_dead:
            return dict.fromkeys(wanted, Share(float(cell.is_clean), 0.0))
        file = self.folder / f"packets_{cell.name}.json"
        known: dict[str, float] = json.loads(file.read_text()) if file.is_file() else {}
        missing = [packet for key, packet in wanted.items() if key not in known]
        if missing:
            known |= self._lora(cell, [packet for packet in missing if isinstance(packet, LoRaPacket)])
            known |= self._coded(cell, [packet for packet in missing if isinstance(packet, CodedPacket)])
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(file, json.dumps(known).encode())
        return {key: Share.of(known[key], self._count(packet)) for key, packet in wanted.items()}

    def _count(self, packet: Packet) -> int:
        return self.coded_packets if isinstance(packet, CodedPacket) else self.lora_packets

    def _lora(self, cell: Cell, packets: list[LoRaPacket]) -> dict[str, float]:
        arrived = dict.fromkeys((packet.key for packet in packets), 0)
        for rate, header in sorted({(packet.coding_rate, packet.header) for packet in packets}):
            alike = [packet for packet in packets if (packet.coding_rate, packet.header) == (rate, header)]
            radio = LoRa(cell.snr_db, cell.sf, rate, explicit_header=header, crc=False)
            rng = self._rng(f"{cell.name} {rate} {header}")
            for first in range(0, self.lora_packets, BLOCK):
                count = min(BLOCK, self.lora_packets - first)
                received, _, lost = radio.transmit(np.zeros((count, MAX_PACKET_BYTES), np.uint8), rng)
                wrong = np.cumsum(received != 0, axis=1)
                for packet in alike:
                    arrived[packet.key] += int((~lost & (wrong[:, packet.size - 1] <= packet.correctable)).sum())
        return {key: count / self.lora_packets for key, count in arrived.items()}

    def _coded(self, cell: Cell, packets: list[CodedPacket]) -> dict[str, float]:
        shares = {}
        for bits in sorted({packet.data_bits for packet in packets}):
            rng = self._rng(f"{cell.name} coded {bits}")
            data = rng.integers(0, 2, (self.coded_packets, bits), np.uint8)
            for decoded, soft in zip(CodedCss(cell.snr_db, cell.sf).transmit(data, rng), (True, False), strict=True):
                shares[CodedPacket(bits, soft).key] = float((decoded == data).all(axis=1).mean())
        return shares

    def _rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])


def crc_packet(content_bytes: int, coding_rate: int, header: bool) -> LoRaPacket:
    """Return a packet that is dropped if its CRC-16 is wrong. `content_bytes` are without the CRC."""
    return LoRaPacket(content_bytes + CRC16_BYTES, coding_rate, header)
