"""Inkling on the radio that the convolutional code gets: raw bits on LoRa's chirps, received with soft decisions.

Without it, a code on a better radio would be compared with frames on a worse one. Feature frames arrive as hard bits
and pass the real receiver and classifier. The real receiver takes no soft bits, so that answers are decided here: for
the most likely of all answers that a known device can send next, if noise passes for one as rarely as at the real
receiver. An answer to another image counts as lost. Frames need no header of the radio: Inkling's own says which they
are.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from benchmarks.goodput.links import Link
from benchmarks.sender import DEVICE, Sender
from channel_sim.channels.coded_css import Css
from channel_sim.channels.lora import SNR_READING_ERROR_DB, Reception
from host.receive.matching import AHEAD, BEHIND, FALSE_ANSWER_PER_PACKET
from wire import bch
from wire.answer import CONFIDENCES
from wire.frame import SEQUENCES, answer_part, header_part

BLOCK = 500  # answers decided at once, which bounds the memory


class HardBits:
    """The radio as the real receiver meets it: packets of hard decisions, and a reading of the SNR."""

    def __init__(self, snr_db: float, sf: int) -> None:
        self._css, self._snr_db = Css(snr_db, sf), snr_db

    def receive_all(self, frames: np.ndarray, rng: np.random.Generator) -> list[Reception | None]:
        """See LoRa.receive_all; no packet is lost."""
        received = np.packbits(self._css.transmit_hard(np.unpackbits(frames, axis=1), rng), axis=1)
        readings = self._snr_db + rng.normal(0.0, SNR_READING_ERROR_DB, len(frames))
        return [Reception(row.tobytes(), True, float(snr), 0.0) for row, snr in zip(received, readings, strict=True)]

    def air_time_s(self, payload_bytes: int) -> float:
        """See LoRa.air_time_s."""
        return self._css.air_time_s(8 * payload_bytes)


@dataclass(frozen=True)
class HardBitsLink(Link):
    """A link of such radios."""

    def radio(self, value: float, coding_rate: int = 5, crc: bool = True, header: bool = True) -> HardBits:  # type: ignore[override]
        """See Link.radio; there is neither coding rate nor CRC nor header."""
        assert self.sf is not None
        return HardBits(value, self.sf)


def soft_answers(sender: Sender, snr_db: float, sf: int, rng: np.random.Generator) -> np.ndarray:
    """Send the answer of every image and return the classes (n,) that a host decides for; -1 where it is lost."""
    model, n = sender.model, len(sender.chunks)
    css, decided = Css(snr_db, sf), np.empty(n, np.int64)
    for first in range(0, n, BLOCK):
        numbers = range(first, min(first + BLOCK, n))
        frames = b"".join(sender.frame(number, sync=False) for number in numbers)
        bits = np.unpackbits(np.frombuffer(frames, np.uint8)).reshape(len(numbers), -1)
        ratios, _ = css.transmit(bits, rng)
        for row, number in enumerate(numbers):
            decided[number] = _decide(ratios[row], number, model.model_bits, model.class_count)
    return decided


def _decide(ratios: np.ndarray, number: int, model_bits: int, n_classes: int) -> int:
    """Return the class of the most likely answer, given the ratios (64,) of its bits.

    Returns -1 if it is to another image, or if the packet may be foreign. An answer's codeword is the sum of that of
    its header and that of class and confidence. So the header's ones change the sign of the ratios, and one table of
    answers serves all headers. The likelihood of a foreign packet's random bits is a sum of the ratios with random
    signs: normal, with the root of the sum of their squares as standard deviation.
    """
    headers, answers = _tables(model_bits, n_classes)
    window = np.arange(number - BEHIND - 1, number + AHEAD) % SEQUENCES
    likelihoods = (ratios * headers[window]) @ answers  # (window, answers)
    image, answer = divmod(int(likelihoods.argmax()), likelihoods.shape[1])
    least = NormalDist().inv_cdf(1 - FALSE_ANSWER_PER_PACKET / likelihoods.size) * np.linalg.norm(ratios)
    accepted = image == BEHIND + 1 and likelihoods[image, answer] > least
    return answer // CONFIDENCES if accepted else -1


_TABLES: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}


def _tables(model_bits: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the signs of all headers (SEQUENCES, 64) and of all answers (64, answers): -1 for a one."""
    key = model_bits, n_classes
    if key not in _TABLES:
        sequence = np.arange(SEQUENCES)
        header = header_part(np.full_like(sequence, DEVICE), sequence, np.full_like(sequence, model_bits))
        index, confidence = np.divmod(np.arange(n_classes * CONFIDENCES), CONFIDENCES)
        _TABLES[key] = _signs(header), _signs(answer_part(index, confidence)).T
    return _TABLES[key]


def _signs(words: np.ndarray) -> np.ndarray:
    octets = bch.ANSWER.codewords(words).astype(">u8").view(np.uint8).reshape(-1, bch.BLOCK_BYTES)
    return 1 - 2 * np.unpackbits(octets, axis=1).astype(np.float32)
