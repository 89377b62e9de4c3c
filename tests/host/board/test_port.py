"""Ports: control lines, which an adapter may connect to a board's reset; ports in use; lines without a living peer."""

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from typing import Any, cast

import pytest
import serial
from serial.rfc2217 import PortManager
from serial.urlhandler import protocol_socket

from host.board import port as port_module
from host.board.board import Board
from host.board.errors import GarbledReplyError, SilentBoardError
from host.board.port import Port
from host.errors import HostError, PortError
from inkling.cli import main

needs_terminals = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: descriptor of the far end, and the path of the port."""
    far, near = os.openpty()
    tty.setraw(near)
    try:
        yield far, os.ttyname(near)
    finally:
        os.close(near)
        os.close(far)


@pytest.fixture
def lines_when_opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, bool]]:
    """DTR and RTS as pyserial is about to set them when it opens a port, which then fails."""
    seen = []

    def fake_open(port: serial.Serial) -> None:
        seen.append((port.dtr, port.rts))
        raise serial.SerialException("not here")

    monkeypatch.setattr(serial.Serial, "open", fake_open)
    return seen


@pytest.mark.parametrize(("words", "lines"), [((), (True, True)), (("--no-dtr-rts",), (False, False))])
def test_port_sets_dtr_and_rts_before_it_opens(
    words: tuple[str, ...], lines: tuple[bool, bool], lines_when_opened: list[tuple[bool, bool]]
) -> None:
    assert main(["info", "--port", "/dev/ttyUSB0", *words]) == 1
    assert lines_when_opened == [lines]


@needs_terminals
@pytest.mark.parametrize("baud", [0, -1, 3_000_000_000, 10**20])
def test_port_refuses_a_baud_rate_that_the_system_cannot_represent(baud: int, terminal: tuple[int, str]) -> None:
    with pytest.raises(HostError, match=f"cannot open .*: invalid baud rate {baud}") as caught:
        Port(terminal[1], baud=baud)
    assert not isinstance(caught.value, PortError), "waiting does not help"


@pytest.mark.parametrize("url", ["hwgrep://[", "socket://127.0.0.1:99999", "socket://a..b:1?x=1", "rfc2217://a:b"])
def test_port_refuses_a_url_that_no_port_has(url: str) -> None:
    with pytest.raises(HostError) as caught:
        Port(url)
    assert str(caught.value).startswith(f"cannot open {url}: ") and "\n" not in str(caught.value)


@needs_terminals
def test_port_in_use_names_the_program(terminal: tuple[int, str]) -> None:
    program = (
        "import serial, sys; port = serial.Serial(sys.argv[1], exclusive=True); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, terminal[1]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"\n"
        named = rf" by python\S* \(process {other.pid}\)" if sys.platform == "linux" else ""
        with pytest.raises(PortError, match=rf"^cannot open {terminal[1]}: in use{named}"):
            Port(terminal[1])
        other.communicate()


@needs_terminals
def test_port_that_another_program_reads_is_not_lost(
    terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a lock, both wake up, and the other program is faster the first two times."""
    far, path = terminal
    other = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    wait, sent = select.select, iter([b"first", b"second", b"third"])

    def wait_then_lose(*arguments: Any) -> tuple[list, list, list]:  # noqa: ANN401 - those of select
        data = next(sent, b"")
        os.write(far, data)
        ready = wait(*arguments)
        if data in (b"first", b"second"):
            assert os.read(other, 99) == data
        return ready

    with Port(path) as port:
        monkeypatch.setattr(port_module.select, "select", wait_then_lose)
        assert port.read(10.0) == b"third"
        assert sys.platform != "linux" or port.other_readers() == []  # this process does not count
        assert port.read(0.05) == b""
    os.close(other)


@needs_terminals
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_command_names_the_program_that_takes_its_replies(terminal: tuple[int, str]) -> None:
    far, path = terminal
    monitor = "import os, sys; fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)\nwhile True: os.read(fd, 4096)"
    stopped = threading.Event()

    def send() -> None:
        while not stopped.wait(0.002):
            os.write(far, b"reply")

    sender = threading.Thread(target=send)
    with subprocess.Popen([sys.executable, "-c", monitor, path]) as other, Board.open(path, timeout=1.0) as board:
        sender.start()
        try:
            with pytest.raises(
                GarbledReplyError, match=rf"\(process {other.pid}\) also reads this port and takes replies"
            ):
                for _ in range(10):
                    with contextlib.suppress(SilentBoardError):
                        board.info()
        finally:
            stopped.set()
            sender.join()
            other.kill()


@needs_terminals
def test_port_that_is_unplugged_is_lost() -> None:
    far, near = os.openpty()
    with Port(os.ttyname(near)) as port:
        os.close(far)
        with pytest.raises(PortError, match=r"^lost "):
            port.read(10.0)
    os.close(near)


def test_port_probes_a_silent_tcp_connection() -> None:
    """A bridge that loses power sends nothing, so only probes show that it is gone."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Port(f"socket://127.0.0.1:{server.getsockname()[1]}") as port,
    ):
        assert port._fd is not None
        with socket.socket(fileno=os.dup(port._fd)) as line:
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if sys.platform == "linux":
                names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
                assert [line.getsockopt(socket.IPPROTO_TCP, name) for name in names] == [15, 5, 3, 30_000]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:serial")
def test_port_passes_bytes_by_rfc2217() -> None:
    """pyserial refuses a write timeout there."""

    def serve(server: socket.socket) -> None:
        line, _ = server.accept()
        with line, serial.serial_for_url("loop://", timeout=0) as device:
            connection = type("Connection", (), {"write": staticmethod(line.sendall)})()
            manager = PortManager(cast(Any, device), connection)
            while data := line.recv(1024):
                device.write(b"".join(manager.filter(data)))
                line.sendall(b"".join(manager.escape(device.read(1024))))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        with Port(f"rfc2217://127.0.0.1:{server.getsockname()[1]}") as port:
            port.write(b"over \xff the network")
            received = b""
            while len(received) < 18 and (more := port.read(10.0)):
                received += more
            assert received == b"over \xff the network"
        thread.join(10)


def test_port_without_control_lines_ignores_dtr_rts() -> None:
    with Port("loop://", dtr_rts=False) as port:
        port.write(b"x")
        assert port.read(1.0) == b"x"


def test_port_reads_what_a_server_sends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = threading.Event()

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"first")
            sent.set()
            connection.recv(1)

    # pyserial calls this in the middle of open(), before it discards what has arrived.
    monkeypatch.setattr(protocol_socket.Serial, "_reconfigure_port", lambda _: sent.wait(60))
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        with Port(f"socket://127.0.0.1:{server.getsockname()[1]}") as port:
            assert sent.is_set()
            assert port.read(10.0) == b"first"
        thread.join()
