"""Serial lines for the host's tests that no board is behind: they play bytes, fall silent, break off."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wire.control import Control, control_size, parse_control
from wire.frame import SYNC


@contextmanager
def line(*plays: Callable[[socket.socket], None]) -> Iterator[str]:
    """A TCP port, as a pyserial URL; the n-th connection is handed to the n-th play and closed after it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for play in plays:
                try:
                    connection, _ = server.accept()
                    with connection:
                        play(connection)
                except OSError:  # the other end, or the test, was done first
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def plays(data: bytes, hold: bool = False) -> Callable[[socket.socket], None]:
    """Send these bytes; then break off, or hold the line until the other end does."""

    def play(connection: socket.socket) -> None:
        # pyserial throws away what is there while it opens a port: wait for it as a person would.
        threading.Event().wait(0.3)
        connection.sendall(data)
        if hold:
            falls_silent(connection)

    return play


def answers(reply: Callable[[Control], bytes], first: bytes = b"") -> Callable[[socket.socket], None]:
    """A board that says `first` by itself after the first command's bytes, then a reply to every command."""

    def play(connection: socket.socket) -> None:
        said, pending = first, b""
        while came := connection.recv(65536):
            pending += came
            connection.sendall(said)
            said = b""
            while (start := pending.find(SYNC)) >= 0 and (size := control_size(pending[start + 4 : start + 16])):
                if len(pending) < start + 4 + size:
                    break
                command = parse_control(pending[start + 4 : start + 4 + size])
                pending = pending[start + 4 + size :]
                connection.sendall(reply(command) if command else b"")

    return play


def falls_silent(connection: socket.socket) -> None:
    """Take everything and say nothing."""
    while connection.recv(65536):
        pass


def no_port() -> str:
    """The URL of a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"socket://127.0.0.1:{server.getsockname()[1]}"
