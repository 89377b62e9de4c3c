"""`inkling flash`: build the firmware with a bundle's encoder, flash a board, and check that the board runs it."""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

from rich.text import Text

from host.board import platformio
from host.board.board import Board
from host.board.errors import TRANSIENT, BoardError, DeviceError, KeyMismatchError, WrongModelError
from host.board.key_setting import KeyChange, add_key
from host.board.port_list import choose_port
from host.cli.arguments import key_path, open_port
from host.cli.keys.boards import report
from host.cli.output import Output, plain_console
from host.errors import HostError
from host.keys.key_file import KeyFile
from wire.bundle import Bundle
from wire.bundle import load as load_bundle
from wire.control import Info
from wire.text import printable

DFU = "dfu"  # an upload protocol over USB without a serial port
RETRY_S = 0.5
SPINNER_COLUMNS = 4
TARGET_CHARACTERS = 24  # length of the field in INFO; longer names are cut off


class Flashed(NamedTuple):
    """A board that runs what was flashed: its number and INFO, and with --secure what became of its key."""

    device: int | None
    info: Info
    change: KeyChange | None


def run(options: argparse.Namespace) -> int:
    """Build, flash, check, and return the exit status."""
    bundle = load_bundle(options.bundle)
    keys = key_path(options) if options.secure else None
    if keys:
        KeyFile.load(keys, new=True)  # checks it before anything is flashed
    environment = _board_environment(options.env)
    port = _port_after_dfu(options) if environment.upload_protocol == DFU else choose_port(options.port)
    console = plain_console()
    with console.status("") as status:

        def show(line: str) -> None:
            # As Text: PlatformIO's [brackets] are not markup.
            status.update(Text(printable(f"{options.env}: {line}")[: console.width - SPINNER_COLUMNS]))

        show("building and flashing with PlatformIO")
        platformio.upload(options.env, port, bundle.path, show, Output().note)
        show(f"flashed; waiting for the board on {port}")
        flashed = _wait_for_board(port, options, bundle, keys)
    info = flashed.info
    firmware = f"device {flashed.device}, {info.target}, now runs {bundle.name} {info.model_id}, engine {info.engine}"
    console.print(printable(f"{port}: {firmware}"))
    if keys and flashed.change:
        report(flashed.change, keys)
    return 0


def _board_environment(name: str) -> platformio.Environment:
    """Return an environment of platformio.ini. Raises HostError if it is missing or has no real board."""
    environments = platformio.environments()
    boards = ", ".join(name for name, environment in environments.items() if environment.is_board) or "none"
    if name not in environments:
        raise HostError(f"platformio.ini has no environment {name}; boards: {boards}")
    if not environments[name].is_board:
        raise HostError(
            f"{name} runs on this machine, not on a board: build it with `pio run -e {name}` and start it as "
            f"docs/firmware.md describes (section Run); boards: {boards}"
        )
    return environments[name]


def _port_after_dfu(options: argparse.Namespace) -> str:
    """Return --port, which names the port that the board has after flashing. Raises HostError if it is missing."""
    if options.port is None:
        raise HostError(
            f"{options.env} is flashed by USB DFU and has no serial port before: pass --port with the port that it "
            "has afterwards, such as /dev/ttyACM0"
        )
    return options.port


def _wait_for_board(port: str, options: argparse.Namespace, bundle: Bundle, keys: Path | None) -> Flashed:
    """Return what the flashed board reports after it has run its encoder once and, with a key file, got a key.

    Raises WrongModelError if it does not run what was flashed, KeyMismatchError if it has a key that the file lacks,
    BoardError if its encoder fails, and DeviceError if it does not respond in time.
    """
    deadline = time.monotonic() + options.timeout
    while True:
        try:
            with Board(open_port(options, port)) as board:
                info = board.info()
                _check(info, options.env, bundle)
                board.bench(1)
                return Flashed(board.device, info, add_key(board, keys) if keys else None)
        except (WrongModelError, KeyMismatchError):
            raise
        except HostError as error:  # while the board restarts, its port may be missing and its output be no reply
            if isinstance(error, BoardError) and error.code not in TRANSIENT:
                raise
            if time.monotonic() > deadline:
                late = f"flashed, but the board did not respond within {options.timeout:g} s"
                raise DeviceError(f"{late}: {error}") from None
        time.sleep(RETRY_S)


def _check(info: Info, environment: str, bundle: Bundle) -> None:
    """Raise WrongModelError unless the board runs what was flashed."""
    if info.model_number != bundle.number or info.target != environment[:TARGET_CHARACTERS]:
        raise WrongModelError(
            f"flashed {environment} with model {bundle.model_id}, but the board on this port is {info.target} with "
            f"model {info.model_id}: check that --port is the port of the flashed board"
        )
