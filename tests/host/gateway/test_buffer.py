"""Packets on disk: order, bounds, a clock that is set, and files that cannot be used."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from host.errors import HostError
from host.gateway.buffer import ROW_BYTES, PacketBuffer
from host.site.packets import GatewayPacket

PACKET = GatewayPacket("home", "north", "b00t", 0, 1000.0, bytes(40), False, -7.25, None)
MANY, LONG = 1_000_000, 3600.0


class Clock:
    """The two clocks of a machine."""

    def __init__(self) -> None:
        self.time, self.steady = 1000.0, 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds
        self.steady += seconds


def open_buffer(path: Path, clock: Clock, most_bytes: int = MANY, most_s: float = LONG) -> PacketBuffer:
    return PacketBuffer(path, most_bytes, most_s, lambda: clock.time, lambda: clock.steady)


def numbered(*numbers: int, **changes: Any) -> list[GatewayPacket]:  # noqa: ANN401
    return [replace(PACKET, number=n, **changes) for n in numbers]


def numbers_in(buffer: PacketBuffer, most: int = 1000) -> list[int]:
    return [json.loads(message.payload)["number"] for message in buffer.take(most)]


def test_take_returns_packets_as_they_came(tmp_path: Path) -> None:
    buffer = open_buffer(tmp_path / "new" / "buffer", Clock())
    packets = [PACKET, replace(PACKET, number=1, crc_ok=None, snr_db=None, rssi_dbm=-120.0, site="other")]
    buffer.add(packets)
    messages = buffer.take(9)
    assert [GatewayPacket.from_json(json.loads(message.payload)) for message in messages] == packets
    assert [message.topic for message in messages] == [
        "inkling/packets/208/home/north",
        "inkling/packets/032/other/north",
    ]
    assert not buffer.take(9) and not buffer.take(0) and buffer.waiting == 2


def test_packets_survive_a_new_process_in_order(tmp_path: Path) -> None:
    buffer = open_buffer(tmp_path / "buffer", Clock())
    buffer.add(numbered(*range(10)))
    keys = [message.key for message in buffer.take(5)]
    buffer.sent(keys[1:3])
    buffer.close()
    buffer = open_buffer(tmp_path / "buffer", Clock())
    assert buffer.waiting == 8
    assert numbers_in(buffer, 3) == [0, 3, 4] and numbers_in(buffer) == [5, 6, 7, 8, 9]
    buffer.rewind()
    assert numbers_in(buffer) == [0, 3, 4, 5, 6, 7, 8, 9]


def test_oldest_are_dropped_when_there_are_too_many(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    buffer = open_buffer(tmp_path / "buffer", Clock(), most_bytes=20 * (40 + ROW_BYTES))
    for number in range(50):
        buffer.add(numbered(number))
    rest = numbers_in(buffer)
    assert rest == list(range(50 - len(rest), 50)) and 17 <= len(rest) <= 20
    assert buffer.dropped == 50 - len(rest) and caplog.text.count("dropping the oldest") == 1


def test_packets_that_are_too_old_are_dropped(tmp_path: Path) -> None:
    clock = Clock()
    buffer = open_buffer(tmp_path / "buffer", clock, most_s=100)
    buffer.add(numbered(0, 1))
    clock.advance(90)
    buffer.add(numbered(2, time=clock.time))
    clock.advance(20)
    buffer.rewind()
    assert (numbers_in(buffer), buffer.dropped) == ([2], 2)
    buffer.close()
    clock.advance(1000)  # the machine was off
    buffer = open_buffer(tmp_path / "buffer", clock, most_s=100)
    buffer.rewind()
    assert (numbers_in(buffer), buffer.dropped) == ([], 1)


def test_times_follow_a_clock_that_is_set(tmp_path: Path) -> None:
    """A small computer without a clock chip starts in the past: its packets must not look decades old."""
    clock = Clock()
    buffer = open_buffer(tmp_path / "buffer", clock)
    buffer.add(numbered(0, boot="earlier"))
    buffer.close()
    buffer = open_buffer(tmp_path / "buffer", clock)
    buffer.add(numbered(1))
    clock.advance(5)
    clock.time += 1e9
    buffer.add(numbered(2, time=clock.time))
    buffer.rewind()
    times = {json.loads(m.payload)["number"]: json.loads(m.payload)["time"] for m in buffer.take(9)}
    assert times == {1: 1000 + 1e9, 2: 1005 + 1e9}  # that of another process is too old, as far as anyone knows
    assert buffer.dropped == 1


def test_disk_that_takes_no_more_is_reported_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    buffer = open_buffer(tmp_path / "buffer", Clock())
    buffer._database.execute("PRAGMA max_page_count = 8")
    for number in range(200):
        buffer.add(numbered(number, payload=bytes(250)))
    assert buffer.not_stored > 100 and buffer.waiting + buffer.not_stored == 200
    assert caplog.text.count("cannot write") == 1 and "full" in caplog.text
    assert numbers_in(buffer) == list(range(buffer.waiting))


def test_file_in_use_is_reported(tmp_path: Path) -> None:
    buffer = open_buffer(tmp_path / "buffer", Clock())
    buffer.add(numbered(0))
    with pytest.raises(HostError, match="buffer is in use by another process: name another file by --buffer"):
        open_buffer(tmp_path / "buffer", Clock())


def test_file_of_something_else_is_reported(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database " * 100)
    with pytest.raises(HostError, match=r"text .*not a database.*: move it away"):
        open_buffer(tmp_path / "text", Clock())
    with sqlite3.connect(tmp_path / "newer") as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(HostError, match=r"another version of Inkling \(9\)"):
        open_buffer(tmp_path / "newer", Clock())
    with pytest.raises(HostError, match=r"cannot make .*text"):
        open_buffer(tmp_path / "text" / "buffer", Clock())
