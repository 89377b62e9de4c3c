"""Losses and duplicates: lost bytes (a UART overrun), truncated, lost and duplicate frames.

Lost bytes and truncation change the length of a frame. `flips` cannot represent that and reports such a frame as lost.
That is pessimistic: a receiver can still use many of these frames.
"""

import numpy as np

from channel_sim.channels.channel import Channel, ChannelError


def _probability(value: float) -> float:
    if not 0 <= value <= 1:
        raise ChannelError("a probability lies between 0 and 1")
    return float(value)


class ByteLoss(Channel):
    """Each byte is lost independently with probability p; the bytes after it move up."""

    by_byte = True

    def __init__(self, p: float) -> None:
        self.p = _probability(p)

    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """No flips; a frame of B bytes is lost with probability 1 - (1 - p)^B."""
        whole = (1 - self.p) ** (-(-bits // 8))
        return np.zeros((n, bits), bool), rng.random(n) >= whole

    def corrupt(self, frame: bytes, rng: np.random.Generator) -> bytes | None:
        """Return the remaining bytes, or None if there are none."""
        kept = rng.random(len(frame)) >= self.p
        return np.frombuffer(frame, np.uint8)[kept].tobytes() or None


class Truncation(Channel):
    """A frame is truncated with probability p, to a length that is uniform over 0 .. length - 1."""

    def __init__(self, p: float) -> None:
        self.p = _probability(p)

    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """No flips; a frame is lost with probability p."""
        return np.zeros((n, bits), bool), rng.random(n) < self.p

    def corrupt(self, frame: bytes, rng: np.random.Generator) -> bytes | None:
        """Return the head of the frame, or None if it is empty."""
        if rng.random() >= self.p:
            return frame
        return frame[: int(rng.integers(len(frame)))] or None


class FrameLoss(Channel):
    """A whole frame is lost with probability p."""

    def __init__(self, p: float) -> None:
        self.p = _probability(p)

    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """No flips; a frame is lost with probability p."""
        return np.zeros((n, bits), bool), rng.random(n) < self.p


class Duplicate(Channel):
    """A frame is duplicated with probability p; the copy follows directly."""

    def __init__(self, p: float) -> None:
        self.p = _probability(p)

    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """No flips and no losses."""
        return np.zeros((n, bits), bool), np.zeros(n, bool)

    def corrupt(self, frame: bytes, rng: np.random.Generator) -> bytes | None:
        """Return the frame once or twice."""
        return frame * (1 + (rng.random() < self.p))
