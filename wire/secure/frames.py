"""Secured feature and answer frames: built, predicted, checked and decrypted with the keys of a device.

A host that holds the key knows header and tag of each coming frame. It compares both with what it received, so that
frames are easy to find; that a frame is authentic, only the distance of its tag says, since anybody can send a header.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wire import bch
from wire.answer import CONFIDENCES, Answer
from wire.frame import HEADER_BYTES, MODELS, SEQUENCES, SYNC, AnswerHeader, FrameType, Header, answer_part, header_part
from wire.payload import interleave
from wire.secure.keys import Keys, Purpose, block, blocks

HEADER_TAG_BYTES = 8
PAYLOAD_TAG_BYTES = 4
TAGGED_HEADER_BYTES = HEADER_BYTES + HEADER_TAG_BYTES  # of every secured frame; a secured answer frame has no more


@dataclass(frozen=True)
class SecuredLayout:
    """Layout of a secured feature frame of n_bits data bits, without its sync (the LoRa form)."""

    n_bits: int

    @property
    def payload_bytes(self) -> int:
        """Bytes of the payload."""
        return (self.n_bits + 7) // 8

    @property
    def payload(self) -> slice:
        """Slice of the payload in the frame."""
        return slice(TAGGED_HEADER_BYTES, TAGGED_HEADER_BYTES + self.payload_bytes)

    @property
    def size(self) -> int:
        """Bytes of the frame without sync."""
        return TAGGED_HEADER_BYTES + self.payload_bytes + PAYLOAD_TAG_BYTES

    @property
    def serial_size(self) -> int:
        """Bytes of the frame with sync."""
        return len(SYNC) + self.size


class Expected(NamedTuple):
    """Headers and tags of frames that can come: arrays (K,) uint64, the first bit of the wire on top."""

    headers: np.ndarray
    tags: np.ndarray

    def flips(self, received: bytes) -> tuple[np.ndarray, np.ndarray]:
        """Return in how many of 64 bits header and tag of 16 received bytes differ from each: (K,) uint8 each."""
        return bch.distances(received[:HEADER_BYTES], self.headers), bch.distances(received[HEADER_BYTES:], self.tags)


@dataclass(frozen=True)
class SecuredDevice:
    """A board with a key, as both ends know it. Counters of images are 0 .. 2^32 - 1; ValueError if one is not."""

    keys: Keys
    device: int
    model_number: int
    class_count: int  # of the answer head; 0 without one

    def header(self, counter: int, chunk: int) -> Header:
        """Return the header of a feature frame. Its sequence is the low 5 bits of the counter."""
        return Header(FrameType.FEATURE, self.device, counter % SEQUENCES, self.model_number % MODELS, chunk)

    def feature_frame(self, counter: int, chunk: int, payload: bytes, n_bits: int, sync: bool = True) -> bytes:
        """Return a secured feature frame. `payload` is packed, not interleaved; sync=False gives the LoRa form."""
        header = self.header(counter, chunk)
        encrypted = self.crypt(counter, chunk, interleave(payload, n_bits))
        tag = self._tag(Purpose.TAG_HEADER, counter, chunk, header.word())
        frame = header.encode() + tag[:HEADER_TAG_BYTES] + encrypted + self.payload_tag(counter, chunk, encrypted)
        return SYNC + frame if sync else frame

    def answer_frame(self, counter: int, answer: Answer, sync: bool = True) -> bytes:
        """Return a secured answer frame. Raises ValueError for a class that the model does not have."""
        if answer.index >= self.class_count:
            raise ValueError(f"the model has {self.class_count} classes, got class {answer.index}")
        shift, mask = self._answer_stream(counter)
        index = (answer.index + shift) % self.class_count
        encrypted = Answer(index, answer.confidence ^ mask)
        header = AnswerHeader(self.device, counter % SEQUENCES, self.model_number % MODELS, encrypted)
        frame = header.encode() + self._tag(Purpose.TAG_ANSWER, counter, 0, header.word())[:HEADER_TAG_BYTES]
        return SYNC + frame if sync else frame

    def expected_features(self, counters: Sequence[int], chunks: Sequence[int]) -> Expected:
        """Return headers and tags of the feature frames of each counter and chunk.

        Frame i is that of counter i // len(chunks) and of chunk i % len(chunks) in the lists.
        """
        words = self._feature_words(np.asarray(counters, np.int64)[:, None], np.asarray(chunks, np.int64)).reshape(-1)
        return Expected(bch.HEADER.codewords(words), self.feature_tags(counters, chunks))

    def feature_tags(self, counters: Sequence[int] | np.ndarray, chunks: Sequence[int]) -> np.ndarray:
        """Return the tags (K,) uint64 of the feature frames of each counter and chunk, as `expected_features` does."""
        counts, numbers = np.asarray(counters, np.int64)[:, None], np.asarray(chunks, np.int64)
        words = self._feature_words(counts, numbers)
        return self.keys.block_tags(blocks(Purpose.TAG_HEADER, self.device, counts, numbers, words, self.model_number))

    def expected_answers(self, counters: Sequence[int]) -> Expected:
        """Return headers and tags of the answer frames of each counter: 16 for each class, in a list.

        Frame i of a counter has the encrypted class index i // 16 and the encrypted level i % 16.
        """
        each = np.arange(self.class_count * CONFIDENCES)
        counts, answers = np.repeat(np.asarray(counters, np.int64), each.size), np.tile(each, len(counters))
        return Expected(bch.ANSWER.codewords(self._answer_words(counts, answers)), self.answer_tags(counts, answers))

    def answer_tags(self, counters: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Return the tags (K,) uint64 of the answer frames of counters (K,) int64 with encrypted answers (K,) int64.

        An answer is 16 times its class index, plus its level.
        """
        words = self._answer_words(counters, answers)
        return self.keys.block_tags(blocks(Purpose.TAG_ANSWER, self.device, counters, 0, words, self.model_number))

    def decrypt_answer(self, counter: int, encrypted: Answer) -> Answer:
        """Return the answer in an authentic answer frame. Raises ValueError for a class that the model lacks."""
        if encrypted.index >= self.class_count:
            raise ValueError(f"the model has {self.class_count} classes, got class {encrypted.index}")
        shift, mask = self._answer_stream(counter)
        return Answer((encrypted.index - shift) % self.class_count, encrypted.confidence ^ mask)

    def decrypt_answers(self, counter: int, encrypted: np.ndarray) -> np.ndarray:
        """Return values (answers,), one for each encrypted answer, in the order of the answers that they stand for."""
        shift, mask = self._answer_stream(counter)
        levels = np.arange(CONFIDENCES) ^ mask
        return np.roll(encrypted.reshape(-1, CONFIDENCES), -shift, axis=0)[:, levels].reshape(-1)

    def crypt(self, counter: int, chunk: int, payload: bytes) -> bytes:
        """Encrypt or decrypt an interleaved payload, or the first bytes of one. Flipped bits stay in their places."""
        first = block(Purpose.STREAM_PAYLOAD, self.device, counter, chunk)
        stream = self.keys.keystream(first, len(payload))
        return (np.frombuffer(payload, np.uint8) ^ np.frombuffer(stream, np.uint8)).tobytes()

    def decrypt_soft(self, counter: int, chunk: int, values: np.ndarray) -> np.ndarray:
        """Decrypt soft bits (n,) float of an interleaved payload: the sign changes where the keystream is 1."""
        stream = self.crypt(counter, chunk, bytes((len(values) + 7) // 8))
        return np.where(np.unpackbits(np.frombuffer(stream, np.uint8), count=len(values)), -values, values)

    def payload_tag(self, counter: int, chunk: int, encrypted: bytes) -> bytes:
        """Return the 4 bytes of the tag of an encrypted payload. A receiver compares them exactly."""
        word = self.header(counter, chunk).word()
        return self._tag(Purpose.TAG_PAYLOAD, counter, chunk, word, encrypted)[:PAYLOAD_TAG_BYTES]

    def _feature_words(self, counters: np.ndarray, chunks: np.ndarray) -> np.ndarray:
        """Return the 24-bit words of headers, as int64 in the shape of counters and chunks together."""
        fixed = Header(FrameType.FEATURE, self.device, 0, self.model_number % MODELS, 0).word()
        return fixed | counters % SEQUENCES << 9 | chunks

    def _answer_words(self, counters: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Return the 36-bit words (K,) int64 of encrypted answers."""
        images = np.broadcast_arrays(np.int64(self.device), counters % SEQUENCES, np.int64(self.model_number % MODELS))
        return header_part(*images) | answer_part(*np.divmod(answers, CONFIDENCES))

    def _tag(self, purpose: Purpose, counter: int, chunk: int, word: int, data: bytes = b"") -> bytes:
        return self.keys.tag(block(purpose, self.device, counter, chunk, word, self.model_number) + data)

    def _answer_stream(self, counter: int) -> tuple[int, int]:
        """Return by how much the class index is shifted, and the bits by which the level is changed."""
        stream = self.keys.keystream(block(Purpose.STREAM_ANSWER, self.device, counter), 5)
        return int.from_bytes(stream[:4], "big") * self.class_count >> 32, stream[4] & (CONFIDENCES - 1)
