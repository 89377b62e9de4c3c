"""Fake serial lines for the host's tests: the far end sends bytes, answers commands, stays silent or disconnects."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wire.control import Control, control_size, parse_control
from wire.frame import SYNC


@contextmanager
def fake_line(*scripts: Callable[[socket.socket], None]) -> Iterator[str]:
    """Yield the pyserial URL of a TCP port. The n-th connection is passed to the n-th script, then closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for script in scripts:
                try:
                    connection, _ = server.accept()
                    with connection:
                        script(connection)
                except OSError:  # the other end or the test closed it first
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def sends(data: bytes, hold: bool = False) -> Callable[[socket.socket], None]:
    """Return a script that sends these bytes, then disconnects, or waits until the other end does."""

    def script(connection: socket.socket) -> None:
        # pyserial discards received bytes when it opens a port: wait for that.
        threading.Event().wait(0.3)
        connection.sendall(data)
        if hold:
            stays_silent(connection)

    return script


def answers(reply: Callable[[Control], bytes], first: bytes = b"") -> Callable[[socket.socket], None]:
    """Return the script of a board that sends `first` when the first command arrives, then a reply to each command."""

    def script(connection: socket.socket) -> None:
        unsolicited, pending = first, b""
        while received := connection.recv(65536):
            pending += received
            connection.sendall(unsolicited)
            unsolicited = b""
            while (start := pending.find(SYNC)) >= 0 and (size := control_size(pending[start + 4 : start + 16])):
                if len(pending) < start + 4 + size:
                    break
                command = parse_control(pending[start + 4 : start + 4 + size])
                pending = pending[start + 4 + size :]
                connection.sendall(reply(command) if command else b"")

    return script


def stays_silent(connection: socket.socket) -> None:
    """Script: receive everything and send nothing."""
    while connection.recv(65536):
        pass


def unused_port() -> str:
    """Return the URL of a TCP port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"socket://127.0.0.1:{server.getsockname()[1]}"
