"""What a receiver finds on a line."""

from dataclasses import dataclass

import numpy as np

from wire.bundle import Bundle
from wire.control import Control
from wire.frame import FeatureLayout, Header

SYNC_BITS = 32
HEADER_BITS = 64  # 63 of the code and the 0 bit after them, which is known just as well


@dataclass(frozen=True, eq=False)
class FeatureFrame:
    """One chunk of one image, as it arrived: possibly damaged, possibly cut short."""

    bundle: Bundle
    header: Header
    symbols: np.ndarray  # (S,) int64, levels in symbol_order, -1 = not received
    payload: bytes  # packed, de-interleaved; bits that were not received are 0
    received_bits: int  # fewer than the chunk has when the frame was cut short
    sync_flips: int  # of SYNC_BITS
    header_flips: int  # of HEADER_BITS
    crc_ok: bool  # the payload is as it was sent (the header has been corrected before)
    lost: int  # frames of this device and model missing just before; commands that are no RUN look like one
    duplicate: bool  # this sequence number and chunk came before

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
    def layout(self) -> FeatureLayout:
        """Where the frame's parts lie, had it come whole."""
        return FeatureLayout(self.bundle.chunk_bits(self.chunk))

    @property
    def whole(self) -> bool:
        """Nothing of it is missing."""
        return self.received_bits == self.layout.n_bits


@dataclass(frozen=True)
class ControlFrame:
    """A reply of a board whose CRC-32 was right."""

    control: Control


@dataclass(frozen=True)
class UnknownModel:
    """A feature frame of a model that no bundle at hand has; its length is unknown, so it is passed over."""

    header: Header


Event = FeatureFrame | ControlFrame | UnknownModel
