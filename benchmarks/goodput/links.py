"""The links of the comparison: LoRa at three spreading factors, and a serial radio that flips bits.

All have the interface `Radio`, so that each baseline is written once.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from channel_sim.channels.bsc import BER_GRID, BitFlips
from channel_sim.channels.lora import LoRa
from wire.crc import crc16
from wire.frame import CRC16_BYTES, SYNC, FeatureLayout

BAUD, BITS_PER_BYTE = 9600, 10  # start and stop bit included
# crc16 of each single byte. The CRC is linear, so one table serves a whole column of frames at once.
_CRC_TABLE = np.array([crc16(bytes([byte]), 0) for byte in range(256)], np.uint16)


class Radio(Protocol):
    """A link that detects damaged frames by a CRC-16 of its own."""

    def transmit(self, frames: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return frames uint8 (n, B) as received uint8 (n, B), CRC correct bool (n,), packet lost bool (n,)."""

    def air_time_s(self, payload_bytes: int) -> float:
        """Return the air time in seconds of a frame of so many bytes, with everything that the link adds."""


class SerialRadio:
    """Sync, frame and CRC-16 over a channel of independent bit flips. The sync is always found."""

    def __init__(self, ber: float, crc: bool = True) -> None:
        self._flips = BitFlips(ber)
        self._crc_bytes = CRC16_BYTES if crc else 0

    def transmit(self, frames: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See Radio.transmit. The result of a CRC depends on the flips alone, not on the data."""
        count, size = frames.shape
        mask, lost = self._flips.flips(count, 8 * (size + self._crc_bytes), rng)
        flipped = np.packbits(mask, axis=1)
        return frames ^ flipped[:, :size], crc_of_rows(flipped) == 0, lost

    def air_time_s(self, payload_bytes: int) -> float:
        """See Radio.air_time_s."""
        return (len(SYNC) + payload_bytes + self._crc_bytes) * BITS_PER_BYTE / BAUD


@dataclass(frozen=True)
class Link:
    """A kind of link and its states in the comparison: SNRs in dB for LoRa, else bit error rates."""

    title: str
    values: tuple[float, ...]
    sf: int | None = None  # spreading factor; None for the serial radio

    @property
    def state(self) -> str:
        """The quantity that the values are of."""
        return "bit error rate" if self.sf is None else "SNR in dB"

    def radio(self, value: float, coding_rate: int = 5, crc: bool = True, header: bool = True) -> Radio:
        """Return the link in one of its states. `header`: LoRa's explicit header, which carries the length."""
        if self.sf is None:
            return SerialRadio(value, crc)
        return LoRa(value, sf=self.sf, coding_rate=coding_rate, crc=crc, explicit_header=header)

    def inkling_bytes(self, layout: FeatureLayout) -> int:
        """Return the bytes of an Inkling frame, with Inkling's sync on a serial line only."""
        return layout.serial_size if self.sf is None else layout.size

    def inkling_air_s(self, layout: FeatureLayout, header: bool = True) -> float:
        """Return the air time in seconds of an Inkling frame, which has its own sync and CRC-16 on a serial line."""
        if self.sf is None:
            return layout.serial_size * BITS_PER_BYTE / BAUD
        return self.radio(0.0, header=header).air_time_s(layout.size)


def _snrs(first: int, halves: bool) -> tuple[float, ...]:
    """Return nine SNRs 1 dB apart, from nearly total loss to a clean link; with half dBs in the steep part."""
    return tuple(sorted([*range(first, first + 9), *(first + half / 2 for half in range(3, 12, 2) if halves)]))


LINKS = {
    "sf7": Link("LoRa SF7", _snrs(-13, True), 7),
    "sf8": Link("LoRa SF8", _snrs(-16, False), 8),
    "sf9": Link("LoRa SF9", _snrs(-19, True), 9),
    "bsc": Link("serial radio", BER_GRID),
}


def crc_of_rows(rows: np.ndarray) -> np.ndarray:
    """Return wire.crc.crc16 from 0 of each row: uint8 (n, B) -> uint16 (n,)."""
    register = np.zeros(len(rows), np.uint16)
    for column in rows.T:
        register = register << 8 ^ _CRC_TABLE[register >> 8 ^ column]
    return register
