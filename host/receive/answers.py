"""Search for answer frames: the answers that known devices can send, and those nearest to a received block.

An answer's codeword is the sum (exclusive or) of two others: that of its header, which names the image, and that of
class and confidence. A block therefore differs from an answer as (block ^ header) differs from the second codeword, and
one table of these serves all headers. A bound on the distance excludes many headers at once; for the others, a product
of two matrices of +1 and -1 gives all distances.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from host.receive.matching import (
    CLEAR_FLIPS,
    FALSE_ANSWER_PER_PACKET,
    FALSE_PER_BYTE,
    HEADER_BITS,
    KNOWN_HEADER_MAX_FLIPS,
    MIN_LEAD,
    SYNC_BITS,
    WINDOWS,
    Match,
    device_keys,
    merged,
)
from wire import bch
from wire.answer import CONFIDENCES
from wire.frame import ANY_DEVICE, SEQUENCES, SYNC_MAX_FLIPS, AnswerHeader, FrameType, Header, answer_part, header_part
from wire.model import Model

_ALL_ANSWERS = 1 << bch.ANSWER.word_bits - 2  # whatever device, sequence, model, class and confidence
# Below this number of answers, the bound saves less time than it takes.
_BOUND_FROM = 50_000
# Soft bits that are farther from an answer than this, in flips of the likelier bits, are not of it.
SOFT_BOUND = 16
# Bits 1 to 57 of a block, the last one being bit 0, in windows that have a table of their distance to the nearest
# answer.
_WINDOW_BITS, _WINDOW_STARTS = 19, (1, 20, 39)


class AnswerTable:
    """All answers to an image, for a number of classes: each class at each confidence level.

    Answer k has class k // CONFIDENCES and confidence k % CONFIDENCES.
    """

    def __init__(self, n_classes: int) -> None:
        self.blocks = bch.ANSWER.codewords(answer_part(*np.divmod(np.arange(n_classes * CONFIDENCES), CONFIDENCES)))
        self._signs = _signs(self.blocks).T  # (64, answers)
        self._windows: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.blocks)

    def distances(self, block: bytes, headers: np.ndarray) -> np.ndarray:
        """Return the bits (N, answers) uint8 in which a block differs from each answer under each header (N,)."""
        products = _signs(headers ^ _number(block)) @ self._signs
        return ((HEADER_BITS - products) / 2).astype(np.uint8)

    def block(self, answer: int) -> int:
        """Return the part of an answer's codeword that answer k adds to that of its header."""
        return int(self.blocks[answer])

    def likeliest(
        self, block: bytes, ratios: np.ndarray, headers: np.ndarray, most: float
    ) -> Iterator[tuple[float, int, int]]:
        """Iterate over those of the headers (N,) under which some answer costs `most` at most, given soft bits.

        ratios (64,): log P(0) / P(1) of each bit; block: the likelier bits. Gives the cost, the header and the answer.
        """
        if len(headers) * len(self) >= _BOUND_FROM:
            headers = headers[self._bounds(block, headers) <= SOFT_BOUND]
        products = (_signs(headers) * ratios.astype(np.float32)) @ self._signs
        costs = (np.abs(ratios).sum() - products) / 2
        nearest = costs.min(axis=1, initial=np.inf)
        for row in np.flatnonzero(nearest <= most).tolist():
            yield float(nearest[row]), int(headers[row]), int(costs[row].argmin())

    def within(self, block: bytes, headers: np.ndarray, most: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """Iterate over those of the headers (N,) under which some answer differs from a block in at most `most` bits.

        Gives the number of bits in which the nearest one differs, the header, and those of all answers.
        """
        if len(headers) * len(self) >= _BOUND_FROM:
            headers = headers[self._bounds(block, headers) <= most]
        distances = self.distances(block, headers)
        nearest = distances.min(axis=1, initial=HEADER_BITS)
        for row in np.flatnonzero(nearest <= most).tolist():
            yield int(nearest[row]), int(headers[row]), distances[row]

    def _bounds(self, block: bytes, headers: np.ndarray) -> np.ndarray:
        """Return lower bounds (N,) of the bits in which a block differs from the nearest answer under each header."""
        if not self._windows:
            self._windows = [_nearest_table(self.blocks, start) for start in _WINDOW_STARTS]
        differences = headers ^ _number(block)
        # Bits outside of the windows count if they are equal in all answers.
        covered = np.uint64(sum((1 << _WINDOW_BITS) - 1 << start for start in _WINDOW_STARTS))
        outside = ~(np.bitwise_or.reduce(self.blocks) | covered)
        bounds = bch.weights(differences & outside)
        for start, table in zip(_WINDOW_STARTS, self._windows, strict=True):
            bounds += table[_window(differences, start)]
        return bounds


class AnswerDecoder:
    """Decoder of answer frames for a set of models and the devices heard so far.

    The limits are those of headers: the number of flips at which noise rarely matches one of the answers that known
    devices can send, 16 of 96 with one device and 10 classes; for others, at most 5 of 63 by the code.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self._known_models = {model.model_bits for model in models}
        classes: dict[int, int] = {}  # model bits -> number of classes
        for model in models:
            if model.class_count:
                classes[model.model_bits] = max(model.class_count, classes.get(model.model_bits, 0))
        tables = {count: AnswerTable(count) for count in set(classes.values())}
        self.tables = {bits: tables[count] for bits, count in classes.items()}
        self._headers: dict[int, Header] = {}  # by codeword: of all devices known so far, and those expected
        self._windows: dict[tuple[int, int], np.ndarray] = {}  # device, model bits -> codewords (32, K) by the newest
        self._next: dict[tuple[int, int], np.ndarray] = {}  # those that can be sent next
        self._established: set[tuple[int, int]] = set()
        self._expected: dict[int, np.ndarray] = {}  # model bits -> codewords
        self._groups: dict[bool, list[tuple[AnswerTable, np.ndarray]]] = {}  # of established devices, of the others

    def header_of(self, codeword: int) -> Header:
        """Return the header of one of the codewords that `next_of` returns."""
        return self._headers[codeword]

    def add_device(self, device: int, model_bits: int, newest: Sequence[int], established: bool = False) -> None:
        """Expect answers that a device can send after these sequence numbers, in place of any before."""
        if model_bits not in self.tables:
            return
        key = device, model_bits
        if key not in self._windows:
            self._windows[key] = self._encode(_headers_of(device, model_bits))[WINDOWS]
        self._next.pop(key, None)  # the device heard last is the last one
        self._next[key] = merged(self._windows[key], newest)
        self._groups.pop(established, None)
        if established != (key in self._established):
            self._groups.clear()
            (self._established.add if established else self._established.discard)(key)

    def remove_device(self, device: int, model_bits: int) -> None:
        """Forget a device."""
        key = device, model_bits
        if self._windows.pop(key, None) is not None:
            del self._next[key]
            self._established.discard(key)
            self._groups.clear()

    def expect(self, headers: Iterable[Header]) -> None:
        """Expect answers with these headers, until the next call."""
        by_model: dict[int, list[Header]] = {}
        for header in headers:
            if header.model in self.tables:
                by_model.setdefault(header.model, []).append(header)
        self._expected = {bits: self._encode(group) for bits, group in by_model.items()}
        self._groups.clear()

    def decode(self, block: bytes, sync_flips: int | None = None, established: bool = False) -> Match | None:
        """Return the nearest answer that known devices can send; None if it is too far, or its image uncertain.

        sync_flips: flips in the sync word before the block; None for a radio packet. established: search among the
        established devices, or among the others.
        """
        groups = self.next_of(established)
        bits, rate = _test(sync_flips)
        compared = groups if established else [*groups, *self.next_of(True)]
        limit = bch.max_flips(bits, sum(len(table) * len(headers) for table, headers in compared), rate)
        most = min(KNOWN_HEADER_MAX_FLIPS, limit - (sync_flips or 0))
        if most < 0:
            return None
        near = [found for table, headers in groups for found in table.within(block, headers, most)]
        if not near:
            return None
        flips, header, distances = min(near, key=lambda found: found[0])
        # Several answers to one image may be near: the reader of the match decides. Several images are a guess.
        if flips > CLEAR_FLIPS:
            rivals = (
                found for table, headers in groups for found in table.within(block, headers, flips + MIN_LEAD - 1)
            )
            if sum(1 for _ in rivals) > 1:
                return None
        passed = ((bits, most if sync_flips is None else limit),)
        return Match(self._headers[header], flips, passed, distances)

    def decode_by_code(self, block: bytes, sync_flips: int | None = None) -> Match | None:
        """Return the answer by the code alone: of a device that need not be known, with a known or unknown model."""
        decoded = AnswerHeader.decode(block)
        if decoded is None:
            return None
        sent, flips = decoded
        table = self.tables.get(sent.model)
        if sent.device == ANY_DEVICE or (table is None and sent.model in self._known_models):
            return None
        if table and sent.answer.index * CONFIDENCES >= len(table):
            return None
        answers = sum(map(len, self.tables.values())) * SEQUENCES * ANY_DEVICE if table else _ALL_ANSWERS
        bits, rate = _test(sync_flips)
        limit = min(bch.ANSWER.max_errors, bch.max_flips(bits, answers, rate) - (sync_flips or 0))
        if flips > limit:
            return None
        passed: tuple[tuple[int, int], ...] = ((bch.N_BITS, limit),)
        if sync_flips is not None:
            passed = ((SYNC_BITS, SYNC_MAX_FLIPS), *passed)
        header = Header(FrameType.ANSWER, sent.device, sent.sequence, sent.model, 0)
        distances = table.distances(block, _codewords([header]))[0] if table else None
        return Match(header, flips + (block[-1] & 1), passed, distances)

    def _encode(self, headers: Iterable[Header]) -> np.ndarray:
        """Return the codewords (N,) of headers, and remember which is whose."""
        sent = list(headers)
        codewords = _codewords(sent)
        self._headers.update(zip(codewords.tolist(), sent, strict=True))
        return codewords

    def next_of(self, established: bool) -> list[tuple[AnswerTable, np.ndarray]]:
        """Return the codewords (N,) of all headers of answers that can be sent next, by the table of their answers.

        Those of established devices include the answers to a pending command.
        """
        if established not in self._groups:
            by_table: dict[AnswerTable, list[np.ndarray]] = {}
            for key in device_keys(self._next, self._established, established):
                by_table.setdefault(self.tables[key[1]], []).append(self._next[key])
            expected = self._expected if established else {}
            for bits, codewords in expected.items():
                by_table.setdefault(self.tables[bits], []).append(codewords)
            joined = ((table, np.concatenate(parts)) for table, parts in by_table.items())
            self._groups[established] = [
                (table, np.unique(headers) if expected else headers) for table, headers in joined
            ]
        return self._groups[established]


def _headers_of(device: int, model_bits: int) -> list[Header]:
    return [Header(FrameType.ANSWER, device, sequence, model_bits, 0) for sequence in range(SEQUENCES)]


def _test(sync_flips: int | None) -> tuple[int, float]:
    """Return the number of bits that are compared, and the rate at which noise may pass."""
    return (HEADER_BITS, FALSE_ANSWER_PER_PACKET) if sync_flips is None else (SYNC_BITS + HEADER_BITS, FALSE_PER_BYTE)


def _codewords(headers: Sequence[Header]) -> np.ndarray:
    """Return the codewords (N,) uint64 of answer 0 with these headers."""
    return bch.ANSWER.codewords([header_part(header.device, header.sequence, header.model) for header in headers])


def _number(block: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(block, "big"))


def _signs(blocks: np.ndarray) -> np.ndarray:
    """Return the bits of blocks (N,) uint64 as (N, 64) float32, +1 for 0 and -1 for 1."""
    octets = blocks.astype(">u8").view(np.uint8).reshape(-1, bch.BLOCK_BYTES)
    return 1 - 2 * np.unpackbits(octets, axis=1).astype(np.float32)


def _window(blocks: np.ndarray, start: int) -> np.ndarray:
    return (blocks >> np.uint64(start) & np.uint64((1 << _WINDOW_BITS) - 1)).astype(np.int64)


def _nearest_table(parts: np.ndarray, start: int) -> np.ndarray:
    """Return, for each value of a window, the number of bits in which it differs from that of the nearest answer.

    A distance transform: in one pass per bit, every value may take the distance of its neighbour plus one.
    """
    table = np.full(1 << _WINDOW_BITS, HEADER_BITS, np.uint8)
    table[_window(parts, start)] = 0
    for bit in range(_WINDOW_BITS):
        pairs = table.reshape(-1, 2, 1 << bit)
        zeros = pairs[:, 0].copy()
        np.minimum(zeros, pairs[:, 1] + 1, out=pairs[:, 0])
        np.minimum(pairs[:, 1], zeros + 1, out=pairs[:, 1])
    return table
