"""Streams of Inkling's frames: all images in one way, over one cell, through the real receiver and classifier.

Each stream is kept as soon as it is sent.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
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
    _senders: dict[tuple[Images, int], Sender] = field(default_factory=dict, init=False)  # they keep their frames

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
        sender = Sender(self.model, self.test.encoded, self.test.encoded.chunks(chunk, threshold))
        way, draws = Way(chunk, 0, coding_rate, header=True), range(self.draws)
        return np.stack([self._send(self.test, sender, cell, way, draw, "mixed", on_progress) for draw in draws])

    def _correct(
        self, images: Images, cell: Cell, way: Way, draws: int, name: str, on_progress: OnProgress
    ) -> np.ndarray:
        """Return (draws, n) bool, kept in a file."""
        file = self.folder / f"stream_{cell.name}_{way.name}_{name}_{draws}.npy"
        sender = self._sender(images, ANSWER if way.chunk is None else way.chunk)
        return kept_array(
            file,
            lambda: np.stack([self._send(images, sender, cell, way, draw, name, on_progress) for draw in range(draws)]),
        )

    def _sender(self, images: Images, chunk: int) -> Sender:
        """Return the board that sends this chunk of all images."""
        key = images, chunk
        if key not in self._senders:
            self._senders[key] = Sender(self.model, images.encoded, np.full(len(images.labels), chunk))
        return self._senders[key]

    def _send(
        self, images: Images, sender: Sender, cell: Cell, way: Way, draw: int, name: str, on_progress: OnProgress
    ) -> np.ndarray:
        """Return bool (n,) of one draw: correctly classified.

        Each `name` has noise of its own: settings chosen on held-out images must not meet the same noise again.
        """
        snr_db = CLEAN_SNR_DB if cell.snr_db == CLEAN else cell.snr_db
        kind = f"{name} {cell.name} {sender.chunks.min()} {sender.chunks.max()} {way.coding_rate} {way.header}"
        rng = np.random.default_rng([self.seed, draw, zlib.crc32(kind.encode())])
        if way.soft and way.chunk is None:
            correct = soft_answers(sender, snr_db, cell.sf, rng) == images.labels
        else:
            scheme = Inkling("", sender, self.decoder, images.labels, way.coding_rate, way.header)
            link = HardBitsLink("", (), cell.sf) if way.soft else Link("", (), cell.sf)
            correct = scheme.send(link, snr_db, rng, lambda done: None).correct
        on_progress(len(images.labels))  # once, not for each frame, as bars are slow
        return correct


class RememberingDecoder:
    """A decoder that decodes an undamaged payload once: over a good link, most are, in every draw."""

    batch = 512  # so that those to be decoded fill the batches of the decoder

    def __init__(self, decoder: LogitsModel) -> None:
        self._decoder = decoder
        self._known: dict[bytes, np.ndarray] = {}
        self.classes = decoder.classes

    def logits(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None = None) -> np.ndarray:
        """See LogitsModel.logits."""
        given = np.full(len(symbols), -1) if answers is None else answers
        keys = np.concatenate([symbols, given[:, None]], axis=1).astype(np.int32)
        # As the decoder takes them: in 64 bits, the mean over a payload's bits can exceed MIN_BER by a rounding error.
        undamaged = np.asarray(ber, np.float32) <= np.float32(MIN_BER)
        out = np.empty((len(symbols), len(self.classes)), np.float32)
        new = ~undamaged
        for place in np.flatnonzero(undamaged).tolist():
            known = self._known.get(keys[place].tobytes())
            if known is None:
                new[place] = True
            else:
                out[place] = known
        places = np.flatnonzero(new)
        for first in range(0, len(places), self._decoder.batch):
            part = places[first : first + self._decoder.batch]
            out[part] = self._decoder.logits(symbols[part], ber[part], given[part])
        for place in np.flatnonzero(new & undamaged).tolist():
            self._known[keys[place].tobytes()] = out[place].copy()
        return out
