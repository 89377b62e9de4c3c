"""What a receiver finds on a line or in a radio's packets."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from host.receive.headers import Match
from host.receive.sources import Place
from wire.control import Control
from wire.frame import FeatureLayout, Header
from wire.model import Model
from wire.payload import bits_to_levels


@dataclass(frozen=True, eq=False)
class FeatureFrame:
    """One chunk of one image, as it arrived: possibly damaged, possibly cut short."""

    model: Model
    match: Match
    bits: np.ndarray  # (n_bits,) int8 in payload order: 0, 1, or -1 = not received
    sync_flips: int | None  # of SYNC_BITS; None for a radio's packet, which has no sync word
    whole: bool  # to the last bit of its CRC-16
    crc_ok: bool  # the payload is as it was sent (the header has been corrected before)
    place: Place
    snr_db: float | None = None  # as a radio measured it
    rssi_dbm: float | None = None

    @property
    def header(self) -> Header:
        return self.match.header

    @property
    def header_flips(self) -> int:
        """Of HEADER_BITS."""
        return self.match.flips

    @property
    def device(self) -> int:
        return self.header.device

    @property
    def sequence(self) -> int:
        return self.header.sequence

    @property
    def chunk(self) -> int:
        return self.header.chunk

    @property
    def image(self) -> int:
        """Counts the device's images of this model: frames with the same number are of the same image."""
        return self.place.image

    @property
    def lost(self) -> int:
        """Images missing just before; commands that are no RUN look like one."""
        return self.place.lost

    @property
    def layout(self) -> FeatureLayout:
        """Where the frame's parts lie, had it come whole."""
        return self.model.chunk_layout(self.chunk)

    @property
    def received_bits(self) -> int:
        """Fewer than the chunk has when the frame was cut short."""
        return int(np.count_nonzero(self.bits >= 0))

    @property
    def payload(self) -> bytes:
        """Packed, de-interleaved; bits that were not received are 0."""
        return np.packbits(self.bits == 1).tobytes()

    @cached_property
    def symbols(self) -> np.ndarray:
        """(S,) int64: levels in symbol_order, -1 = not received."""
        first, count = self.model.chunk_symbols(self.chunk)
        symbols = np.full(self.model.n_symbols, -1, np.int64)
        symbols[first : first + count] = bits_to_symbols(self.bits, self.model.bits_per_symbol)
        return symbols


def bits_to_symbols(bits: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """Bits (n,) of 0, 1 and -1 = not received -> levels (n / bits_per_symbol,) int64, -1 where a bit is missing."""
    levels = bits_to_levels(bits == 1, bits_per_symbol)
    levels[(bits < 0).reshape(-1, bits_per_symbol).any(axis=1)] = -1
    return levels


@dataclass(frozen=True)
class ControlFrame:
    """A reply of a board whose CRC-32 was right."""

    control: Control


@dataclass(frozen=True)
class UnknownModel:
    """A feature frame of a model that no model at hand has; its length is unknown, so it is passed over."""

    header: Header


Event = FeatureFrame | ControlFrame | UnknownModel
