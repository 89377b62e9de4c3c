"""Availability of a sender: detects that it has been silent for too long, by its own intervals."""

from dataclasses import dataclass, field

MIN_SILENCE_S = 60.0  # shorter silences are never reported
FACTOR = 3.5  # silent for so many times the longest usual interval: two frames in a row may be lost, the third late
DAY_S = 86400.0  # what a sender does in less than a day, such as by day only, is not its rhythm yet
MIN_INTERVALS = 8  # in a day, for a rhythm


@dataclass
class Availability:
    """The intervals between the frames of one sender. Times are in seconds of one monotonic clock.

    The longest usual interval is the period that the sender announces in its status frames, or less if it has sent
    more often for a whole day: then it is the second longest interval of the present day and of the one before, so that
    a single outage does not count and a slower rhythm is learnt at its second interval. A sender that announces nothing
    has no usual interval until a day has passed, so phantoms, which noise may name, are never missed.
    """

    last_heard: float
    period_s: int | None = None  # as announced
    silent: bool = False  # reported
    _since: float = field(init=False)  # begin of the present day
    _longest: list[float] = field(default_factory=lambda: [0.0, 0.0])  # two intervals of the present day, rising
    _intervals: int = 0  # in the present day
    _day_before: float | None = None  # second longest interval

    def __post_init__(self) -> None:
        self._since = self.last_heard

    def hear(self, now: float) -> float | None:
        """Record a frame. Returns the seconds of silence that it ends, if the silence was reported."""
        interval, was_silent = now - self.last_heard, self.silent
        self.last_heard, self.silent = now, False
        self._longest = sorted([*self._longest, interval])[-2:]
        self._intervals += 1
        if now - self._since >= DAY_S:
            self._day_before = self._longest[0] if self._intervals >= MIN_INTERVALS else None
            self._since, self._longest, self._intervals = now, [0.0, 0.0], 0
        return interval if was_silent else None

    @property
    def usual_s(self) -> float | None:
        """The longest usual interval, None while it is unknown."""
        longest = None if self._day_before is None else max(self._day_before, self._longest[0])
        return min((seconds for seconds in (self.period_s, longest) if seconds is not None), default=None)

    @property
    def limit_s(self) -> float | None:
        """The silence that is too long, None while it is unknown."""
        return None if self.usual_s is None else max(MIN_SILENCE_S, FACTOR * self.usual_s)

    def check(self, now: float) -> float | None:
        """Return the seconds of silence once it is too long, then None until the sender is heard again."""
        limit, silence = self.limit_s, now - self.last_heard
        if self.silent or limit is None or silence < limit:
            return None
        self.silent = True
        return silence

    def excuse(self, seconds: float, now: float) -> None:
        """Do not count this time as silence: nobody could hear the sender."""
        self.last_heard = min(now, self.last_heard + seconds)
