"""Tests of lines that fail silently: ports that several programs use, and peers that have lost power."""

import os
import socket
import sys
from functools import partial
from pathlib import Path

import pytest

from channel_sim import BitFlips
from channel_sim.live.proxy import Proxy, ProxyError
from tests.support.channel import Device, connect, printed_url, read, server, start, until


def test_device_endpoint_in_use_names_the_program(tmp_path: Path) -> None:
    board = Device(tmp_path / "ttyBoard")
    board.plug()
    with Proxy(str(board.path), BitFlips(0.0)), pytest.raises(ProxyError, match=f"the board at {board.path}: in use"):
        Proxy(str(board.path), BitFlips(0.0))


def test_proxy_command_says_why_it_waits_for_a_board(tmp_path: Path) -> None:
    board = Device(tmp_path / "ttyBoard")
    board.plug()
    with Proxy(str(board.path), BitFlips(0.0)) as proxy:
        process = start("proxy", "--board", str(board.path), "--listen", "tcp://127.0.0.1:0", "--reconnect")
        printed_url(process)
        assert process.stderr
        notice = process.stderr.readline()
        assert notice.startswith(f"inkling: cannot open the board at {board.path}: in use by ")
        assert notice.endswith("; waiting for it\n") and proxy.failure is None
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_device_endpoint_that_another_program_reads_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a lock, both wake up, and the other program is faster the first two times."""
    board, taken = Device(tmp_path / "ttyBoard"), list[bytes]()
    board.plug()
    other, read_next = os.open(board.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK), os.read
    with Proxy(str(board.path), BitFlips(0.0)) as proxy:
        host, fd = connect(proxy.url), proxy.board.fd
        until(lambda: proxy.host.fd)

        def read_late(from_fd: int, count: int) -> bytes:
            if from_fd == fd and len(taken) < 2:
                taken.append(read_next(other, count))
            return read_next(from_fd, count)

        def has_taken(count: int) -> bool:
            return len(taken) >= count

        monkeypatch.setattr(os, "read", read_late)
        for turn, data in enumerate((b"first", b"second", b"third"), 1):
            os.write(board.fd, data)
            until(partial(has_taken, min(turn, 2)))
        assert read(host, 5) == b"third" and taken == [b"first", b"second"] and proxy.failure is None
    os.close(other)


@pytest.mark.skipif(sys.platform != "linux", reason="options of Linux")
@pytest.mark.parametrize("listens", [True, False])
def test_endpoint_probes_a_silent_peer(listens: bool) -> None:
    """A peer that loses power sends nothing. A host may read slowly, a board may not."""
    port, url = server()
    ends = ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0") if listens else (url, url)
    with Proxy(ends[0], BitFlips(0.0), listen_on=ends[1]) as proxy:
        peers = [connect(end.url) if listens else port.accept()[0] for end in (proxy.board, proxy.host)]
        until(lambda: proxy.board.fd is not None and proxy.host.fd is not None)
        for end, unread_ms in ((proxy.board, 30_000), (proxy.host, 0)):
            with socket.socket(fileno=os.dup(end.fd or -1)) as line:
                assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
                assert [line.getsockopt(socket.IPPROTO_TCP, name) for name in names] == [15, 5, 3, unread_ms]
        for peer in peers:
            peer.close()
