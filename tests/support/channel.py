"""For the live proxy's tests: sockets that play a board or a host, and the command as a process."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.support import ROOT


def server() -> tuple[socket.socket, str]:
    """A port on loopback, and the URL that connects to it."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    return listener, f"socket://127.0.0.1:{listener.getsockname()[1]}"


def connect(url: str) -> socket.socket:
    """A connection to a socket:// URL."""
    return socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), timeout=10)


def read(line: socket.socket, count: int) -> bytes:
    """So many bytes, or as many as come until the line ends."""
    data = b""
    while len(data) < count and (more := line.recv(count - len(data))):
        data += more
    return data


def read_all(line: socket.socket) -> bytes:
    """All bytes until the line ends."""
    return read(line, 1 << 30)


def until(condition: Callable[[], object]) -> None:
    """Wait for what another thread or process is about to do."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """`python -m channel_sim` with these arguments."""
    return subprocess.Popen(
        [sys.executable, "-m", "channel_sim", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def said_url(process: subprocess.Popen[str]) -> str:
    """The last word of the next line that it prints."""
    assert process.stdout
    return process.stdout.readline().split()[-1]
