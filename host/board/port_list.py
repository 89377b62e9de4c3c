"""The serial ports of this machine."""

from pathlib import Path

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from host.errors import HostError

NO_PORTS = "no serial ports found: connect the board with a USB cable that carries data"


def serial_ports() -> list[ListPortInfo]:
    """Return the serial ports, sorted by name."""
    return sorted(list_ports.comports())


def describe(port: ListPortInfo) -> str:
    """Return a port's description and, for USB, its VID:PID."""
    known = port.description not in (None, "n/a", port.device)
    text = str(port.description) if known else "serial port"
    return text if port.vid is None or port.pid is None else f"{text}, {port.vid:04X}:{port.pid:04X}"


def choose_port(name: str | None) -> str:
    """Return `name` if there is such a port, or the only USB port if `name` is None.

    URLs (socket://HOST:PORT) are returned unchecked. Raises HostError with the list of ports.
    """
    ports = serial_ports()
    if name is None:
        if not ports:
            raise HostError(NO_PORTS)
        usb = [port for port in ports if port.vid is not None]
        if len(usb) != 1:
            raise HostError(f"{len(usb)} USB ports found: choose a port with --port; {_list(ports)}")
        return usb[0].device
    if "://" in name or name in {port.device for port in ports} or Path(name).exists():
        return name
    raise HostError(f"port {name} not found; {_list(ports)}" if ports else f"port {name} not found; {NO_PORTS}")


def _list(ports: list[ListPortInfo]) -> str:
    return "ports: " + "; ".join(f"{port.device} ({describe(port)})" for port in ports)
