"""Opening a port: its control lines, which an adapter may connect to a board's reset, and what is read first."""

import os
import socket
import threading

import pytest
import serial
from serial.urlhandler import protocol_socket

from host.board.port import Port
from host.errors import PortError
from inkling.cli import main


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


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_port_refuses_a_baud_rate_that_the_system_cannot_represent() -> None:
    ours, theirs = os.openpty()
    try:
        with pytest.raises(PortError, match=f"cannot open .*: invalid baud rate {10**20}"):
            Port(os.ttyname(theirs), baud=10**20)
    finally:
        os.close(ours)
        os.close(theirs)


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
