"""Secured frames that can come next: headers and tags of all devices with a key."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from host.receive.answers import AnswerTable
from host.receive.matching import HEADER_BITS, KNOWN_HEADER_MAX_FLIPS
from wire import bch
from wire.answer import CONFIDENCES, Answer
from wire.frame import SEQUENCES, FrameType, Header, header_part
from wire.model import Model
from wire.secure.frames import TAGGED_HEADER_BYTES, SecuredDevice, SecuredLayout


class Board(NamedTuple):
    """A device with a key as a sender of one model's frames."""

    position: int  # among all boards
    sender: SecuredDevice
    model: Model


class Candidate(NamedTuple):
    """A frame that can come, whose header is near a received one."""

    board: Board
    counter: int
    header: Header
    header_flips: int
    tag: int  # 64 bits
    answer: Answer | None = None  # of an answer frame: class and level as sent, encrypted


class _Codewords(NamedTuple):
    """The headers of a board by sequence number."""

    features: np.ndarray  # (32, chunks) uint64
    answers: np.ndarray  # (32,) uint64: with answer 0

    @classmethod
    def of(cls, board: Board) -> "_Codewords":
        """Return the headers of all frames of a board."""
        device, bits, sequences = board.sender.device, board.model.model_bits, range(SEQUENCES)
        words = [
            [
                Header(FrameType.FEATURE, device, sequence, bits, chunk).word()
                for chunk in range(len(board.model.chunks))
            ]
            for sequence in sequences
        ]
        parts = [header_part(device, sequence, bits) for sequence in sequences]
        return cls(bch.HEADER.codewords(words), bch.ANSWER.codewords(parts))


class Frames(NamedTuple):
    """Frames that can come: arrays (K,) of equal length."""

    headers: np.ndarray  # uint64
    boards: np.ndarray  # their positions in the list of boards
    counters: np.ndarray
    tags: np.ndarray  # uint64; of answers 0, as there are too many
    sizes: np.ndarray  # in bytes, without sync

    @classmethod
    def joined(cls, parts: Sequence["Frames"]) -> "Frames":
        """Return all frames of the parts."""
        numbers, blocks = np.zeros(0, np.int64), np.zeros(0, np.uint64)
        none = cls(blocks, numbers, numbers, blocks, numbers)
        return cls(*map(np.concatenate, zip(none, *parts, strict=True)))


class NextFrames:
    """The frames that boards can send next, each image as features or as an answer.

    Of features, all tags are known beforehand. An image has an answer frame for each class and level: the tag of one is
    computed only if its header is near the received one.
    """

    def __init__(self, boards: Sequence[Board]) -> None:
        self.boards = boards
        self.tables = {count: AnswerTable(count) for count in {board.sender.class_count for board in boards} - {0}}
        self._codewords = [_Codewords.of(board) for board in boards]
        self._features: dict[int, Frames] = {}  # by the board's position
        self._answers: dict[int, Frames] = {}  # by the board's position: answer 0 of each image
        self._all_features: Frames | None = None
        self._all_answers: dict[int, Frames] = {}  # by the number of classes

    def expect(self, position: int, counters: Sequence[int]) -> None:
        """Expect the images with these counters of a board, in place of others before."""
        (_, sender, model), codewords = self.boards[position], self._codewords[position]
        chunks, sequences = range(len(model.chunks)), np.array(counters) % SEQUENCES
        if chunks:
            headers, tags = codewords.features[sequences].reshape(-1), sender.feature_tags(counters, chunks)
            sizes = [SecuredLayout(model.chunk_bits(chunk)).size for chunk in chunks]
            self._features[position] = Frames(
                headers,
                np.full(len(tags), position),
                np.repeat(counters, len(chunks)),
                tags,
                np.tile(sizes, len(counters)),
            )
            self._all_features = None
        if sender.class_count:
            count = len(counters)
            self._answers[position] = Frames(
                codewords.answers[sequences],
                np.full(count, position),
                np.array(counters),
                np.zeros(count, np.uint64),
                np.full(count, TAGGED_HEADER_BYTES),
            )
            self._all_answers.pop(sender.class_count, None)

    def near(self, header: bytes, size: int | None = None) -> Iterator[Candidate]:
        """Iterate over the frames whose header differs from 8 received bytes in few bits.

        size: of the packet in bytes; None on a line, where the frame may have any.
        """
        expected = self.expected_features()
        flips = bch.distances(header, expected.headers)
        near = flips <= KNOWN_HEADER_MAX_FLIPS
        if size is not None:
            near &= expected.sizes == size
        for i in np.flatnonzero(near).tolist():
            yield self.feature(i, int(flips[i]))
        if size in (None, TAGGED_HEADER_BYTES):
            for count in self.tables:
                yield from self._near_answers(header, count)

    def feature(self, i: int, flips: int) -> Candidate:
        """Return the feature frame i of those expected, whose header is `flips` from the received one."""
        expected = self.expected_features()
        sent = Header.from_word(int(expected.headers[i]) >> (HEADER_BITS - bch.HEADER.word_bits))
        board = self.boards[expected.boards[i]]
        return Candidate(board, int(expected.counters[i]), sent, flips, int(expected.tags[i]))

    def answers(self, class_count: int, codeword: int, answers: np.ndarray, flips: np.ndarray) -> Iterator[Candidate]:
        """Iterate over the answer frames with a header's codeword and answers (K,), and their flips (K,)."""
        expected = self.expected_answers(class_count)
        for i in np.flatnonzero(expected.headers == codeword).tolist():
            board, counter = self.boards[expected.boards[i]], int(expected.counters[i])
            sent = answer_header(board.sender, counter)
            tags = board.sender.answer_tags(np.full(len(answers), counter), answers)
            for answer, tag, count in zip(answers.tolist(), tags.tolist(), flips.tolist(), strict=True):
                yield Candidate(board, counter, sent, count, tag, Answer(*divmod(answer, CONFIDENCES)))

    def answer_flips(self, header: bytes, candidate: Candidate) -> np.ndarray:
        """Return in how many bits (answers,) uint8 8 received bytes differ from each answer to a candidate's image."""
        board, sequence = candidate.board, candidate.header.sequence
        codeword = self._codewords[board.position].answers[[sequence]]
        return self.tables[board.sender.class_count].distances(header, codeword)[0]

    def _near_answers(self, header: bytes, class_count: int) -> Iterator[Candidate]:
        expected = self.expected_answers(class_count)
        found = self.tables[class_count].within(header, np.unique(expected.headers), KNOWN_HEADER_MAX_FLIPS)
        for _, codeword, flips in found:
            answers = np.flatnonzero(flips <= KNOWN_HEADER_MAX_FLIPS)
            yield from self.answers(class_count, codeword, answers, flips[answers])

    def expected_features(self) -> Frames:
        """Return the feature frames that can come, with their tags."""
        if self._all_features is None:
            self._all_features = Frames.joined([*self._features.values()])
        return self._all_features

    def expected_answers(self, class_count: int) -> Frames:
        """Return answer 0 of each image that can come, of the boards with so many classes."""
        if class_count not in self._all_answers:
            positions = [at for at in self._answers if self.boards[at].sender.class_count == class_count]
            self._all_answers[class_count] = Frames.joined([self._answers[at] for at in positions])
        return self._all_answers[class_count]


def answer_header(sender: SecuredDevice, counter: int) -> Header:
    """Return the header of an image's answer frame, without class and level."""
    sent = sender.header(counter, 0)
    return Header(FrameType.ANSWER, sent.device, sent.sequence, sent.model, 0)
