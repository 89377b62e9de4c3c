"""Examples that a task is taught from: payloads with labels, before and after decoding."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from host.errors import HostError
from wire.payload import bits_to_symbols, symbols_to_bits

COPY_BERS = (1e-2, 5e-2)  # bit errors added to the damaged copies of each image


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
        symbols, bers = [self.symbols], [self.bers]
        for ber in COPY_BERS:
            bits = symbols_to_bits(np.maximum(self.symbols, 0), bits_per_symbol)
            flipped = bits_to_symbols(bits ^ (rng.random(bits.shape) < ber), bits_per_symbol)
            symbols.append(np.where(self.symbols < 0, -1, flipped))
            bers.append(self.bers + ber - 2 * self.bers * ber)  # wrong once, but not twice
        copies = len(symbols)
        return Examples(
            np.concatenate(symbols),
            np.tile(self.labels, copies),
            np.tile(self.groups, copies),
            np.concatenate(bers),
            self.classes,
            self.source,
        )


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
