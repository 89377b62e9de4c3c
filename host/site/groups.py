"""Groups of packets that seem to be copies of one: as long, alike, by different gateways, within the settle window."""

import bisect
from dataclasses import dataclass, field
from math import sqrt

from host.site.packets import GatewayPacket

# A gateway that was heard within this time may deliver a further copy.
ACTIVE_S = 600.0
# Copies at bit error rates of 0.2 differ in a share of COPIES_DIFFER of their bits. Random packets are as near as
# RANDOM_DEVIATIONS at one in 44. Grouping too much costs little: whether a packet is a copy, the header decides later.
COPIES_DIFFER, COPY_DEVIATIONS, RANDOM_DEVIATIONS = 0.32, 2.5, 2.0
MAX_OPEN = 4096  # groups; beyond, the oldest ones are settled early
# Packets that are later than this have waited at a gateway or a broker, and those of other gateways come meanwhile, in
# any order: a group of them waits longer for copies and for older groups.
LATE_S, CATCH_UP_S = 2.0, 5.0


@dataclass
class Group:
    """Packets that seem to be copies of one."""

    time: float  # Unix time in seconds of its first packet
    due: float  # seconds, when it is settled
    late: bool  # it waited on its way: gateways that were not heard for long may have it, too
    packets: list[GatewayPacket] = field(default_factory=list)
    values: list[int] = field(default_factory=list)  # their payloads as numbers

    def distance(self, packet: GatewayPacket, value: int) -> int | None:
        """Return in how many bits a packet differs from the nearest one; None if it is too many to be a copy."""
        if len(packet.payload) != len(self.packets[0].payload):
            return None
        if any(one.gateway == packet.gateway for one in self.packets):
            return None
        nearest = min((value ^ other).bit_count() for other in self.values)
        return nearest if nearest <= _most_different(8 * len(packet.payload)) else None

    def add(self, packet: GatewayPacket, value: int) -> None:
        """Add a packet."""
        self.packets.append(packet)
        self.values.append(value)


class Groups:
    """Groups of packets that are not settled yet, in the order of the times at which they were received."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._open: list[Group] = []
        self._ids: set[str] = set()
        self._gateways: dict[str, float] = {}  # when each was heard last

    def __contains__(self, packet_id: object) -> bool:
        return packet_id in self._ids

    def __len__(self) -> int:
        return len(self._open)

    def add(self, packet: GatewayPacket, now: float, lag_s: float = 0.0) -> None:
        """Add a packet to the group that it is a copy of, or to a new one. lag_s: seconds since it was received."""
        self._gateways[packet.gateway] = now
        self._ids.add(packet.id)
        value = int.from_bytes(packet.payload, "big")
        near = [(d, i) for i, one in enumerate(self._open) if (d := one.distance(packet, value)) is not None]
        if near:
            self._open[min(near)[1]].add(packet, value)
        else:
            late = lag_s > LATE_S
            group = Group(packet.time, now + (CATCH_UP_S if late else self._settle_s), late)
            group.add(packet, value)
            bisect.insort(self._open, group, key=lambda one: one.time)

    def due(self, now: float) -> list[list[GatewayPacket]]:
        """Return the groups that no further copy is awaited of, with the oldest first; they are settled now.

        A group is due after the settle window, or once all gateways that were heard lately have a copy. It waits for
        older ones, so that the images of a device stay in order.
        """
        active = sum(1 for heard in self._gateways.values() if now - heard < ACTIVE_S)
        found = []
        while self._open:
            first = self._open[0]
            complete = len(first.packets) >= (max(2, active) if first.late else active)
            if now < first.due and not complete and len(self._open) <= MAX_OPEN:
                break
            found.append(self._settle())
        return found

    def flush(self) -> list[list[GatewayPacket]]:
        """Return all groups; they are settled now."""
        return [self._settle() for _ in range(len(self._open))]

    def _settle(self) -> list[GatewayPacket]:
        group = self._open.pop(0)
        self._ids.difference_update(packet.id for packet in group.packets)
        return group.packets


def _most_different(bits: int) -> float:
    copies = bits * COPIES_DIFFER + COPY_DEVIATIONS * sqrt(bits * COPIES_DIFFER * (1 - COPIES_DIFFER))
    return min(copies, bits / 2 - RANDOM_DEVIATIONS * sqrt(bits) / 2)
