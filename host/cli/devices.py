"""`inkling devices`: list the serial ports of this machine and the boards on them."""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

from rich.table import Table

from host.board.board import Board
from host.board.port_list import NO_PORTS, describe, serial_ports
from host.cli.arguments import open_port
from host.cli.output import plain_console
from host.errors import HostError
from wire.bundle import Bundle
from wire.bundle import load as load_bundle
from wire.control import Info
from wire.text import printable


@dataclass(frozen=True)
class FoundBoard:
    """A port and the board on it: device number and INFO, or the reason why there is none."""

    port: str
    description: str
    device: int | None = None
    info: Info | None = None
    failure: str = ""


def run(options: argparse.Namespace) -> int:
    """Query all ports at once, show the boards, and return the exit status."""
    bundles = [load_bundle(path) for path in options.bundle]
    ports = _ports(options.port)
    if not ports:
        raise HostError(NO_PORTS)
    with ThreadPoolExecutor(len(ports)) as pool:
        boards = list(pool.map(_query, ports, ports.values(), repeat(options)))
    plain_console(wrap=True).print(_table(boards, bundles))
    return 0 if any(board.info for board in boards) else 1


def _ports(given: list[str]) -> dict[str, str]:
    """Return the ports of the machine and those given, each once, with their descriptions.

    A link, such as those in /dev/serial/by-id, and the port that it leads to are one port: two commands would fail to
    lock it.
    """
    ports = {port.device: describe(port) for port in serial_ports()}
    names = {_target(port): port for port in ports}
    for url in dict.fromkeys(given):
        name = names.setdefault(_target(url), url)
        if name not in ports:
            ports[name] = "given by --port"
        elif name != url:
            ports[name] += f", {url}"
    return ports


def _target(url: str) -> str:
    """Return the path that a port's name leads to, as the system compares them; a URL is returned unchanged."""
    return url if "://" in url else os.path.normcase(os.path.realpath(url))


def _query(port: str, description: str, options: argparse.Namespace) -> FoundBoard:
    try:
        with Board(open_port(options, port), timeout=options.timeout) as board:
            info = board.info()
            return FoundBoard(port, description, board.device, info)
    except HostError as error:
        return FoundBoard(port, description, failure=str(error).removeprefix(f"{port}: "))


def _table(boards: list[FoundBoard], bundles: list[Bundle]) -> Table:
    table = Table()
    for heading in ("port", "description", "device", "target, engine", "model"):
        table.add_column(heading, overflow="fold")
    for board in boards:
        info = board.info
        if info is None:
            cells = (board.port, board.description, "-", board.failure, "-")
            table.add_row(*map(printable, cells))
            continue
        names = [bundle.name for bundle in bundles if bundle.number == info.model_number]
        model = " ".join([info.model_id, *names])
        cells = (board.port, board.description, str(board.device), f"{info.target}, {info.engine}", model)
        table.add_row(*map(printable, cells))
    return table
