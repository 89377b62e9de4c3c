"""Reading ahead of a busy program: times of arrival, the end of a line, and a program that does not read."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from host.board import read_ahead
from host.board.port import Port
from host.board.read_ahead import ReadAhead
from host.errors import PortError

DEADLINE_S = 30.0


@contextmanager
def connected() -> Iterator[tuple[socket.socket, Port]]:
    """Return a peer, and the port that it is connected to."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Port(f"socket://127.0.0.1:{server.getsockname()[1]}") as port,
    ):
        peer, _ = server.accept()
        with peer:
            yield peer, port


def until_waiting(line: ReadAhead, count: int) -> None:
    """Wait until so many pieces wait to be read."""
    deadline = time.monotonic() + DEADLINE_S
    while line._pieces.qsize() < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_read_returns_when_bytes_arrived_and_not_when_they_are_read() -> None:
    with connected() as (peer, port), ReadAhead(port) as line:
        begin = time.monotonic()
        peer.sendall(b"first")
        until_waiting(line, 1)
        end = time.monotonic()
        time.sleep(0.1)  # the program is busy
        data, arrived = line.read(DEADLINE_S)
        assert data == b"first" and begin <= arrived <= end
        data, now = line.read(0.0)
        assert data == b"" and now > end + 0.09


def test_read_raises_after_the_last_bytes() -> None:
    with connected() as (peer, port), ReadAhead(port) as line:
        peer.sendall(b"last")
        until_waiting(line, 1)
        peer.close()
        until_waiting(line, 2)
        assert line.read(DEADLINE_S)[0] == b"last"
        with pytest.raises(PortError, match="lost socket://"):
            line.read(DEADLINE_S)


def test_block_ends_while_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "MOST_WAITING", 1)
    with connected() as (peer, port), ReadAhead(port) as line:
        peer.sendall(b"first")
        until_waiting(line, 1)
        peer.sendall(b"second")
    assert not line._thread.is_alive() and line._pieces.qsize() == 1
