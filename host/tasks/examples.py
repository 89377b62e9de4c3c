"""Examples that a task is taught from: payloads with labels, before and after decoding."""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from host.errors import HostError
from wire.payload import bits_to_symbols, symbols_to_bits

COPY_BERS = (1e-2, 5e-2)  # bit errors added to the damaged copies of each image


def group_of(identity: bytes) -> int:
    """Return the group of an image from what identifies it, such as its pixels: the same whenever it is taught."""
    return int.from_bytes(hashlib.sha256(identity).digest()[:8], "big", signed=True)


class TaskError(HostError):
    """A task cannot be taught or used. The message is one line: the task and the reason."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled payloads. Rows of one group are copies of one image, the least damaged first.

    A group is a number that stays the same whenever the image is taught again, such as a hash.
    """

    symbols: np.ndarray  # (M, S) int64, -1 = not received
    labels: np.ndarray  # (M,) int64 indices into `classes`
    groups: np.ndarray  # (M,) int64
    bers: np.ndarray  # (M,) bit error rates, as the decoder is given them
    classes: tuple[str, ...]
    source: str  # "readings", or another word for where the images are from

    def with_damaged_copies(self, bits_per_symbol: int, seed: int) -> "Examples":
        """Return these examples, followed by a copy of each with bit errors at each of COPY_BERS."""
        rng = np.random.default_rng(seed)
        copies = [self, *(self.damaged(ber, bits_per_symbol, rng) for ber in COPY_BERS)]
        return Examples(
            np.concatenate([copy.symbols for copy in copies]),
            np.tile(self.labels, len(copies)),
            np.tile(self.groups, len(copies)),
            np.concatenate([copy.bers for copy in copies]),
            self.classes,
            self.source,
        )

    def damaged(self, ber: float, bits_per_symbol: int, rng: np.random.Generator) -> "Examples":
        """Return these examples with more bit errors, at a bit error rate."""
        bits = symbols_to_bits(np.maximum(self.symbols, 0), bits_per_symbol)
        flipped = bits_to_symbols(bits ^ (rng.random(bits.shape) < ber), bits_per_symbol)
        symbols = np.where(self.symbols < 0, -1, flipped)
        return replace(self, symbols=symbols, bers=self.bers + ber - 2 * self.bers * ber)  # wrong once, but not twice

    def rows(self, chosen: np.ndarray) -> "Examples":
        """Return the examples with these row numbers."""
        parts = {name: getattr(self, name)[chosen] for name in ("symbols", "labels", "groups", "bers")}
        return replace(self, **parts)


@dataclass(frozen=True, eq=False)
class Memory:
    """Decoded examples of a task, kept so that classes can be added from new images alone."""

    embeddings: np.ndarray  # (M, D) float16
    labels: np.ndarray  # (M,) int64 indices into the task's classes
    groups: np.ndarray  # (M,) int64
    bers: np.ndarray  # (M,) float32

    @property
    def copies(self) -> np.ndarray:
        """The number (M,) of each row among the rows of its group, from 0."""
        seen: Counter[int] = Counter()
        copies = np.empty(len(self.groups), np.int64)
        for row, group in enumerate(self.groups.tolist()):
            copies[row] = seen[group]
            seen[group] += 1
        return copies

    def joined(self, new: "Memory") -> "Memory":
        """Return the rows of both, without those of `new` whose group is known.

        Raises TaskError if such an image has another label than before.
        """
        known = dict(zip(self.groups.tolist(), self.labels.tolist(), strict=True))
        fresh = np.array([group not in known for group in new.groups.tolist()], bool)
        for group, label in zip(new.groups.tolist(), new.labels.tolist(), strict=True):
            if known.get(group, label) != label:
                raise TaskError("an image that was taught before has another class now: teach all anew with --force")
        return Memory(
            np.concatenate([self.embeddings, new.embeddings[fresh]]),
            np.concatenate([self.labels, new.labels[fresh]]),
            np.concatenate([self.groups, new.groups[fresh]]),
            np.concatenate([self.bers, new.bers[fresh]]),
        )
