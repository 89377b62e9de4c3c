"""Events of a receiver: what it finds on a serial line or in a radio's packets."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from host.receive.headers import Match
from host.receive.sources import Place
from wire.control import Control
from wire.frame import FeatureLayout, Header
from wire.model import Model
from wire.payload import bits_to_symbols


@dataclass(frozen=True, eq=False)
class FeatureFrame:
    """One chunk of one image as received, possibly damaged or truncated."""

    model: Model
    match: Match
    bits: np.ndarray  # (n_bits,) int8 in payload order: 0, 1, or -1 = not received
    sync_flips: int | None  # of SYNC_BITS; None for radio packets, which have no sync word
    whole: bool  # received to the last bit of the CRC-16
    crc_ok: bool  # the payload is as it was sent, given the corrected header
    place: Place
    snr_db: float | None = None  # as measured by a radio
    rssi_dbm: float | None = None

    @property
    def header(self) -> Header:
        """The header after correction."""
        return self.match.header

    @property
    def header_flips(self) -> int:
        """The number of flipped bits in the header, of HEADER_BITS."""
        return self.match.flips

    @property
    def device(self) -> int:
        """The number of the device that sent the frame."""
        return self.header.device

    @property
    def sequence(self) -> int:
        """The sequence number of the image, modulo 32."""
        return self.header.sequence

    @property
    def chunk(self) -> int:
        """The number of the chunk that the frame carries."""
        return self.header.chunk

    @property
    def image_number(self) -> int:
        """The image's number among those of the device and model. Frames with equal numbers belong to one image."""
        return self.place.image_number

    @property
    def lost(self) -> int:
        """The number of images missing just before. Commands other than RUN count as one each."""
        return self.place.lost

    @property
    def layout(self) -> FeatureLayout:
        """The layout of the complete frame."""
        return self.model.chunk_layout(self.chunk)

    @property
    def received_bits(self) -> int:
        """The number of payload bits received: all of the chunk, fewer if the frame was truncated."""
        return int(np.count_nonzero(self.bits >= 0))

    @property
    def payload(self) -> bytes:
        """The payload, packed and de-interleaved. Bits that were not received are 0."""
        return np.packbits(self.bits == 1).tobytes()

    @cached_property
    def symbols(self) -> np.ndarray:
        """Symbols (S,) int64 in sending order, -1 = not received."""
        symbols = np.full(self.model.n_symbols, -1, np.int64)
        symbols[self.model.chunk_slice(self.chunk)] = received_symbols(self.bits, self.model.bits_per_symbol)
        return symbols


def received_symbols(bits: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """Map bits (n,), -1 = not received, to symbols (n / bits_per_symbol,) int64, -1 where a bit is missing."""
    symbols = bits_to_symbols(bits == 1, bits_per_symbol)
    symbols[(bits < 0).reshape(-1, bits_per_symbol).any(axis=1)] = -1
    return symbols


@dataclass(frozen=True)
class ControlFrame:
    """A control frame from a board, with a correct CRC-32."""

    control: Control


@dataclass(frozen=True)
class UnknownModel:
    """A feature frame whose model is unknown. Its length is unknown too, so it is skipped."""

    header: Header


Event = FeatureFrame | ControlFrame | UnknownModel
