"""Rhythm of a device: the number of images that it can have sent in a given time."""

from collections import deque
from collections.abc import Iterable
from math import inf, sqrt
from statistics import median

# No board sends images faster: the shortest answers take 1 ms on a line, and a camera gives at most 100 images per
# second. Faster frames are those of a simulation or a recording, and say nothing about time.
MIN_INTERVAL_S = 0.01
SAMPLES, MIN_SAMPLES = 32, 8
# A rhythm is regular if this share of the intervals is within this part of the median.
REGULAR_SHARE, REGULAR_WITHIN = 0.6, 0.1
MIN_SPREAD = 0.005  # of an interval: the least that clocks and drivers add
JITTER, MAX_TOLERANCE = 0.5, 6.0  # in images
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution


class Rhythm:
    """Estimator of the time between two images of a device, by the median of the latest intervals.

    It is known after MIN_SAMPLES intervals if most of them are alike. A camera that waits for motion has none.
    """

    def __init__(self, samples: Iterable[float] = ()) -> None:
        """Begin with earlier intervals, in seconds."""
        self._samples = deque(samples, maxlen=SAMPLES)
        self._summarize()

    @property
    def samples(self) -> list[float]:
        """The latest intervals, in seconds, in the order of their arrival."""
        return list(self._samples)

    @property
    def interval_s(self) -> float | None:
        """The time between two images; None if it is unknown or irregular."""
        return self._interval

    def add(self, seconds: float) -> None:
        """Add the time between two images."""
        self._samples.append(seconds)
        self._summarize()

    def images_in(self, seconds: float) -> tuple[float, float] | None:
        """Return the smallest and largest number of images sent in so many seconds; None if the rhythm does not tell.

        The tolerance grows with the time, by the spread of the intervals and the error of their median.
        """
        if self._interval is None:
            return None
        count = seconds / self._interval
        tolerance = JITTER + 3 * self._spread * (sqrt(count) + count / sqrt(len(self._samples)))
        return (count - tolerance, count + tolerance) if tolerance <= MAX_TOLERANCE else None

    def most_in(self, seconds: float) -> float:
        """Return a number of images that is certainly not exceeded in so many seconds: at twice the fastest rate."""
        if self._interval is not None:
            return 2 * seconds / self._interval + 1
        return seconds / self._shortest

    def _summarize(self) -> None:
        self._interval: float | None = None
        self._spread, self._shortest = inf, MIN_INTERVAL_S
        if len(self._samples) < MIN_SAMPLES:
            return
        middle = median(self._samples)
        self._shortest = max(MIN_INTERVAL_S, min(self._samples) / 2)
        deviations = [abs(sample - middle) for sample in self._samples]
        regular = sum(deviation <= REGULAR_WITHIN * middle for deviation in deviations)
        if middle >= MIN_INTERVAL_S and regular >= REGULAR_SHARE * len(self._samples):
            self._interval = middle
            self._spread = max(MIN_SPREAD, _MAD_TO_DEVIATION * median(deviations) / middle)
