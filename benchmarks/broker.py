"""A mosquitto of the system, for benchmarks that need a broker on this machine."""

import shutil
import socket

from host.errors import HostError


def program() -> str:
    """Return the path of mosquitto. Raises HostError if it is not installed."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if found is None:
        raise HostError("mosquitto is not installed: apt-get install mosquitto")
    return found


def free_port() -> int:
    """Return a TCP port of this machine that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def listens(port: int) -> bool:
    """Return True if a program of this machine accepts connections on a port."""
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0
