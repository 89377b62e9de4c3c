"""The two ends of the proxy: a TCP listener or a pseudo-terminal, which others open; a socket or a device, opened."""

import contextlib
import io
import os
import pty
import socket
import termios
import tty
from abc import ABC, abstractmethod
from urllib.parse import urlsplit

import serial

from channel_sim.channels.channel import ChannelError
from wire.errors import InklingError

CONNECT_S = 2.0
FORMS = "pty, tcp://HOST:PORT (listens), socket://HOST:PORT (connects) or a serial device"


class ProxyError(InklingError):
    """One line that says which end is missing or has gone."""


class Endpoint(ABC):
    """One end, at which one peer at a time may be.

    `url` is what the peer opens where the end `listens`, else what is opened here. `fd` carries the bytes, None while
    nobody is there. `waiting_fd` becomes readable when a peer knocks, None while one is there (a second has to
    wait).
    """

    listens = True
    url: str
    fd: int | None = None
    waiting_fd: int | None = None

    @abstractmethod
    def open(self) -> None:
        """Connect, where the end does not listen. OSError when nothing is there (yet), ValueError when never."""

    @abstractmethod
    def accept(self) -> None:
        """Let the peer in that knocked."""

    @abstractmethod
    def hang_up(self) -> None:
        """The peer has gone: wait for the next."""

    @abstractmethod
    def close(self) -> None:
        """Give everything back."""


class TcpEndpoint(Endpoint):
    """A TCP port that one peer at a time may use, as often as it likes. OSError when the port is taken."""

    def __init__(self, host: str, port: int) -> None:
        self._server = socket.create_server((host, port), backlog=1)
        self._server.setblocking(False)
        self.waiting_fd = self._server.fileno()
        self._peer: socket.socket | None = None
        name = f"[{host}]" if ":" in host else host
        self.url = f"socket://{name}:{self._server.getsockname()[1]}"

    def open(self) -> None:
        """The port is open already."""

    def accept(self) -> None:
        """See Endpoint. A peer that has thought better of it is not there."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            peer, _ = self._server.accept()
            _prepare(peer)
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
    """A pseudo-terminal, which the peer opens like a serial port. Kept open, so that nobody hangs up."""

    def __init__(self) -> None:
        self.fd, self._peer_side = pty.openpty()
        tty.setraw(self._peer_side)
        os.set_blocking(self.fd, False)
        self.url = os.ttyname(self._peer_side)

    def open(self) -> None:
        """The terminal is open already."""

    def accept(self) -> None:
        """Nobody knocks on a terminal."""

    def hang_up(self) -> None:
        """Nobody hangs up either."""

    def close(self) -> None:
        """See Endpoint."""
        os.close(self.fd)
        os.close(self._peer_side)


class SocketEndpoint(Endpoint):
    """A connection to a TCP port where somebody else listens."""

    listens = False

    def __init__(self, host: str, port: int, url: str) -> None:
        self.url = url
        self._address = (host, port)
        self._line: socket.socket | None = None

    def open(self) -> None:
        """See Endpoint."""
        line = socket.create_connection(self._address, CONNECT_S)
        _prepare(line)
        self._line, self.fd = line, line.fileno()

    def accept(self) -> None:
        """Nobody knocks here."""

    def hang_up(self) -> None:
        """See Endpoint."""
        self.fd = None
        if self._line:
            self._line.close()
            self._line = None

    def close(self) -> None:
        """See Endpoint."""
        self.hang_up()


class DeviceEndpoint(Endpoint):
    """A serial device, or any other URL of pyserial's serial_for_url that has a file descriptor."""

    listens = False

    def __init__(self, url: str, baud: int) -> None:
        self.url = url
        self._baud = baud
        self._device: serial.SerialBase | None = None

    def open(self) -> None:
        """See Endpoint."""
        try:
            device = serial.serial_for_url(self.url, baudrate=self._baud, exclusive=True)
        except termios.error as error:  # pulled out while it was opened
            raise OSError(*error.args) from None
        try:
            self.fd = device.fileno()
        except io.UnsupportedOperation:
            device.close()
            raise ChannelError(f"cannot wait on {self.url}: give {FORMS}") from None
        self._device = device

    def accept(self) -> None:
        """Nobody knocks here."""

    def hang_up(self) -> None:
        """See Endpoint."""
        self.fd = None
        if self._device:
            self._device.close()
            self._device = None

    def close(self) -> None:
        """See Endpoint."""
        self.hang_up()


def open_endpoint(name: str, where: str, baud: int, may_come_later: bool) -> Endpoint:
    """The end at `where` (see FORMS), open if anything is there; `name` is who is expected at it.

    tcp://HOST:0 takes any free port. ProxyError when nothing is there that must be, or never can be.
    """
    try:
        end = _end_at(where, baud)
    except (OSError, ValueError) as error:
        raise ProxyError(f"cannot open the {name} at {where}: {_reason(error)}") from None
    try:
        end.open()
    except ValueError as error:
        raise ProxyError(f"cannot open the {name} at {where}: {error}") from None
    except OSError as error:
        if not may_come_later:
            raise ProxyError(f"cannot open the {name} at {where}: {_reason(error)}") from None
    return end


def _end_at(where: str, baud: int) -> Endpoint:
    """The end that `where` names, listening if it is of that kind, else not yet open."""
    if where == "pty":
        return PtyEndpoint()
    scheme, host, port = _parts(where)
    if scheme == "tcp":
        return TcpEndpoint(host, port)
    if scheme == "socket":
        return SocketEndpoint(host, port, where)
    return DeviceEndpoint(where, baud)


def _reason(error: Exception) -> str:
    """The system's own words, which pyserial wraps in its own."""
    cause = error.__context__ if isinstance(error.__context__, OSError) else error
    return getattr(cause, "strerror", None) or str(error)


def _parts(where: str) -> tuple[str, str, int]:
    """Scheme, host and port of a tcp:// or socket:// URL; any other has no scheme here."""
    scheme = where.partition("://")[0]
    if scheme not in ("tcp", "socket"):
        return "", "", 0
    parts = urlsplit(where)
    if parts.port is None or parts.path:
        raise ChannelError("a socket is socket://HOST:PORT" if scheme == "socket" else "a port is tcp://HOST:PORT")
    return scheme, parts.hostname or "127.0.0.1", parts.port


def _prepare(line: socket.socket) -> None:
    """Neither wait for a slow peer nor keep back small pieces."""
    line.setblocking(False)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
