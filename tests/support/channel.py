"""Helpers for tests of the live proxy: sockets that act as a board or a host, and the command as a process."""

import os
import pty
import socket
import subprocess
import sys
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.support import ROOT

PATIENCE_S = 60.0  # limit of a wait, far above any delay by load


class Device:
    """A simulated serial device at its own path, which can be plugged in and unplugged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = -1

    def plug(self) -> None:
        self.fd, other = pty.openpty()
        tty.setraw(other)
        self.path.symlink_to(os.ttyname(other))

    def unplug(self) -> None:
        self.path.unlink()
        os.close(self.fd)

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            with suppress(OSError):  # EIO: the other side is not open yet
                data += os.read(self.fd, count - len(data))
        return data


def server() -> tuple[socket.socket, str]:
    """Return a listener on loopback and the URL that connects to it."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE_S)
    return listener, f"socket://127.0.0.1:{listener.getsockname()[1]}"


def connect(url: str) -> socket.socket:
    """Return a connection to a socket:// URL."""
    return socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), timeout=PATIENCE_S)


def read(line: socket.socket, count: int) -> bytes:
    """Read `count` bytes, or fewer if the connection ends."""
    data = b""
    while len(data) < count and (more := line.recv(count - len(data))):
        data += more
    return data


def read_all(line: socket.socket) -> bytes:
    """Read all bytes until the connection ends."""
    return read(line, 1 << 30)


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition of another thread or process holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.005)


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start `python -m channel_sim` with these arguments."""
    return subprocess.Popen(
        [sys.executable, "-m", "channel_sim", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def printed_url(process: subprocess.Popen[str]) -> str:
    """Return the last word of the next line that it prints."""
    assert process.stdout
    return process.stdout.readline().split()[-1]
