"""`inkling flash`: build the firmware with a bundle's encoder, flash it, and see that the board runs it."""

import argparse
import time

from rich.console import Console
from rich.text import Text

from host.board import platformio as pio
from host.board.board import Board
from host.board.errors import PASSING, BoardError, DeviceError, WrongModelError
from host.board.port_list import need_port
from host.cli.arguments import open_port
from host.errors import HostError
from wire import bundle as bundles
from wire.bundle import Bundle
from wire.control import Info

DFU = "dfu"  # a boot loader on USB that is no serial port
PAUSE_S = 0.5
SPINNER = 4  # columns that it takes beside the text, and some to spare
TARGET_CHARACTERS = 24  # what INFO has room for; a longer name is cut off


def run(options: argparse.Namespace) -> int:
    """Build, flash, check; the exit status."""
    bundle = bundles.load(options.bundle)
    board = _need_board(options.env)
    port = _port_afterwards(options) if board.upload_protocol == DFU else need_port(options.port)
    console = Console(highlight=False, markup=False)
    with console.status("") as status:  # Text, since PlatformIO's [brackets] are no markup

        def show(line: str) -> None:
            status.update(Text(f"{options.env}: {line}"[: console.width - SPINNER]))

        show("PlatformIO builds and flashes")
        pio.upload(options.env, port, bundle.path, show)
        show(f"flashed; waiting for the board on {port}")
        number, info = _await_board(port, options, bundle)
    told = f"device {number}, {info.target}, now runs {bundle.name} {info.model_id}, engine {info.engine}"
    console.print(f"{port}: {told}", soft_wrap=True)
    return 0


def _need_board(environment: str) -> pio.Environment:
    """What platformio.ini says of it; HostError unless it is there and of a real board."""
    environments = pio.environments()
    real = ", ".join(name for name, each in environments.items() if each.is_board) or "none"
    if environment not in environments:
        raise HostError(f"platformio.ini has no environment {environment}; boards: {real}")
    if not environments[environment].is_board:
        raise HostError(
            f"{environment} runs on this machine, there is no board to flash: build it with `pio run -e {environment}` "
            f"and start it as docs/firmware.md says (section Run); boards: {real}"
        )
    return environments[environment]


def _port_afterwards(options: argparse.Namespace) -> str:
    """The serial port of a board that has none before it is flashed. HostError when it is not named."""
    if options.port is None:
        raise HostError(
            f"which port? {options.env} is flashed by USB DFU and has no serial port until it runs: give --port, the "
            "one that it will have then, such as /dev/ttyACM0"
        )
    return options.port


def _await_board(port: str, options: argparse.Namespace, bundle: Bundle) -> tuple[int | None, Info]:
    """Board number and INFO of what answers on the port, once it is back; the last failure when nothing does.

    WrongModelError when it is not what was flashed; BoardError when it cannot run its encoder, which it tries once.
    """
    deadline = time.monotonic() + options.timeout
    while True:
        try:
            with Board(open_port(options, port)) as device:
                info = device.info()
                _check(info, options.env, bundle)
                device.bench(1)
                return device.number, info
        except WrongModelError:
            raise
        except HostError as error:  # it restarts: the port may have gone, and it prints what is no reply
            if isinstance(error, BoardError) and error.code not in PASSING:
                raise
            if time.monotonic() > deadline:
                late = f"flashed, but the board did not come back within {options.timeout:g} s"
                raise DeviceError(f"{late}: {error}") from None
        time.sleep(PAUSE_S)


def _check(info: Info, environment: str, bundle: Bundle) -> None:
    """WrongModelError unless the board runs what was flashed."""
    if info.model_number != bundle.number or info.target != environment[:TARGET_CHARACTERS]:
        raise WrongModelError(
            f"flashed {environment} with model {bundle.model_id}, but the board on this port is {info.target} with "
            f"model {info.model_id}: is it the board that was flashed?"
        )
