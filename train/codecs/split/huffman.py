"""Canonical Huffman code over the bytes 0..255; sender and receiver share only 256 code lengths.

Huffman 1952 (doi 10.1109/JRPROC.1952.273898). Canonical: codes are assigned in ascending order, shorter ones first and
lower values first among equals, as in DEFLATE (RFC 1951, section 3.2.2).
"""

import heapq
import itertools

import numpy as np

N_VALUES = 256


class HuffmanCode:
    """The code that `lengths` (256,), the bits of each value's codeword, define. Every value has a codeword."""

    def __init__(self, lengths: np.ndarray) -> None:
        self.lengths = lengths.astype(np.int64)
        self.codes = np.zeros(N_VALUES, np.int64)
        self.by_code: dict[tuple[int, int], int] = {}  # (length, code) -> value
        code = length = 0
        for value in np.lexsort((np.arange(N_VALUES), self.lengths)).tolist():
            code <<= int(self.lengths[value]) - length
            length = int(self.lengths[value])
            self.codes[value] = code
            self.by_code[length, code] = value
            code += 1
        if code != 1 << length:
            raise ValueError("code lengths are not those of a complete Huffman code")

    @classmethod
    def from_counts(cls, counts: np.ndarray) -> "HuffmanCode":
        """Return the best code for values that occur `counts` (256,) times, plus one so that each has a codeword."""
        lengths = np.zeros(N_VALUES, np.int64)
        order = itertools.count()  # breaks ties between equal counts: the same code everywhere
        heap = [(int(count) + 1, next(order), [value]) for value, count in enumerate(counts)]
        heapq.heapify(heap)
        while len(heap) > 1:
            first, _, rare = heapq.heappop(heap)
            second, _, other = heapq.heappop(heap)
            lengths[rare + other] += 1
            heapq.heappush(heap, (first + second, next(order), rare + other))
        return cls(lengths)

    def encode(self, values: np.ndarray) -> list[bytes]:
        """Encode values (P, S) to P byte strings, each padded with zero bits to whole bytes."""
        lengths = self.lengths[values]  # (P, S)
        sizes = (lengths.sum(1) + 7) // 8
        ends = sizes.cumsum()
        starts = 8 * (ends - sizes)[:, None] + lengths.cumsum(1) - lengths  # first bit of each codeword
        bits = np.zeros(8 * int(ends[-1]), bool)
        codes, lengths, starts = self.codes[values].ravel(), lengths.ravel(), starts.ravel()
        for place in range(int(lengths.max())):  # one bit of all codewords that are long enough
            if place:
                long = lengths > place
                codes, lengths, starts = codes[long], lengths[long], starts[long]
            bits[starts + place] = (codes >> (lengths - 1 - place)) & 1
        stream = np.packbits(bits).tobytes()
        return [stream[end - size : end] for size, end in zip(sizes.tolist(), ends.tolist(), strict=True)]

    def decode(self, data: bytes, count: int) -> np.ndarray:
        """Decode the first `count` values of `data`, uint8 (count,). Raises ValueError if `data` holds fewer."""
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
