"""Canonical Huffman code over the bytes 0..255: both ends need to agree on 256 code lengths only.

Huffman 1952 (doi 10.1109/JRPROC.1952.273898). Canonical: codes are counted up, the shorter ones first and the lower
values first among equals, as DEFLATE does it (RFC 1951, section 3.2.2).
"""

import heapq
import itertools

import numpy as np

SYMBOLS = 256


class Huffman:
    """The code that `lengths` (256,) define: the bits of each value's codeword. All values have one."""

    def __init__(self, lengths: np.ndarray) -> None:
        self.lengths = lengths.astype(np.int64)
        self.codes = np.zeros(SYMBOLS, np.int64)
        self.by_code: dict[tuple[int, int], int] = {}  # (length, code) -> value
        code = length = 0
        for value in np.lexsort((np.arange(SYMBOLS), self.lengths)).tolist():
            code <<= int(self.lengths[value]) - length
            length = int(self.lengths[value])
            self.codes[value] = code
            self.by_code[length, code] = value
            code += 1
        if code != 1 << length:
            raise ValueError("these code lengths are not those of a Huffman code")

    @classmethod
    def of(cls, counts: np.ndarray) -> "Huffman":
        """The best code for values that are met `counts` (256,) times; one more each, so that none is impossible."""
        lengths = np.zeros(SYMBOLS, np.int64)
        order = itertools.count()  # decides among equal counts: the same code everywhere
        heap = [(int(count) + 1, next(order), [value]) for value, count in enumerate(counts)]
        heapq.heapify(heap)
        while len(heap) > 1:
            first, _, rare = heapq.heappop(heap)
            second, _, other = heapq.heappop(heap)
            lengths[rare + other] += 1
            heapq.heappush(heap, (first + second, next(order), rare + other))
        return cls(lengths)

    def encode(self, values: np.ndarray) -> list[bytes]:
        """Values (P, S) -> P byte strings, each padded with zero bits to whole bytes."""
        lengths = self.lengths[values]  # (P, S)
        sizes = (lengths.sum(1) + 7) // 8
        ends = sizes.cumsum()
        starts = 8 * (ends - sizes)[:, None] + lengths.cumsum(1) - lengths  # first bit of each codeword
        bits = np.zeros(8 * int(ends[-1]), bool)
        codes, lengths, starts = self.codes[values].ravel(), lengths.ravel(), starts.ravel()
        for place in range(int(lengths.max())):  # a bit of all codewords at once, of those that are long enough
            if place:
                long = lengths > place
                codes, lengths, starts = codes[long], lengths[long], starts[long]
            bits[starts + place] = (codes >> (lengths - 1 - place)) & 1
        stream = np.packbits(bits).tobytes()
        return [stream[end - size : end] for size, end in zip(sizes.tolist(), ends.tolist(), strict=True)]

    def decode(self, data: bytes, count: int) -> np.ndarray:
        """The first `count` values of `data`, uint8 (count,). Raises ValueError where it ends before."""
        values = []
        code = length = 0
        for bit in np.unpackbits(np.frombuffer(data, np.uint8)).tolist():
            code, length = code << 1 | bit, length + 1
            value = self.by_code.get((length, code))
            if value is not None:
                values.append(value)
                code = length = 0
                if len(values) == count:
                    return np.array(values, np.uint8)
        raise ValueError(f"{len(data)} bytes end after {len(values)} of {count} values")
