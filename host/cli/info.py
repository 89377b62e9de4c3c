"""`python -m host info`: ask a board what it is."""

import argparse

from rich.console import Console
from rich.table import Table

from host.board.board import TIMEOUT_S, Board
from host.cli.arguments import add_port, open_port, seconds
from wire import bundle as bundles
from wire.control import Info

EXAMPLES = """examples:
  python -m host info --port /dev/ttyACM0
  python -m host info --port socket://localhost:4000 --bundle bundles/cifar10
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "info",
        help="show what a board is and runs",
        description="Asks a board for its versions, model and memory; with a bundle, checks its model.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add_port(parser)
    add("--bundle", metavar="DIR", help="check that the board runs this model")
    add("--timeout", type=seconds, default=TIMEOUT_S, metavar="S", help="seconds to wait for an answer (2)")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Ask, show, check; the exit status."""
    bundle = bundles.load(options.bundle) if options.bundle else None
    with Board(open_port(options), bundle, options.timeout) as device:
        info = device.info()
        table = Table(show_header=False, title=f"device {device.number}")
        for name, value in _rows(info):
            table.add_row(name, value)
        Console().print(table)
        device.check(info)
    return 0


def _rows(info: Info) -> list[tuple[str, str]]:
    height, width, channels = info.input_shape
    return [
        ("target, engine", f"{info.target}, {info.engine}"),
        ("firmware, wire version", f"{'.'.join(map(str, info.firmware_version))}, {info.wire_version}"),
        ("model id", info.model_id),
        ("picture", f"{height} x {width} x {channels}"),
        ("symbols", f"{info.symbols} of {info.bits_per_symbol} bits, {info.chunks} chunks"),
        ("encoder memory", f"{info.encoder_ram_bytes} bytes, of which arena {info.arena_bytes}"),
        ("stack so far", f"{info.stack_bytes} bytes" if info.stack_bytes else "unknown"),
        ("clock", f"{info.clock_hz / 1e6:g} MHz"),
        ("longest command", f"{info.max_data} bytes of data"),
    ]
