"""Endpoints of the proxy: a TCP listener, a pseudo-terminal, a connected socket, or a serial device."""

import contextlib
import io
import os
import pty
import re
import socket
import termios
import tty
from abc import ABC, abstractmethod
from urllib.parse import urlsplit

import serial

from channel_sim.channels.channel import ChannelError
from wire.errors import InklingError
from wire.system import keep_alive, reason

CONNECT_S = 2.0
FORMS = "pty, tcp://HOST:PORT (listens), socket://HOST:PORT (connects) or a serial device"


class ProxyError(InklingError):
    """An endpoint is missing or has disappeared."""


class Endpoint(ABC):
    """An endpoint for one peer at a time.

    `url`: the URL that the peer opens if the endpoint `listens`, else the URL that this endpoint opens. `fd`: the
    connection, None without a peer. `waiting_fd`: becomes readable when a peer connects; None while one is connected
    (a second one waits). `missing`: why it could not be opened at first, though it may come later.
    """

    listens = True
    url: str
    fd: int | None = None
    waiting_fd: int | None = None
    missing = ""

    @abstractmethod
    def open(self) -> None:
        """Connect, if the endpoint does not listen. Raises OSError if the peer is missing, ValueError for a bad URL."""

    @abstractmethod
    def accept(self) -> None:
        """Accept the peer that is connecting."""

    @abstractmethod
    def hang_up(self) -> None:
        """Disconnect the peer and wait for the next."""

    @abstractmethod
    def close(self) -> None:
        """Release resources."""


class TcpEndpoint(Endpoint):
    """A TCP listener for one peer at a time. Raises OSError if the port is in use."""

    def __init__(self, host: str, port: int, is_board: bool) -> None:
        self._server = socket.create_server((host, port), backlog=1)
        self._server.setblocking(False)
        self._is_board = is_board
        self.waiting_fd = self._server.fileno()
        self._peer: socket.socket | None = None
        name = f"[{host}]" if ":" in host else host
        self.url = f"socket://{name}:{self._server.getsockname()[1]}"

    def open(self) -> None:
        """Do nothing: the port is already open."""

    def accept(self) -> None:
        """See Endpoint. A peer that has already disconnected is ignored."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            peer, _ = self._server.accept()
            _prepare(peer, self._is_board)
            self._peer, self.fd, self.waiting_fd = peer, peer.fileno(), None

    def hang_up(self) -> None:
        """See Endpoint."""
        self.fd, self.waiting_fd = None, self._server.fileno()
        if self._peer:
            self._peer.close()
            self._peer = None

    def close(self) -> None:
        """See Endpoint."""
        self.hang_up()
        self._server.close()


class PtyEndpoint(Endpoint):
    """A pseudo-terminal, which the peer opens like a serial port. Kept open here, so that it never closes."""

    def __init__(self) -> None:
        self.fd, self._peer_side = pty.openpty()
        tty.setraw(self._peer_side)
        os.set_blocking(self.fd, False)
        self.url = os.ttyname(self._peer_side)

    def open(self) -> None:
        """Do nothing: the terminal is already open."""

    def accept(self) -> None:
        """Do nothing: a terminal has no connections."""

    def hang_up(self) -> None:
        """Do nothing: a terminal has no connections."""

    def close(self) -> None:
        """See Endpoint."""
        if self.fd is not None:
            os.close(self.fd)
        os.close(self._peer_side)


class ConnectingEndpoint(Endpoint):
    """An endpoint that connects to its peer. `_connect` opens the connection."""

    listens = False
    _connection: socket.socket | serial.SerialBase | None = None

    @abstractmethod
    def _connect(self) -> socket.socket | serial.SerialBase:
        """Return an open connection. Raises as `open` does."""

    def open(self) -> None:
        """See Endpoint."""
        connection = self._connect()
        self._connection, self.fd = connection, connection.fileno()

    def accept(self) -> None:
        """Do nothing: this endpoint does not listen."""

    def hang_up(self) -> None:
        """See Endpoint."""
        self.fd = None
        if self._connection:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """See Endpoint."""
        self.hang_up()


class SocketEndpoint(ConnectingEndpoint):
    """A connection to a TCP port of another program."""

    def __init__(self, host: str, port: int, url: str, is_board: bool) -> None:
        self.url = url
        self._is_board = is_board
        self._address = (host, port)

    def _connect(self) -> socket.socket:
        line = socket.create_connection(self._address, CONNECT_S)
        _prepare(line, self._is_board)
        return line


class DeviceEndpoint(ConnectingEndpoint):
    """A serial device, or any URL of pyserial's serial_for_url that has a file descriptor."""

    def __init__(self, url: str, baud: int) -> None:
        self.url = url
        self._baud = baud

    def _connect(self) -> serial.SerialBase:
        try:
            device = serial.serial_for_url(self.url, baudrate=self._baud, exclusive=True)
        except termios.error as error:  # unplugged while being opened
            raise OSError(*error.args) from None
        except OverflowError:  # the only number that the operating system gets
            raise ChannelError(f"invalid baud rate {self._baud}") from None
        except re.error as error:  # in hwgrep://
            raise ChannelError(str(error)) from None
        try:
            device.fileno()
        except io.UnsupportedOperation:
            device.close()
            raise ChannelError(f"cannot wait for bytes from {self.url}: use {FORMS}") from None
        return device


def open_endpoint(name: str, where: str, baud: int, may_come_later: bool) -> Endpoint:
    """Return the endpoint at `where` (see FORMS), open if its peer is there; `name` is "board" or "host".

    tcp://HOST:0 uses any free port. With `may_come_later`, the peer may be missing. Raises ProxyError if the endpoint
    cannot be opened.
    """
    try:
        endpoint = _endpoint_at(where, baud, is_board=name == "board")
    except (OSError, ValueError) as error:
        raise ProxyError(f"cannot open the {name} at {where}: {reason(error, where)}") from None
    try:
        endpoint.open()
    except ValueError as error:
        raise ProxyError(f"cannot open the {name} at {where}: {error}") from None
    except OSError as error:
        endpoint.missing = f"cannot open the {name} at {where}: {reason(error, where)}"
        if not may_come_later:
            raise ProxyError(endpoint.missing) from None
    return endpoint


def _endpoint_at(where: str, baud: int, is_board: bool) -> Endpoint:
    """Return the endpoint at `where`, listening if it is of that kind, else not open yet."""
    if where == "pty":
        return PtyEndpoint()
    scheme, host, port = _parts(where)
    if scheme == "tcp":
        return TcpEndpoint(host, port, is_board)
    if scheme == "socket":
        return SocketEndpoint(host, port, where, is_board)
    return DeviceEndpoint(where, baud)


def _parts(where: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a tcp:// or socket:// URL; other texts give an empty scheme."""
    scheme = where.partition("://")[0]
    if scheme not in ("tcp", "socket"):
        return "", "", 0
    parts = urlsplit(where)
    if parts.port is None or parts.path:
        raise ChannelError("expected socket://HOST:PORT" if scheme == "socket" else "expected tcp://HOST:PORT")
    return scheme, parts.hostname or "127.0.0.1", parts.port


def _prepare(line: socket.socket, is_board: bool) -> None:
    """Make a socket non-blocking, send small pieces at once, and notice a peer that has lost power.

    Only a board reads all the time: a host may be slow.
    """
    keep_alive(line, acknowledges=is_board)
    line.setblocking(False)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
