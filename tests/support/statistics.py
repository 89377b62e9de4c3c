"""Statistical checks for tests of channel models."""

from itertools import pairwise

import numpy as np

from channel_sim import Channel


def within(count: int, trials: int, p: float) -> bool:
    """Return True if a count is within five standard deviations of a binomial one; false once in 1.7 million."""
    return abs(count - trials * p) <= 5 * np.sqrt(trials * p * (1 - p))


def same_however_cut(channel: Channel, cuts: list[int], seed: int) -> bool:
    """Return True if a line gives the same 400 bytes in these pieces as in one."""
    data = np.random.default_rng(8).bytes(400)
    line = channel.line(np.random.default_rng(seed))
    pieces = b"".join(line(data[a:b]) for a, b in pairwise([0, *sorted(cuts), 400]))
    return pieces == channel.line(np.random.default_rng(seed))(data)
