"""What is known of one sender: how many of its frames came, and how many must have been lost."""

from dataclasses import dataclass, field

from wire.frame import Header

SEQUENCES = 32


@dataclass
class Source:
    """The frames of one device with one model, counted by their sequence numbers modulo 32.

    More than 31 losses in a row look like fewer, and a board that starts again at 0 looks like losses.
    """

    received: int = 0
    lost: int = 0
    duplicates: int = 0
    _sequence: int | None = None
    _chunks: set[int] = field(default_factory=set)  # of the present sequence number

    def note(self, header: Header) -> tuple[int, bool]:
        """Count a frame: how many are missing just before it, and whether it came before."""
        self.received += 1
        gap = 1 if self._sequence is None else (header.sequence - self._sequence) % SEQUENCES
        if gap == 0:
            duplicate = header.chunk in self._chunks
            self.duplicates += duplicate
            self._chunks.add(header.chunk)
            return 0, duplicate
        self._sequence, self._chunks = header.sequence, {header.chunk}
        self.lost += gap - 1
        return gap - 1, False
