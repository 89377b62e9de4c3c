"""Semtech's packet forwarder protocol: packets, acknowledgements, repetitions, and anything else that may arrive."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.gateway.semtech import MAX_FORWARDERS, ForwardedPacket, SemtechServer
from tests.support.mqtt.forwarder import EUI, push_data, received

NOW = 1_790_000_000.0
DAMAGED = received(b"damaged!", stat=-1)


def take(*packets: dict[str, Any], **more: Any) -> tuple[SemtechServer, list[ForwardedPacket]]:  # noqa: ANN401
    """Return a server that has taken one datagram, and the packets in it."""
    server = SemtechServer()
    return server, server.take(push_data(*packets, **more), NOW)[0]


def test_take_returns_packets_with_any_crc() -> None:
    server, packets = take(received(b"whole"), DAMAGED, received(b"no CRC", stat=0))
    assert [(packet.payload, packet.crc_ok) for packet in packets] == [
        (b"whole", True), (b"damaged!", False), (b"no CRC", None),
    ]  # fmt: skip
    assert packets[0] == ForwardedPacket(EUI.hex(), NOW, b"whole", True, -7.2, -117.0)
    counts = server.forwarders[EUI.hex()]
    assert (counts.packets, counts.damaged, server.malformed) == (3, 1, 0)


@pytest.mark.parametrize("version", [1, 2])
def test_take_acknowledges(version: int) -> None:
    server, datagram = SemtechServer(), push_data(received(b"x"), version=version)
    assert server.take(datagram, NOW)[1] == datagram[:3] + b"\x01"
    pull = bytes((version, 7, 8, 2)) + EUI
    assert server.take(pull, NOW) == ([], bytes((version, 7, 8, 4)))
    assert server.take(bytes((version, 7, 8, 5)) + EUI, NOW) == ([], None)
    assert server.malformed == 0


def test_repeated_datagram_counts_once_and_is_acknowledged() -> None:
    server, datagram = SemtechServer(), push_data(received(b"x"))
    assert len(server.take(datagram, NOW)[0]) == 1
    assert server.take(datagram, NOW) == ([], datagram[:3] + b"\x01")
    assert server.duplicates == 1
    assert len(server.take(push_data(received(b"x")), NOW)[0]) == 1  # another packet with equal bytes


def test_status_is_no_packet() -> None:
    server, packets = take(stat={"time": "2026-11-30 12:00:00 GMT", "rxnb": 2})
    assert (packets, server.malformed) == ([], 0)


def test_other_modulation_is_counted() -> None:
    server, packets = take(received(b"x", modu="FSK", datr=50000), received(b"y"))
    assert ([packet.payload for packet in packets], server.other_radio) == ([b"y"], 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-09-21T14:13:22.528002Z", 1_790_000_002.528002),
        ("2026-09-21T14:13:22.528002", 1_790_000_002.528002),
        ("2013-03-31T16:21:17.528002Z", NOW),  # its clock is wrong
        ("yesterday", NOW),
        (None, NOW),
        (7, NOW),
    ],
)
def test_time_of_the_forwarder_is_taken_if_it_is_credible(text: object, expected: float) -> None:
    _, (packet,) = take(received(b"x", time=text))
    assert packet.time == expected


@pytest.mark.parametrize(
    "entry",
    [
        received(b"x", data="*"),
        received(b"x", data=7),
        received(b"x", size=2),
        received(b"x", stat=2),
        received(b"x", stat=True),
        received(bytes(256)),
        None,
        [],
    ],
)
def test_malformed_packet_is_counted_and_others_are_taken(entry: Any) -> None:  # noqa: ANN401
    server, packets = take(entry, received(b"y"))
    assert ([packet.payload for packet in packets], server.malformed) == ([b"y"], 1)


def test_measurements_that_are_none_are_left_out() -> None:
    _, packets = take(received(b"x", lsnr="1", rssi=1e9), received(b"x", lsnr=float("nan"), rssi=10**400))
    assert [(packet.snr_db, packet.rssi_dbm) for packet in packets] == [(None, None), (None, None)]


def test_unpadded_data_is_read() -> None:
    _, (packet,) = take(received(b"abcd", data="YWJjZA"))
    assert packet.payload == b"abcd"


def test_number_of_forwarders_is_limited() -> None:
    server = SemtechServer()
    for n in range(1000):
        server.take(push_data(received(b"x"), eui=n.to_bytes(8, "big")), NOW)
    assert len(server.forwarders) == MAX_FORWARDERS and f"{999:016x}" in server.forwarders


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = SCALARS | st.lists(SCALARS, max_size=3)
ENTRIES = st.dictionaries(st.sampled_from([*DAMAGED, "time", "x"]), VALUES, max_size=5).map(
    lambda changes: {**DAMAGED, **changes}
)
CONTENTS = VALUES | st.dictionaries(st.sampled_from(["rxpk", "stat"]), VALUES | st.lists(ENTRIES | VALUES, max_size=3))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([0, 1, 2, 3, 4, 5, 255]), st.integers(0, 3))
def test_take_survives_any_datagram(rest: bytes, kind: int, version: int) -> None:
    server = SemtechServer()
    for datagram in (rest, bytes((version, 1, 2, kind)) + rest, bytes((version, 1, 2, kind)) + EUI + rest):
        packets, acknowledgement = server.take(datagram, NOW)
        assert packets == [] and acknowledgement in (None, datagram[:3] + b"\x01", datagram[:3] + b"\x04")


@settings(max_examples=200, deadline=None)
@given(CONTENTS)
def test_take_survives_any_json(content: Any) -> None:  # noqa: ANN401
    datagram = push_data()[:12] + json.dumps(content).encode()
    server = SemtechServer()
    packets, acknowledgement = server.take(datagram, NOW)
    assert acknowledgement and all(len(packet.payload) <= 255 for packet in packets)


def test_take_survives_damaged_and_deep_json() -> None:
    rng, server, whole = random.Random(0), SemtechServer(), push_data(received(b"x"), DAMAGED)
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        server.take(bytes(damaged[: rng.randrange(len(damaged) + 1)]), NOW)
    assert server.take(whole[:12] + b"[" * 60_000, NOW)[0] == []
    assert server.malformed > 100
