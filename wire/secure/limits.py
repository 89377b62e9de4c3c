"""How many flipped bits a header tag may have: forgeries accepted and honest frames refused, from binomial sums."""

from math import comb

from wire import bch

TAG_BITS = 64
# Of forged frames, at most one in 2^24 is accepted. A frame may be searched for twice, among the next frames and, after
# a long silence, in a wide window. The first search is the usual one and has the larger share: just enough for 11 flips
# with one candidate, which leaves enough for 6 flips in a window of 65,536 counters of one model.
FORGERY_RATE = 1 / (1 << 24)
NEXT_RATE, WINDOW_RATE = 0.844 * FORGERY_RATE, 0.156 * FORGERY_RATE


def forgery_probability(flips: int, candidates: int = 1) -> float:
    """Return a bound of the probability that a forged frame is accepted if `flips` of its tag's bits may be wrong.

    To somebody without the key, the tags of frames not sent yet are random. `candidates` is the number of those among
    which the frame's tag may be near one. The bound is the sum of their probabilities.
    """
    within = sum(comb(TAG_BITS, k) for k in range(flips + 1))
    return min(1.0, candidates * within / 2**TAG_BITS)


def max_tag_flips(candidates: int, rate: float = NEXT_RATE) -> int:
    """Return the largest number of flips at which no more than this share of forged frames is accepted; -1 if none."""
    return bch.max_flips(TAG_BITS, candidates, rate)


def refused(flips: int, ber: float) -> float:
    """Return the share of honest frames with more flips than these in their tag, at a bit error rate."""
    return sum(
        comb(TAG_BITS, k) * ber**k * (1 - ber) ** (TAG_BITS - k) for k in range(flips + 1, TAG_BITS + 1)
    )  # fmt: skip
