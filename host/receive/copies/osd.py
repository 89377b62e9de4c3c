"""Soft decoding of the wire's BCH codes: ordered statistics decoding, which comes close to maximum likelihood.

The most reliable bits that determine a codeword are taken as they are, with up to two of them flipped; the likeliest of
these codewords wins (Fossorier & Lin, IEEE Trans. Inf. Theory 41, 1995). Bits of which nothing is known cost nothing:
erasures need no treatment of their own.
"""

from functools import lru_cache, reduce
from operator import xor

import numpy as np

from host.receive.copies.soft import SoftBlock
from wire import bch


def likeliest(code: bch.Code, block: SoftBlock, most: float) -> list[tuple[float, int]]:
    """Return the costs and words of the likeliest codewords that cost `most` at most, the likeliest first."""
    hard = int.from_bytes(block.hard, "big")
    basis = _reliable_basis(code, block.reliabilities)
    agreeing = reduce(xor, (row for mask, row in basis if hard & mask), 0)
    rows = np.array([row for _, row in basis], np.uint64)
    first, second = _pairs(len(rows))
    flipped = np.concatenate([np.zeros(1, np.uint64), rows, rows[first] ^ rows[second]])
    codewords = flipped ^ np.uint64(agreeing)
    costs = block.costs(codewords)
    near = np.flatnonzero(costs <= most)
    near = near[np.argsort(costs[near], kind="stable")]
    return [(float(costs[i]), code.word_of(int(codewords[i]))) for i in near]


def _reliable_basis(code: bch.Code, reliabilities: np.ndarray) -> list[tuple[int, int]]:
    """Return codewords that span the code, each with the one of the most reliable bits that it alone has."""
    left = [row << 1 for row in code.rows]
    basis: list[tuple[int, int]] = []
    for position in np.argsort(-reliabilities[: bch.N_BITS], kind="stable").tolist():
        mask = 1 << (bch.N_BITS - position)
        pivot = next((row for row in left if row & mask), None)
        if pivot is None:
            continue
        left = [row ^ pivot if row & mask else row for row in left if row != pivot]
        basis = [(own, row ^ pivot if row & mask else row) for own, row in basis]
        basis.append((mask, pivot))
        if not left:
            break
    return basis


@lru_cache(maxsize=4)
def _pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(count, 1)
