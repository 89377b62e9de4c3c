"""Sites that cannot be decoded at present, such as one with a damaged state file, and their packets."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from host.gateway.subscriber import WINDOW, Delivery
from host.site.packets import GatewayPacket
from wire.text import printable

log = logging.getLogger(__name__)

RETRY_S = 60.0
# Packets of refused sites that are not acknowledged. The broker sends WINDOW messages before it waits for an
# acknowledgement, or fewer by its own setting: the other sites need the rest of them.
MOST_HELD = WINDOW // 4


@dataclass
class Unsettled:
    """A packet that is not acknowledged yet, and its deliveries: several, if the connection was lost in between."""

    packet: GatewayPacket
    deliveries: list[Delivery] = field(default_factory=list)


@dataclass
class _Refusal:
    problem: str
    retry: float  # when it is tried again, by the clock
    lost: int = 0  # packets


class RefusedSites:
    """The refused sites by name. Their packets stay at the broker, the newest MOST_HELD of all of them.

    acknowledge: is given the deliveries of packets that are lost, as there are more. clock: seconds, never going back.
    """

    def __init__(
        self, acknowledge: Callable[[Iterable[Delivery]], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._acknowledge, self._clock = acknowledge, clock
        self._refusals: dict[str, _Refusal] = {}
        self._failed: dict[str, float] = {}  # when a site failed last while it was decoded
        self._held: OrderedDict[tuple[str, str], Unsettled] = OrderedDict()  # by site and packet id
        self.lost = 0  # packets

    def __contains__(self, site: object) -> bool:
        return site in self._refusals

    def __len__(self) -> int:
        return len(self._refusals)

    def is_due(self, site: str) -> bool:
        """Return True unless a site was refused less than RETRY_S ago."""
        return site not in self._refusals or self._clock() >= self._refusals[site].retry

    def due(self) -> list[str]:
        """Return the sites to try again."""
        return [site for site in self._refusals if self.is_due(site)]

    def fail(self, site: str, problem: str) -> None:
        """Refuse a site that failed while it was decoded. It is tried again at once, unless it also failed just before.

        What failed may have been a process of its own, which begins anew.
        """
        before, self._failed[site] = self._failed.get(site, -RETRY_S), self._clock()
        self.refuse(site, problem)
        if self._clock() - before >= RETRY_S:
            self._refusals[site].retry = self._clock()

    def refuse(self, site: str, problem: str) -> None:
        """Refuse a site until it is tried again, and log why, once for each problem."""
        known = self._refusals.get(site)
        if known is None or known.problem != problem:
            log.error(
                "site %s is not decoded: %s; its packets wait at the broker, and it is tried again every %d s",
                site, printable(problem), RETRY_S,
            )  # fmt: skip
        lost = known.lost if known else 0
        self._refusals[site] = _Refusal(problem, self._clock() + RETRY_S, lost)

    def hold(self, packet: GatewayPacket, deliveries: Iterable[Delivery]) -> None:
        """Keep a packet of a refused site. If there are too many, the oldest are lost, unless it is tried again now."""
        self._held.setdefault((packet.site, packet.id), Unsettled(packet)).deliveries += deliveries
        while len(self._held) > MOST_HELD and not self.is_due(packet.site):
            (site, _), oldest = self._held.popitem(last=False)
            if not self._refusals[site].lost:
                log.warning(
                    "site %s: the oldest of its packets are lost, as more than %d of sites that are not decoded wait",
                    site, MOST_HELD,
                )  # fmt: skip
            self._refusals[site].lost += 1
            self.lost += 1
            self._acknowledge(oldest.deliveries)

    def accept(self, site: str) -> list[Unsettled]:
        """Return the packets of a site that can be decoded now, the oldest first, and forget that it was refused."""
        refusal = self._refusals.pop(site, None)
        if refusal is None:
            return []
        log.warning("site %s is decoded again; %d of its packets were lost", site, refusal.lost)
        return [self._held.pop(key) for key in [*self._held] if key[0] == site]
