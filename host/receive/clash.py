"""Two boards that send as one device, as their sequence numbers show."""

from wire.frame import SEQUENCES

# Alternations without any loss in between. One board's losses, late frames, copies and restarts give one or two.
CERTAIN = 12


class ClashDetector:
    """Detector of two boards with one device number: their frames are two runs of consecutive sequence numbers.

    A lost frame ends a run, so a bad link delays the detection. A repeater that is more than 8 images late looks like
    a second board.
    """

    def __init__(self) -> None:
        self.found = False
        self._last, self._other = -2, -2  # newest sequence number of the run that continued last, and of the other
        self._alternations = 0

    def record(self, sequence: int) -> None:
        """Record the first frame of an image. Frames of the same image count once, copies not at all."""
        if sequence == (self._last + 1) % SEQUENCES:
            self._last = sequence
            return
        continues = sequence == (self._other + 1) % SEQUENCES
        self._alternations = self._alternations + 1 if continues else 0
        self._last, self._other = sequence, self._last
        self.found |= self._alternations >= CERTAIN
