"""What several commands take from the command line; argparse turns what is raised here into one line."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from host.board.port import Port

MOST_SECONDS = 86400.0


def add_port(parser: ArgumentParser) -> None:
    """The one port that a command speaks to, for `open_port`."""
    parser.add_argument("--port", required=True, metavar="URL", help="/dev/ttyUSB0, COM3, socket://HOST:PORT, ...")
    add_line(parser)


def add_line(parser: ArgumentParser) -> None:
    """How to open a serial port, for `open_port`."""
    add = parser.add_argument
    add("--baud", type=at_least_one, default=115200, help="speed of a serial port (default 115200)")
    add(
        "--no-dtr-rts",
        dest="dtr_rts",
        action="store_false",
        help="hold neither DTR nor RTS (ESP32-CAM on its programmer base)",
    )


def open_port(options: Namespace, url: str | None = None) -> Port:
    """The port of `add_port`, or another, as the options of `add_line` say. PortError when it cannot be opened."""
    return Port(url or options.port, options.baud, options.dtr_rts)


def at_least_one(text: str) -> int:
    """A whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"a whole number from 1 up is needed, not {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """A time in seconds: more than none, and no more than a day."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MOST_SECONDS:
        raise ArgumentTypeError(f"a time of up to {MOST_SECONDS:.0f} seconds is needed, not {text!r}")
    return value
