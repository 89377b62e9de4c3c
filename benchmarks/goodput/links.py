"""The links that systems are compared over: LoRa at three spreading factors, and a serial radio that flips bits.

All have the one interface of `Radio`, so that every opponent is written once.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from channel_sim.channels.bsc import BitFlips
from channel_sim.channels.lora import LoRa
from wire.crc import crc16
from wire.frame import CRC16_BYTES, SYNC, FeatureLayout

BAUD, BITS_A_BYTE = 9600, 10  # start and stop bit included
LARGEST_PACKET = 255  # what the length byte of a LoRa packet can say
# crc16 of each single byte: the CRC is linear, so a table of it serves for a whole column of frames at once.
_CRC_TABLE = np.array([crc16(bytes([byte]), 0) for byte in range(256)], np.uint16)


class Radio(Protocol):
    """A link that tells damaged frames from clean ones by a CRC-16 of its own."""

    def transmit(self, frames: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frames uint8 (n, B) -> as received uint8 (n, B), CRC right (n,), lost altogether (n,)."""

    def air_time_s(self, payload_bytes: int) -> float:
        """Seconds that a frame of so many bytes is on the air, with all that the link adds."""


class SerialRadio:
    """Sync, frame, CRC-16 over a channel that flips each bit alone. The sync is found whatever happens to it."""

    def __init__(self, ber: float, crc: bool = True) -> None:
        self._flips = BitFlips(ber)
        self._crc_bytes = CRC16_BYTES if crc else 0

    def transmit(self, frames: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See Radio.transmit. Whether a CRC is right depends on the flips alone, not on what was sent."""
        count, size = frames.shape
        mask, lost = self._flips.flips(count, 8 * (size + self._crc_bytes), rng)
        flipped = np.packbits(mask, axis=1)
        return frames ^ flipped[:, :size], crc_of_rows(flipped) == 0, lost

    def air_time_s(self, payload_bytes: int) -> float:
        """See Radio.air_time_s."""
        return (len(SYNC) + payload_bytes + self._crc_bytes) * BITS_A_BYTE / BAUD


@dataclass(frozen=True)
class Link:
    """A kind of link and the states of it that are compared: SNRs in dB for LoRa, else bit error rates."""

    title: str
    values: tuple[float, ...]
    sf: int | None = None  # spreading factor; None for the serial radio

    @property
    def state(self) -> str:
        """What the values are."""
        return "bit error rate" if self.sf is None else "SNR in dB"

    def link(self, value: float, coding_rate: int = 5, crc: bool = True, header: bool = True) -> Radio:
        """The link in one of its states. header: LoRa's own, which tells a packet's length."""
        if self.sf is None:
            return SerialRadio(value, crc)
        return LoRa(value, sf=self.sf, coding_rate=coding_rate, crc=crc, explicit_header=header)

    def inkling_bytes(self, layout: FeatureLayout) -> int:
        """Bytes of an Inkling frame: a radio has its own sync."""
        return layout.serial_size if self.sf is None else layout.size

    def inkling_air_s(self, layout: FeatureLayout, header: bool = True) -> float:
        """Seconds that an Inkling frame is on the air: on a serial line its sync and CRC-16 are its own."""
        if self.sf is None:
            return layout.serial_size * BITS_A_BYTE / BAUD
        return self.link(0.0, header=header).air_time_s(layout.size)


def _snrs(first: int, halves: bool) -> tuple[float, ...]:
    """Nine SNRs, a dB apart, from where next to nothing comes to where all is clean; half dBs in the waterfall."""
    return tuple(sorted([*range(first, first + 9), *(first + half / 2 for half in range(3, 12, 2) if halves)]))


LINKS = {
    "sf7": Link("LoRa SF7", _snrs(-13, True), 7),
    "sf8": Link("LoRa SF8", _snrs(-16, False), 8),
    "sf9": Link("LoRa SF9", _snrs(-19, True), 9),
    "bsc": Link("serial radio", (0.0, 1e-3, 3e-3, 1e-2, 3e-2, 5e-2, 1e-1)),
}


def crc_of_rows(rows: np.ndarray) -> np.ndarray:
    """wire.crc.crc16 from 0 of each row: uint8 (n, B) -> uint16 (n,)."""
    register = np.zeros(len(rows), np.uint16)
    for column in rows.T:
        register = register << 8 ^ _CRC_TABLE[register >> 8 ^ column]
    return register
