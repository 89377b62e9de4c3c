"""Arguments that several commands share. argparse prints the errors raised here as one line."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from host.board import TIMEOUT_S
from wire import BAUD

if TYPE_CHECKING:
    from host.board.board import Board
    from host.board.port import Port
    from wire.bundle import Bundle

MAX_SECONDS = 86400.0
MODES = ("features", "answer", "adaptive")  # of wire.control.Mode, which is slow to import
DEMANDS = ("header", "full")  # of host.keys.key_file, which is slow to import
MAX_CONFIDENCE = 15  # the highest confidence level
CAMERA_START_S = 5.0  # until the camera's exposure has settled
CAMERA_TIMEOUT_S = TIMEOUT_S + CAMERA_START_S


def add_port(parser: ArgumentParser) -> None:
    """Add --port and the arguments of `add_line`."""
    parser.add_argument("--port", required=True, metavar="URL", help="/dev/ttyUSB0, COM3, socket://HOST:PORT, ...")
    add_line(parser)


def add_line(parser: ArgumentParser) -> None:
    """Add the settings of a serial line."""
    parser.add_argument(
        "--baud", type=at_least_one, default=BAUD, help="baud rate of a serial port (default %(default)s)"
    )
    parser.add_argument(
        "--no-dtr-rts",
        dest="dtr_rts",
        action="store_false",
        help="assert neither DTR nor RTS (ESP32-CAM on its programmer base)",
    )


def add_threshold(parser: ArgumentParser, meaning: str = "the mode adaptive sends the answer") -> None:
    """Add --threshold."""
    parser.add_argument(
        "--threshold",
        type=confidence_level,
        metavar="N",
        help=f"confidence level, 0 to 15, from which {meaning}",
    )


def add_timeout(parser: ArgumentParser, default_s: float = TIMEOUT_S) -> None:
    """Add --timeout, seconds to wait for a board."""
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=default_s,
        metavar="S",
        help=f"seconds to wait for the board (default {default_s:g})",
    )


def add_keys(parser: ArgumentParser) -> None:
    """Add --keys."""
    parser.add_argument(
        "--keys",
        type=Path,
        metavar="FILE",
        help="key file (default: inkling/keys.json in ~/.config, or on Windows in %%APPDATA%%)",
    )


def key_path(options: Namespace) -> Path:
    """Return the key file that is named by --keys, or the default one."""
    from host.keys.key_file import default_path

    return options.keys or default_path()


def open_board(options: Namespace, bundle: "Bundle | None" = None) -> "Board":
    """Open the board on --port, with the settings of `add_line` and `add_keys`. Raises as KeyFile and Port do."""
    from host.board.board import Board
    from host.keys.key_file import KeyFile

    keys = KeyFile.load(key_path(options))
    return Board(open_port(options), bundle, options.timeout, keys=keys)


def open_port(options: Namespace, url: str | None = None) -> "Port":
    """Open `url`, by default --port, with the settings of `add_line`. Raises as Port does."""
    from host.board.port import Port

    return Port(url or options.port, options.baud, options.dtr_rts)


def at_least_one(text: str) -> int:
    """Parse an integer of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"must be an integer of at least 1, got {text!r}")
    return int(text)


def confidence_level(text: str) -> int:
    """Parse a confidence level."""
    if not text.isdecimal() or int(text) > MAX_CONFIDENCE:
        raise ArgumentTypeError(f"must be a confidence level, 0 to {MAX_CONFIDENCE}, got {text!r}")
    return int(text)


def png_file(text: str) -> Path:
    """Parse the name of a PNG file."""
    if Path(text).suffix.lower() != ".png":
        raise ArgumentTypeError(f"must end in .png, got {text!r}")
    return Path(text)


def share(text: str) -> float:
    """Parse a share, 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"must be a share, 0 to 1, got {text!r}")
    return value


def seconds(text: str) -> float:
    """Parse a time in seconds, above 0 and at most a day."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_SECONDS:
        raise ArgumentTypeError(f"must be a time above 0 and at most {MAX_SECONDS:.0f} s, got {text!r}")
    return value
