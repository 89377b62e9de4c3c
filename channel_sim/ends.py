"""The host's end of the proxy: a TCP listener or a pseudo-terminal, each one reader at a time."""

import os
import pty
import socket
import tty
from urllib.parse import urlsplit


class TcpEnd:
    """A TCP port that one host at a time may use, as often as it likes."""

    def __init__(self, host: str, port: int) -> None:
        self._server = socket.create_server((host, port), backlog=1)
        self._client: socket.socket | None = None
        self.url = f"socket://{host}:{self._server.getsockname()[1]}"

    @property
    def waiting_fd(self) -> int | None:
        """What becomes readable when a host knocks; None while one is there (a second has to wait)."""
        return None if self._client else self._server.fileno()

    @property
    def fd(self) -> int | None:
        """What carries the bytes; None while no host is there."""
        return self._client.fileno() if self._client else None

    def accept(self) -> None:
        """Let the host in that knocked."""
        self._client, _ = self._server.accept()
        self._client.setblocking(False)
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def hang_up(self) -> None:
        """The host has gone: wait for the next."""
        if self._client:
            self._client.close()
        self._client = None

    def close(self) -> None:
        """Close the port."""
        self.hang_up()
        self._server.close()


class PtyEnd:
    """A pseudo-terminal, which the host opens like a serial port. Kept open, so that nobody hangs up."""

    waiting_fd = None

    def __init__(self) -> None:
        self.fd, self._host_side = pty.openpty()
        tty.setraw(self._host_side)
        os.set_blocking(self.fd, False)
        self.url = os.ttyname(self._host_side)

    def accept(self) -> None:
        """Nobody knocks on a terminal."""

    def hang_up(self) -> None:
        """Nobody hangs up either."""

    def close(self) -> None:
        """Close both sides."""
        os.close(self.fd)
        os.close(self._host_side)


def listen(where: str) -> TcpEnd | PtyEnd:
    """Open `tcp://HOST:PORT` (port 0: any free one) or `pty`. ValueError or OSError when it cannot be."""
    if where == "pty":
        return PtyEnd()
    parts = urlsplit(where)
    if parts.scheme != "tcp" or parts.port is None or parts.path:
        raise ValueError(f"cannot listen on {where!r}: give tcp://HOST:PORT or pty")
    return TcpEnd(parts.hostname or "127.0.0.1", parts.port)
