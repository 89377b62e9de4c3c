"""The serial ports of this machine."""

from pathlib import Path

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from host.errors import HostError

NONE = "no serial port here: plug the board in, with a cable that carries data"


def serial_ports() -> list[ListPortInfo]:
    """What is plugged in, by name."""
    return sorted(list_ports.comports())


def about(port: ListPortInfo) -> str:
    """What a port is, in words: description and, on USB, VID:PID."""
    what = port.description if port.description not in (None, "n/a", port.device) else "serial port"
    return f"{what}, {port.vid:04X}:{port.pid:04X}" if port.vid is not None and port.pid is not None else what


def need_port(name: str | None) -> str:
    """The port that is meant: `name`, which must be there, or else the only one on USB. HostError with what there is.

    URLs (socket://HOST:PORT) are taken as they are.
    """
    ports = serial_ports()
    if name is None:
        usb = [port for port in ports if port.vid is not None]
        if len(usb) == 1:
            return usb[0].device
        raise HostError(f"which port? give --port; {_listed(ports)}" if ports else NONE)
    if "://" in name or name in {port.device for port in ports} or Path(name).exists():
        return name
    raise HostError(f"there is no port {name}; {_listed(ports)}" if ports else f"there is no port {name}, and {NONE}")


def _listed(ports: list[ListPortInfo]) -> str:
    return "there are: " + "; ".join(f"{port.device} ({about(port)})" for port in ports)
