"""The properties of a model that both ends of the wire need, as `struct wire_model` has them in C."""

from dataclasses import dataclass

import numpy as np

from wire.errors import InklingError
from wire.frame import MODELS, FeatureLayout, FrameType, Header, feature_frame
from wire.payload import pack, payload_bytes

PIXEL_OFFSET = 128  # an encoder takes int8 = pixel - PIXEL_OFFSET
MIN_BER, MAX_BER = 1e-4, 0.5  # range of the bit error rates that a decoder is trained for


class ChunkError(InklingError, IndexError):
    """A model has no chunk with the given number."""


@dataclass(frozen=True, eq=False)
class Model:
    """A board's model: its identity, its shapes and the layout of its payload.

    `input_shape` is H, W, C; `latent_shape` is h, w, c. S of the h * w * c latent values are sent.
    """

    name: str
    model_id: str  # 8 hex digits
    input_shape: tuple[int, int, int]
    latent_shape: tuple[int, int, int]
    bits_per_symbol: int
    symbol_table: np.ndarray  # (256,) uint8: latent value + 128 -> level
    symbol_order: np.ndarray  # (S,) uint16: latent positions (row-major h, w, c) in sending order
    chunks: list[tuple[int, int]]  # (first symbol, count); chunk 0 is the whole payload

    @property
    def number(self) -> int:
        """The model_id as a 32-bit number. Its low 16 bits seed a frame's CRC-16."""
        return int(self.model_id, 16)

    @property
    def model_bits(self) -> int:
        """The low bits of the model number, as a header carries them."""
        return self.number % MODELS

    @property
    def n_symbols(self) -> int:
        """The number of symbols S of the whole payload."""
        return len(self.symbol_order)

    def chunk_symbols(self, chunk: int) -> tuple[int, int]:
        """Return the first symbol and the symbol count of a chunk. Raises ChunkError if there is no such chunk."""
        if not 0 <= chunk < len(self.chunks):
            raise ChunkError(f"bundle {self.name} has chunks 0..{len(self.chunks) - 1}, not {chunk}")
        return self.chunks[chunk]

    def chunk_slice(self, chunk: int) -> slice:
        """Return the slice of a chunk's symbols in all S."""
        first, count = self.chunk_symbols(chunk)
        return slice(first, first + count)

    def chunk_bits(self, chunk: int) -> int:
        """Return the number of data bits of a chunk."""
        return self.chunk_symbols(chunk)[1] * self.bits_per_symbol

    def chunk_bytes(self, chunk: int) -> int:
        """Return the number of payload bytes of a chunk."""
        return payload_bytes(self.chunk_symbols(chunk)[1], self.bits_per_symbol)

    def chunk_layout(self, chunk: int) -> FeatureLayout:
        """Return the layout of the frame that carries a chunk."""
        return FeatureLayout(self.chunk_bits(chunk))

    def frame(self, symbols: np.ndarray, device: int, sequence: int, chunk: int = 0, sync: bool = True) -> bytes:
        """Return a feature frame as a board sends it.

        `symbols` (count,) are those of one chunk; `sync=False` gives the LoRa form, without the sync word.
        """
        header = Header(FrameType.FEATURE, device, sequence, self.model_bits, chunk)
        payload = pack(symbols, self.bits_per_symbol)
        return feature_frame(header, payload, self.chunk_bits(chunk), self.number, sync)

    def symbols(self, latents: np.ndarray) -> np.ndarray:
        """Map latents int8 (..., h, w, c) to symbols int64 (..., S) in sending order."""
        return latent_symbols(latents, self.symbol_table, self.symbol_order)


def latent_symbols(latents: np.ndarray, table: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Map latents int8 (..., h, w, c) by symbol_table (256,) and symbol_order (S,) to symbols int64 (..., S)."""
    flat = np.asarray(latents).reshape(*latents.shape[:-3], -1)[..., order]
    return table[flat.astype(np.int64) + 128].astype(np.int64)
