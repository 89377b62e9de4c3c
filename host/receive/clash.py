"""Two boards that send as one device, as their sequence numbers or their status frames show."""

from wire.frame import SEQUENCES
from wire.replies.status import Status

# Alternations without any loss in between. One board's losses, late frames, copies and restarts give one or two.
CERTAIN = 12
# Contradictions between status frames, which have a CRC-32. A line that delivers late gives one.
CERTAIN_STATUSES = 2
# Boards count their uptime by clocks that are off by up to 5 % in deep sleep, and frames arrive late.
START_TOLERANCE_S, CLOCK_TOLERANCE = 10.0, 0.1


class ClashDetector:
    """Detector of two boards with one device number: their frames are two runs of consecutive sequence numbers.

    A lost frame ends a run, so a bad link delays the detection. A repeater that is more than 8 images late looks like
    a second board. count: the numbers are modulo this.
    """

    def __init__(self, count: int = SEQUENCES) -> None:
        self.found = False
        self._count = count
        self._last, self._other = -2, -2  # newest sequence number of the run that continued last, and of the other
        self._alternations = 0

    def record(self, sequence: int) -> None:
        """Record the first frame of an image. Frames of the same image count once, copies not at all."""
        if sequence == (self._last + 1) % self._count:
            self._last = sequence
            return
        continues = sequence == (self._other + 1) % self._count
        self._alternations = self._alternations + 1 if continues else 0
        self._last, self._other = sequence, self._last
        self.found |= self._alternations >= CERTAIN


class StatusClashDetector:
    """Detector of two boards with one device number: their status frames contradict each other.

    A board cannot have started before the start that it reported earlier. Unless it `has_restarted`, its counter does
    not fall, and it has as many boots as before. `found` becomes true at the second contradiction.
    """

    def __init__(self) -> None:
        self.found = False
        self._contradictions = 0
        self._last: tuple[float, Status] | None = None

    def record(self, status: Status, now: float) -> None:
        """Record a status frame. now: the time of its arrival in seconds of a monotonic clock."""
        if self._last and self._last[1] != status:
            self._contradictions += self._contradicts(*self._last, status, now)
            self.found |= self._contradictions >= CERTAIN_STATUSES
        self._last = now, status

    @staticmethod
    def _contradicts(before: float, earlier: Status, later: Status, now: float) -> bool:
        if has_restarted(earlier, later, now - before):
            return False
        start_moved = _start_moved(earlier, later, now - before)
        earlier_start = start_moved < -start_tolerance(now - before)
        return earlier_start or later.counter < earlier.counter or later.boots != earlier.boots


def has_restarted(earlier: Status, later: Status, elapsed: float) -> bool:
    """Return True if a board has started between two of its status frames, which came `elapsed` seconds apart.

    A start shows in uptime. One right after another, which the tolerance hides, shows in boots.
    """
    if _start_moved(earlier, later, elapsed) > start_tolerance(elapsed):
        return True
    return later.boots > earlier.boots > 0 and later.uptime_s <= elapsed + START_TOLERANCE_S


def _start_moved(earlier: Status, later: Status, elapsed: float) -> float:
    """Return by how many seconds the start that a status reports is later than that of another."""
    return elapsed - (later.uptime_s - earlier.uptime_s)


def start_tolerance(elapsed: float) -> float:
    """Return the seconds by which a board's uptime and so many seconds of this host may differ."""
    return START_TOLERANCE_S + CLOCK_TOLERANCE * elapsed
