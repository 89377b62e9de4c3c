"""Arguments of the commands that talk to a broker. Nothing slow is imported here, so that `--help` is fast."""

import string
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

from host.cli.arguments import add_line, at_least_one
from host.cli.keys.parsers import device_number

LOOPBACK = "127.0.0.1"
SEMTECH_PORT = 1700
EUI_DIGITS = 16


def gateway(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling gateway`."""
    parser.description = (
        "Publishes each radio packet, damaged or not, from gateway boards on serial ports and from Semtech packet "
        "forwarders, to an MQTT broker. Packets wait on disk while the broker is away. Needs no bundle. Ends with "
        "Ctrl-C."
    )
    parser.epilog = """examples:
  inkling gateway --port /dev/ttyUSB0 --mqtt mqtts://north@broker.example --site home --password-file mqtt.txt
  inkling gateway --semtech-udp :1700 --mqtt mqtt://localhost --site home --name roof
  inkling gateway --port /dev/ttyUSB0 --port /dev/ttyUSB1 --mqtt mqtt://localhost --site home --check"""
    add = parser.add_argument
    add(
        "--port",
        action="append",
        default=[],
        metavar="URL",
        help="port of a gateway board: /dev/ttyUSB0, COM3, socket://HOST:PORT, ...; repeatable",
    )
    add_line(parser)
    add(
        "--semtech-udp",
        type=udp_address,
        metavar="[HOST]:PORT",
        help=f"listen for Semtech packet forwarders; without HOST, on {LOOPBACK} only",
    )
    add(
        "--forwarder",
        type=forwarder,
        action="append",
        default=[],
        metavar="EUI=NAME",
        help="name of a packet forwarder (default: its EUI); repeatable",
    )
    add_broker(parser)
    add("--site", required=True, metavar="NAME", help="site whose devices are heard here")
    add(
        "--name",
        metavar="NAME",
        help="name of this gateway (default: that of the machine); with several ports, NAME-1 ...",
    )
    add(
        "--buffer",
        type=Path,
        metavar="FILE",
        help="file of the packets that wait (default: inkling/gateway-NAME.sqlite in ~/.local/state, or on Windows in "
        "%%LOCALAPPDATA%%)",
    )
    add("--buffer-mb", type=at_least_one, default=100, metavar="N", help="most packets that wait, in MB (default 100)")
    add("--buffer-days", type=at_least_one, default=7, metavar="N", help="longest wait, in days (default 7)")
    add("--check", action="store_true", help="try ports, addresses and the broker, report, and end")


def withdraw(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling mqtt withdraw`."""
    parser.description = (
        "Removes devices from Home Assistant and their last states from the broker. A device that is still heard comes "
        "back with its next frame."
    )
    parser.epilog = """examples:
  inkling mqtt withdraw --mqtt mqtt://localhost --site home --device 3"""
    add_broker(parser)
    parser.add_argument("--site", required=True, metavar="NAME", help="site of the devices")
    parser.add_argument(
        "--device", type=device_number, action="append", required=True, metavar="N", help="device number; repeatable"
    )
    parser.add_argument(
        "--prefix",
        default="homeassistant",
        metavar="TOPIC",
        help="Home Assistant's discovery prefix (default %(default)s)",
    )


def add_broker(parser: ArgumentParser) -> None:
    """Add --mqtt and how to log in there."""
    add = parser.add_argument
    add("--mqtt", required=True, metavar="URL", help="broker: mqtt://[USER@]HOST[:PORT], or mqtts:// with TLS")
    add(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="file with the password in its first line (default: environment variable INKLING_MQTT_PASSWORD)",
    )
    add("--ca", type=Path, metavar="FILE", help="trusted certificate authorities, PEM (default: those of the system)")
    add("--certificate", type=Path, metavar="FILE", help="certificate of this client, PEM")
    add("--key", type=Path, metavar="FILE", help="key of this client's certificate, PEM")


def udp_address(text: str) -> tuple[str, int]:
    """Parse [HOST]:PORT."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535 or (":" in host and not (host[0] == "[" and host[-1] == "]")):
        raise ArgumentTypeError(f"must be [HOST]:PORT, such as :{SEMTECH_PORT}, got {text!r}")
    return host.strip("[]") or LOOPBACK, int(port)


def forwarder(text: str) -> tuple[str, str]:
    """Parse EUI=NAME; the EUI may be written with : or - between its bytes."""
    eui, found, name = text.partition("=")
    digits = eui.lower().replace(":", "").replace("-", "")
    if not found or len(digits) != EUI_DIGITS or not set(digits) <= set(string.hexdigits):
        raise ArgumentTypeError(f"must be EUI=NAME with an EUI of {EUI_DIGITS} hex digits, got {text!r}")
    return digits, name
