"""Packets in the bytes of a gateway board's line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.gateway.line import PacketLine
from tests.support.host import make_bundle, make_frame
from wire.answer import Answer
from wire.control import ErrorCode, ErrorReply, Opcode, Packet, reply
from wire.frame import AnswerHeader


def framed(number: int, payload: bytes, crc_ok: bool = True, board: int = 9) -> bytes:
    """Return the control frame in which a board hands over a packet."""
    return reply(Opcode.PACKET | 0x80, number % 256, Packet(crc_ok, -124.25, -8.5, payload).pack(), board, 0)


def test_feed_finds_packets_damaged_ones_too() -> None:
    line = PacketLine()
    found = line.feed(b"noise" + framed(0, b"eight by") + framed(1, bytes(255), crc_ok=False) + b"noise")
    assert found == [Packet(True, -124.25, -8.5, b"eight by"), Packet(False, -124.25, -8.5, bytes(255))]
    assert (line.packets, line.lost, line.board_frames) == (2, 0, 0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 40), max_size=30), st.lists(st.binary(max_size=255), min_size=1, max_size=6))
def test_feed_does_not_depend_on_pieces(pieces: list[int], payloads: list[bytes]) -> None:
    data, line, found = b"".join(framed(n, payload) for n, payload in enumerate(payloads)), PacketLine(), []
    for size in [*pieces, len(data)]:
        found += line.feed(data[:size]) if data[:size] else []
        data = data[size:]
    assert [packet.payload for packet in found] == payloads


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600))
def test_feed_survives_any_bytes(data: bytes) -> None:
    line = PacketLine()
    line.feed(data)
    assert line.feed(b"") == [] and line.packets == 0


def test_packets_are_found_behind_damage() -> None:
    rng = np.random.default_rng(0)
    data = bytearray(b"".join(framed(n, bytes([n]) * 50) for n in range(100)))
    for at in rng.integers(0, len(data), 20):
        data[at] ^= 0xFF
    line = PacketLine()
    found = line.feed(bytes(data)) + line.feed(b"")
    assert 80 <= len(found) < 100 and all(set(packet.payload) == {packet.payload[0]} for packet in found)
    assert line.lost == 100 - len(found) or line.lost < 100 - len(found)  # those at the end are not missed yet


def test_repetitions_count_once_and_gaps_as_lost() -> None:
    line = PacketLine()
    for number in (254, 255, 255, 2, 2):
        line.feed(framed(number, b"same"))
    line.feed(framed(7, b"of another board", board=8))
    assert (line.packets, line.lost) == (4, 2)


def test_frames_of_boards_are_counted(tmp_path_factory: pytest.TempPathFactory) -> None:
    bundle = make_bundle(tmp_path_factory.mktemp("line") / "bundle")
    line = PacketLine()
    answer = AnswerHeader(3, 1, 5, Answer(2, 9)).encode()
    found = line.feed(make_frame(bundle, 1) + bytes.fromhex("1ACFFC1D") + answer + framed(0, b"packet"))
    assert [packet.payload for packet in found] == [b"packet"] and line.board_frames == 2


def test_errors_of_the_board_are_kept_once() -> None:
    line = PacketLine()
    for _ in range(3):
        line.feed(reply(Opcode.ERROR, 0, ErrorReply(ErrorCode.RADIO, 0).pack(), 9, 0))
    assert line.errors == ["board 9 reported an error: it has no radio, or the radio does not respond (RADIO)"]
