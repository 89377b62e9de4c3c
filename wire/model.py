"""The properties of a model that both ends of the wire need, as `struct wire_model` has them in C."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wire.answer import ANSWER_BITS, Answer, AnswerHead
from wire.errors import InklingError
from wire.frame import MODELS, AnswerHeader, FeatureLayout, FrameType, Header, answer_frame, feature_frame
from wire.payload import pack

PIXEL_OFFSET = 128  # an encoder takes int8 = pixel - PIXEL_OFFSET
MIN_BER, MAX_BER = 1e-4, 0.5  # range of the bit error rates that a decoder is trained for


class ChunkError(InklingError, IndexError):
    """A model has no chunk with the given number."""


@dataclass(frozen=True, eq=False)
class Model:
    """A board's model: its identity, its shapes and the layout of its payload.

    The latent of an image is the values of all heads, each in the order h, w, c, one head after another. S of these L
    values are sent. A model whose board only answers has no heads, hence no symbols and no chunks.
    """

    name: str
    model_id: str  # 8 hex digits
    input_shape: tuple[int, int, int]
    heads: tuple[tuple[int, int, int], ...]  # h, w, c of each latent head
    bits_per_symbol: int
    symbol_table: np.ndarray  # (256,) uint8: latent value + 128 -> level
    symbol_order: np.ndarray  # (S,) uint16: latent positions, 0..L-1, in sending order
    chunks: list[tuple[int, int]]  # (first symbol, count); chunk 0 is the whole payload
    answer: AnswerHead | None  # None: the board gives no class scores
    class_count: int  # number of class scores; 0 without `answer`
    threshold: int  # confidence level from which a board answers, in mode adaptive, by default; 0 without `answer`

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

    @property
    def latent_size(self) -> int:
        """The number L of latent values of all heads."""
        return sum(h * w * c for h, w, c in self.heads)

    @property
    def answer_bits(self) -> int:
        """The number of bits of the answer word before the symbols of a payload: 16, or 0 without an answer head."""
        return ANSWER_BITS if self.answer else 0

    def chunk_symbols(self, chunk: int) -> tuple[int, int]:
        """Return the first symbol and the symbol count of a chunk. Raises ChunkError if there is no such chunk."""
        if not self.chunks:
            raise ChunkError(f"bundle {self.name} has no features, only answers")
        if not 0 <= chunk < len(self.chunks):
            raise ChunkError(f"bundle {self.name} has chunks 0..{len(self.chunks) - 1}, not {chunk}")
        return self.chunks[chunk]

    def chunk_slice(self, chunk: int) -> slice:
        """Return the slice of a chunk's symbols in all S."""
        first, count = self.chunk_symbols(chunk)
        return slice(first, first + count)

    def chunk_bits(self, chunk: int) -> int:
        """Return the number of data bits of a chunk's payload: the answer word, if there is one, and the symbols."""
        return self.answer_bits + self.chunk_symbols(chunk)[1] * self.bits_per_symbol

    def chunk_bytes(self, chunk: int) -> int:
        """Return the number of payload bytes of a chunk."""
        return self.chunk_layout(chunk).payload_bytes

    def chunk_layout(self, chunk: int) -> FeatureLayout:
        """Return the layout of the frame that carries a chunk. Raises ChunkError if there is no such chunk."""
        self.chunk_symbols(chunk)
        return self._layouts[chunk]

    @cached_property
    def _layouts(self) -> list[FeatureLayout]:
        return [FeatureLayout(self.chunk_bits(chunk)) for chunk in range(len(self.chunks))]

    def payload(self, symbols: np.ndarray, answer: Answer | None = None) -> bytes:
        """Return the packed payload, not interleaved, of symbols (count,).

        `answer` is needed if the model has an answer head, and must be None otherwise. Raises ValueError if not.
        """
        if (answer is None) != (self.answer is None):
            raise ValueError(f"bundle {self.name} has {'no' if answer else 'an'} answer head, got answer {answer}")
        return (answer.word.to_bytes(ANSWER_BITS // 8, "big") if answer else b"") + pack(symbols, self.bits_per_symbol)

    def frame(
        self,
        symbols: np.ndarray,
        device: int,
        sequence: int,
        chunk: int = 0,
        *,
        answer: Answer | None = None,
        sync: bool = True,
    ) -> bytes:
        """Return a feature frame as a board sends it.

        `symbols` (count,) are those of one chunk, `answer` as for `payload`; `sync=False` gives the LoRa form, without
        the sync word.
        """
        header = Header(FrameType.FEATURE, device, sequence, self.model_bits, chunk)
        return feature_frame(header, self.payload(symbols, answer), self.chunk_bits(chunk), self.number, sync)

    def answer_frame(self, answer: Answer, device: int, sequence: int, *, sync: bool = True) -> bytes:
        """Return an answer frame as a board sends it; `sync=False` gives the LoRa form, without the sync word."""
        return answer_frame(AnswerHeader(device, sequence, self.model_bits, answer), sync)

    def symbols(self, latents: np.ndarray) -> np.ndarray:
        """Map latents int8 (..., L) to symbols int64 (..., S) in sending order."""
        return latent_symbols(latents, self.symbol_table, self.symbol_order)


def latent_symbols(latents: np.ndarray, table: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Map latents int8 (..., L) by symbol_table (256,) and symbol_order (S,) to symbols int64 (..., S)."""
    return table[np.asarray(latents)[..., order].astype(np.int64) + 128].astype(np.int64)
