"""Arguments of the commands for device keys. Nothing slow is imported here, so that `--help` is fast."""

from argparse import ArgumentParser, ArgumentTypeError

from host.cli.arguments import DEMANDS, add_keys, add_line, add_port, add_timeout

MAX_DEVICE = 254  # of wire.frame, which is slow to import


def device_number(text: str) -> int:
    """Parse the number of a device."""
    if not text.isdecimal() or int(text) > MAX_DEVICE:
        raise ArgumentTypeError(f"must be a device number, 0 to {MAX_DEVICE}, got {text!r}")
    return int(text)


def list_keys(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling keys list`."""
    parser.description = (
        "Lists the devices in the key file; with a port, also what the board on it reports of its key. Keys are never "
        "shown."
    )
    parser.epilog = """examples:
  inkling keys list
  inkling keys list --port /dev/ttyUSB0 --json"""
    parser.add_argument("--port", metavar="URL", help="ask the board on this port, too")
    add_line(parser)
    add_keys(parser)
    parser.add_argument("--json", action="store_true", help="print JSON lines to standard output")
    add_timeout(parser)


def add(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling keys add`."""
    parser.description = (
        "Makes a device key, gives it to the board on a port, and stores it in the key file. From then on, the board "
        "sends secured frames, and this host takes no others of its device. Whoever reads the line meanwhile reads the "
        "key: use the board's own cable. Finishes an interrupted change; leaves a board alone that has its key."
    )
    parser.epilog = """examples:
  inkling keys add --port /dev/ttyUSB0
  inkling keys add --port /dev/ttyUSB0 --device 3"""
    _add_board(parser)


def rotate(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling keys rotate`."""
    parser.description = (
        "Makes a new device key and gives it to a board that has one. The command is sealed with the old key, which "
        "stays in the key file until the board is known to have the new one. Ends a revocation."
    )
    parser.epilog = """examples:
  inkling keys rotate --port /dev/ttyUSB0"""
    _add_board(parser)


def revoke(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling keys revoke`."""
    parser.description = "Lets this host refuse all frames of a device, until its board gets a new key."
    parser.epilog = """examples:
  inkling keys revoke 7"""
    _add_device(parser)
    add_keys(parser)


def remove(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling keys remove`."""
    parser.description = (
        "Removes a device from the key file: for a board whose flash was erased and that stays without a key, or that "
        "is gone for good. From then on, this host takes plain frames of the device, which anybody can forge."
    )
    parser.epilog = """examples:
  inkling keys remove 7 --yes"""
    _add_device(parser)
    add_keys(parser)
    parser.add_argument("--yes", action="store_true", help="remove the key, of which this file may be the only copy")


def require(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling keys require`."""
    parser.description = (
        "Sets what frames of a device must be: header, that the device sent the image, while its payload may be "
        "damaged or, by an attacker, changed; or full, that it sent exactly this."
    )
    parser.epilog = """examples:
  inkling keys require 7 full"""
    _add_device(parser)
    parser.add_argument("require", choices=DEMANDS, help="what must be authentic")
    add_keys(parser)


def _add_board(parser: ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument(
        "--device", type=device_number, metavar="N", help="number of the board, if several are on the line"
    )
    add_keys(parser)
    add_timeout(parser)


def _add_device(parser: ArgumentParser) -> None:
    parser.add_argument("device", type=device_number, metavar="DEVICE", help="number of the device")
