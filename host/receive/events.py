"""Events of a receiver: what it finds on a serial line or in a radio's packets."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from host.keys.policy import Auth
from host.receive.matching import MIN_LEAD, Match
from host.receive.secured.devices import Refusal
from host.receive.sources import Place
from wire.answer import CONFIDENCES, Answer
from wire.control import Control
from wire.frame import FeatureLayout, Header
from wire.model import Model
from wire.payload import bits_to_symbols
from wire.replies.status import Status

NO_ANSWER = -1  # in place of an answer word that was not received


class ImageFrame:
    """A frame of one image: its features or its answer."""

    model: Model
    match: Match
    sync_flips: int | None  # of SYNC_BITS; None for radio packets, which have no sync word
    place: Place
    snr_db: float | None  # as measured by a radio
    rssi_dbm: float | None

    @property
    def header(self) -> Header:
        """The header after correction."""
        return self.match.header

    @property
    def auth(self) -> Auth:
        """How much of the frame is authentic."""
        return Auth.HEADER if self.match.proof else Auth.NONE

    @property
    def header_flips(self) -> int:
        """The number of flipped bits in the header, of HEADER_BITS; of an answer, in all of it."""
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
    def image_number(self) -> int:
        """The image's number among those of the device and model. Frames with equal numbers belong to one image."""
        return self.place.image_number

    @property
    def lost(self) -> int:
        """The number of images missing just before, as certain as `place.certainty` says.

        Commands other than RUN count as one each.
        """
        return self.place.lost


@dataclass(frozen=True, eq=False)
class FeatureFrame(ImageFrame):
    """One chunk of one image as received, possibly damaged or truncated."""

    model: Model
    match: Match
    bits: np.ndarray  # (n_bits,) int8 in payload order: 0, 1, or -1 = not received
    sync_flips: int | None
    whole: bool  # received to the last bit of the CRC-16
    crc_ok: bool  # the payload is as it was sent, by its CRC-16 or tag, given the corrected header
    place: Place
    snr_db: float | None = None
    rssi_dbm: float | None = None

    @property
    def auth(self) -> Auth:
        """How much of the frame is authentic: FULL if the payload tag is correct."""
        return Auth.FULL if self.match.proof and self.crc_ok else super().auth

    @property
    def chunk(self) -> int:
        """The number of the chunk that the frame carries."""
        return self.header.chunk

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
        bits = self.bits[self.model.answer_bits :]
        symbols[self.model.chunk_slice(self.chunk)] = received_symbols(bits, self.model.bits_per_symbol)
        return symbols


def received_symbols(bits: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """Map bits (n,), -1 = not received, to symbols (n / bits_per_symbol,) int64, -1 where a bit is missing."""
    symbols = bits_to_symbols(bits == 1, bits_per_symbol)
    missing = bits < 0
    if missing.any():
        symbols[missing.reshape(-1, bits_per_symbol).any(axis=1)] = -1
    return symbols


def received_word(bits: np.ndarray) -> int:
    """Return the number that bits (n,), most significant first, stand for; NO_ANSWER if one is missing or n is 0."""
    if not len(bits) or (bits < 0).any():
        return NO_ANSWER
    return int.from_bytes(np.packbits(bits == 1).tobytes(), "big") >> -len(bits) % 8


@dataclass(frozen=True, eq=False)
class AnswerFrame(ImageFrame):
    """The board's own answer to one image as received: the nearest of all that it can give."""

    model: Model
    match: Match
    distances: np.ndarray  # (classes * CONFIDENCES,) uint8: the flips if each answer was sent
    sync_flips: int | None
    place: Place
    snr_db: float | None = None
    rssi_dbm: float | None = None

    @property
    def auth(self) -> Auth:
        """How much of the frame is authentic: all of it, or nothing."""
        return Auth.FULL if self.match.proof else Auth.NONE

    @property
    def answer(self) -> Answer:
        """The nearest answer."""
        return nearest_answer(self.distances)[0]

    @property
    def unsure(self) -> bool:
        """True if an answer with another class is nearly as near as the nearest."""
        return nearest_answer(self.distances)[1] < MIN_LEAD


def nearest_answer(costs: np.ndarray) -> tuple[Answer, float]:
    """Return the answer with the lowest of the costs (answers,), and by how much the best of another class exceeds it.

    The second is infinite for a single class.
    """
    best = np.sort(costs.reshape(-1, CONFIDENCES).min(axis=1))  # of each class
    lead = float(best[1]) - float(best[0]) if len(best) > 1 else float("inf")
    return Answer(*divmod(int(costs.argmin()), CONFIDENCES)), lead


@dataclass(frozen=True)
class ControlFrame:
    """A control frame from a board, with a correct CRC-32: from its serial line, or a status frame by radio."""

    control: Control
    gateway: int | None = None  # number of the gateway that received it by radio
    snr_db: float | None = None
    rssi_dbm: float | None = None
    status: Status | None = None  # in a status frame that counts
    refusal: Refusal | None = None  # of a status frame that is refused


@dataclass(frozen=True)
class UnknownModel:
    """A feature or answer frame whose model is unknown. It is skipped; a feature frame's length is unknown, too."""

    header: Header


@dataclass(frozen=True)
class Refused:
    """A feature or answer frame that is not authentic enough."""

    device: int
    reason: Refusal


Event = FeatureFrame | AnswerFrame | ControlFrame | UnknownModel | Refused
