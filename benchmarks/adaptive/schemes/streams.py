"""Streams of Inkling's frames: all images in one way, over one cell, through the real receiver and classifier.

Each stream is kept as soon as it is sent.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.adaptive.schemes.cells import CLEAN, Cell
from benchmarks.adaptive.schemes.modes import Stream, Way
from benchmarks.adaptive.schemes.soft_radio import HardBitsLink, soft_answers
from benchmarks.command import kept_array
from benchmarks.encoding import ANSWER, Encoded
from benchmarks.goodput.inkling_scheme import Inkling
from benchmarks.goodput.links import Link
from benchmarks.sender import Sender
from host.classify.classifier import LogitsModel
from wire.model import MIN_BER, Model

OnProgress = Callable[[int], None]  # called with the number of images sent since the last call
CLEAN_SNR_DB = 10.0  # at SF7, no symbol is ever wrong; the tables of the soft radio grow with the SNR


@dataclass(frozen=True, eq=False)
class Images:
    """Images as the board encodes them, and their labels (n,)."""

    encoded: Encoded
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Streams:
    """Sends test images `draws` times and held-out images once, each in every way that is asked for."""

    model: Model
    decoder: LogitsModel
    test: Images
    held_out: Images
    draws: int
    seed: int
    folder: Path

    def send(self, cell: Cell, way: Way, on_progress: OnProgress) -> Stream:
        """Return the stream of a way in a cell.

        Over a clean link everything arrives, whatever the spreading factor: that is sent once. Over a dead one,
        nothing does.
        """
        if cell.is_dead:
            shape = (self.draws, len(self.test.labels))
            return Stream(way, np.zeros(shape, bool), np.zeros((1, len(self.held_out.labels)), bool))
        if cell.is_clean:
            cell, draws = Cell(7, CLEAN), 1
        else:
            draws = self.draws
        test = self._correct(self.test, cell, way, draws, "test", on_progress)
        return Stream(way, test, self._correct(self.held_out, cell, way, 1, "held-out", on_progress))

    def mixed(self, cell: Cell, chunk: int, threshold: int, coding_rate: int, on_progress: OnProgress) -> np.ndarray:
        """Return (draws, n) bool of the test images in mode adaptive, answers and features in one stream."""
        chunks, draws = self.test.encoded.chunks(chunk, threshold), range(self.draws)
        way = Way(chunk, 0, coding_rate, header=True)
        return np.stack([self._send(self.test, chunks, cell, way, draw, "mixed", on_progress) for draw in draws])

    def _correct(
        self, images: Images, cell: Cell, way: Way, draws: int, name: str, on_progress: OnProgress
    ) -> np.ndarray:
        """Return (draws, n) bool, kept in a file."""
        file = self.folder / f"stream_{cell.name}_{way.name}_{name}_{draws}.npy"
        chunks = np.full(len(images.labels), ANSWER if way.chunk is None else way.chunk)
        return kept_array(
            file,
            lambda: np.stack([self._send(images, chunks, cell, way, draw, name, on_progress) for draw in range(draws)]),
        )

    def _send(
        self, images: Images, chunks: np.ndarray, cell: Cell, way: Way, draw: int, name: str, on_progress: OnProgress
    ) -> np.ndarray:
        """Return bool (n,) of one draw: correctly classified.

        Each `name` has noise of its own: settings chosen on held-out images must not meet the same noise again.
        """
        sender = Sender(self.model, images.encoded, chunks)
        snr_db = CLEAN_SNR_DB if cell.snr_db == CLEAN else cell.snr_db
        kind = f"{name} {cell.name} {chunks.min()} {chunks.max()} {way.coding_rate} {way.header}"
        rng = np.random.default_rng([self.seed, draw, zlib.crc32(kind.encode())])
        if way.soft and way.chunk is None:
            on_progress(len(images.labels))
            return soft_answers(sender, snr_db, cell.sf, rng) == images.labels
        scheme = Inkling("", sender, self.decoder, images.labels, way.coding_rate, way.header)
        link = HardBitsLink("", (), cell.sf) if way.soft else Link("", (), cell.sf)
        return scheme.send(link, snr_db, rng, on_progress).correct


class RememberingDecoder:
    """A decoder that decodes an undamaged payload once: over a good link, most are, in every draw."""

    def __init__(self, decoder: LogitsModel) -> None:
        self._decoder = decoder
        self._known: dict[bytes, np.ndarray] = {}
        self.batch, self.classes = decoder.batch, decoder.classes

    def logits(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None = None) -> np.ndarray:
        """See LogitsModel.logits."""
        given = np.full(len(symbols), -1) if answers is None else answers
        keys = [
            row.astype(np.int8).tobytes() + int(word).to_bytes(3, "big", signed=True)
            for row, word in zip(symbols, given, strict=True)
        ]
        undamaged = np.asarray(ber) <= MIN_BER
        out: list[np.ndarray | None] = [
            self._known.get(key) if clean else None for key, clean in zip(keys, undamaged, strict=True)
        ]
        new = [place for place, row in enumerate(out) if row is None]
        if new:
            for place, row in zip(new, self._decoder.logits(symbols[new], ber[new], given[new]), strict=True):
                out[place] = row
                if undamaged[place]:
                    self._known[keys[place]] = row
        return np.stack([row for row in out if row is not None])
