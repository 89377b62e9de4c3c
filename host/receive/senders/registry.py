"""Registry of senders: bounded, since anybody can send frames with any device number."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from host.receive.senders.track import Certainty
from host.receive.sources import FIRM, Source
from wire.frame import ANY_DEVICE

Key = tuple[int, str]  # device, model_id

MAX_SOURCES = ANY_DEVICE  # as many as there are devices
# A device is established once it has been heard this long, or half as long as the oldest one, but a day at most.
ESTABLISHED_S, MAX_ESTABLISHED_S = 60.0, 86400.0
# A source is forgotten if nothing is heard of it for an hour, or for as long as it was heard before, up to 30 days.
FORGET_S, MAX_FORGET_S = 3600.0, 30 * 86400.0
CHECK_S = 60.0  # between two searches for such sources


class Totals(NamedTuple):
    """Counts of all sources, including those that were forgotten."""

    lost: int
    duplicates: int
    late: int
    certainty: Certainty  # of `lost`


@dataclass
class _Forgotten:
    lost: int = 0
    duplicates: int = 0
    late: int = 0
    certainty: Certainty = Certainty.EXACT


class Registry:
    """The sources by device and model_id: at most MAX_SOURCES, the least heard ones being forgotten first.

    A source that was heard for long is *established*. Whoever sends with many other device numbers costs it nothing
    until these have been heard for half as long. The sources of `protected` devices, whose frames are authentic, are
    forgotten last.
    """

    def __init__(self, protected: Collection[int] = ()) -> None:
        self._protected = protected
        self.sources: dict[Key, Source] = {}
        self._forgotten = _Forgotten()
        self._oldest_s = 0.0
        self._checked = 0.0

    def add(self, key: Key) -> Source:
        """Return a source, which is a new one if it is not known."""
        source = self.sources.get(key)
        if source is None:
            source = self.sources[key] = Source()
        return source

    def is_established(self, source: Source) -> bool:
        """Return True if a source was heard for long, compared with the others."""
        span = source.heard - source.first_heard
        self._oldest_s = max(self._oldest_s, span)
        least = max(ESTABLISHED_S, min(self._oldest_s / 2, MAX_ESTABLISHED_S))
        return source.images >= FIRM and span >= least

    def forget(self, now: float) -> Iterator[Key]:
        """Forget the sources that were not heard for long, and those beyond MAX_SOURCES; iterate over their keys.

        The newest one, which has just been heard, is never among them.
        """
        if now - self._checked >= CHECK_S:
            self._checked = now
            yield from self._drop(
                [key for key, source in self.sources.items() if now - source.heard > _patience(source)]
            )
        if len(self.sources) > MAX_SOURCES:
            excess = len(self.sources) - MAX_SOURCES
            yield from self._drop(sorted([*self.sources][:-1], key=self._rank)[:excess])

    def totals(self) -> Totals:
        """Return the counts of all sources so far."""
        everything: list[Source | _Forgotten] = [*self.sources.values(), self._forgotten]
        return Totals(
            sum(source.lost for source in everything),
            sum(source.duplicates for source in everything),
            sum(source.late for source in everything),
            max(source.certainty for source in everything),
        )

    def _rank(self, key: Key) -> tuple[bool, bool, int, float]:
        """Return what the order of forgetting is by: the least often and least recently heard ones come first."""
        source = self.sources[key]
        return key[0] in self._protected, self.is_established(source), min(source.images, FIRM), source.heard

    def _drop(self, keys: list[Key]) -> Iterator[Key]:
        for key in keys:
            source, total = self.sources.pop(key), self._forgotten
            total.lost += source.lost
            total.duplicates += source.duplicates
            total.late += source.late
            total.certainty = max(total.certainty, source.certainty)
            yield key
        if keys:
            self._oldest_s = max((source.heard - source.first_heard for source in self.sources.values()), default=0.0)


def _patience(source: Source) -> float:
    """Return the seconds of silence after which a source is forgotten."""
    return max(FORGET_S, min(source.heard - source.first_heard, MAX_FORGET_S))
