"""Groups of packets: what joins one, and when it is settled."""

import numpy as np

from host.site.groups import ACTIVE_S, MAX_OPEN, Groups
from host.site.packets import GatewayPacket
from tests.support.host import damaged


def packet(payload: bytes, gateway: str = "a", number: int = 0) -> GatewayPacket:
    """Return a packet of a gateway."""
    return GatewayPacket("home", gateway, "b", number, 0.0, payload)


def payloads(groups: list[list[GatewayPacket]]) -> list[str]:
    """Return the gateways of each group."""
    return ["".join(one.gateway for one in group) for group in groups]


def test_alike_packets_of_several_gateways_are_one_group() -> None:
    rng = np.random.default_rng(0)
    for size in (8, 16, 64):
        joined = 0
        for _ in range(200):
            sent, groups = rng.bytes(size), Groups(0.25)
            for gateway in "abc":
                groups.add(packet(damaged(sent, 0.12, rng), gateway), 0.0)
            joined += len(groups) == 1
        assert joined > 180, size


def test_unlike_packets_are_not() -> None:
    rng = np.random.default_rng(1)
    for size, most in ((8, 20), (16, 15), (64, 0)):
        joined = 0
        for _ in range(200):
            groups = Groups(0.25)
            groups.add(packet(rng.bytes(size), "a"), 0.0)
            groups.add(packet(rng.bytes(size), "b"), 0.0)
            joined += len(groups) == 1
        assert joined <= most, size


def test_packets_of_other_length_or_of_the_same_gateway_are_not_copies() -> None:
    groups = Groups(0.25)
    groups.add(packet(bytes(20), "a", 1), 0.0)
    groups.add(packet(bytes(20), "a", 2), 0.0)
    groups.add(packet(bytes(21), "b", 3), 0.0)
    assert len(groups) == 3


def test_packet_joins_the_nearest_group() -> None:
    groups = Groups(0.25)
    groups.add(packet(bytes(64), "a"), 0.0)
    groups.add(packet(bytes(60) + b"\xff" * 4, "a", 2), 0.0)
    groups.add(packet(bytes(60) + b"\xff\xff\xff\x0f", "b"), 0.0)
    assert payloads(groups.flush()) == ["a", "ab"]


def test_group_waits_for_the_window_or_all_gateways() -> None:
    groups = Groups(0.25)
    groups.add(packet(bytes(20), "a"), 0.0)
    assert payloads(groups.due(0.0)) == ["a"]  # no other gateway is known
    groups.add(packet(bytes(20), "a", 1), 1.0)
    groups.add(packet(b"\xff" * 20, "b", 1), 1.1)
    assert groups.due(1.2) == []
    assert payloads(groups.due(1.26)) == ["a"] and payloads(groups.due(1.36)) == ["b"]
    groups.add(packet(bytes(20), "a", 2), 2.0)
    groups.add(packet(bytes(20), "b", 2), 2.1)
    assert payloads(groups.due(2.1)) == ["ab"]
    groups.add(packet(bytes(20), "a", 3), 3.0 + ACTIVE_S)
    assert payloads(groups.due(3.0 + ACTIVE_S)) == ["a"]


def test_group_waits_for_older_ones() -> None:
    groups = Groups(0.25)
    groups.add(packet(bytes(20), "a", 1), 0.0)
    groups.add(packet(b"\xff" * 20, "b", 1), 0.1)
    groups.add(packet(b"\xff" * 20, "a", 2), 0.1)
    assert groups.due(0.2) == []
    assert payloads(groups.due(0.25)) == ["a", "ba"]


def test_open_groups_are_bounded() -> None:
    groups, rng = Groups(1e9), np.random.default_rng(2)
    for gateway in "ab":
        groups.add(packet(b"", gateway), 0.0)
    for number in range(MAX_OPEN + 10):
        groups.add(packet(rng.bytes(30), "a", number + 1), 0.0)
        groups.due(0.0)
    assert len(groups) == MAX_OPEN


def test_open_packets_are_known_by_their_ids() -> None:
    groups, one = Groups(0.25), packet(bytes(20))
    groups.add(one, 0.0)
    assert one.id in groups
    groups.flush()
    assert one.id not in groups
