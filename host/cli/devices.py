"""`inkling devices`: the serial ports of this machine, and what answers on each."""

import argparse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from host.board.board import Board
from host.board.port_list import NONE, about, serial_ports
from host.cli.arguments import open_port
from host.errors import HostError
from wire import bundle as bundles
from wire.bundle import Bundle
from wire.control import Info


@dataclass(frozen=True)
class FoundBoard:
    """What answered on a port: INFO and device number, or why there is none."""

    port: str
    about: str
    number: int | None = None
    info: Info | None = None
    failure: str = ""


def run(options: argparse.Namespace) -> int:
    """List, ask, show; the exit status."""
    known = [bundles.load(path) for path in options.bundle]
    ports = {port.device: about(port) for port in serial_ports()}
    ports |= {url: "given" for url in options.port if url not in ports}
    if not ports:
        raise HostError(NONE)
    with ThreadPoolExecutor(len(ports)) as pool:
        asked = [pool.submit(_ask, port, what, options) for port, what in ports.items()]
        found = [answer.result() for answer in asked]
    Console(highlight=False, markup=False).print(_table(found, known))
    return 0 if any(each.info for each in found) else 1


def _ask(port: str, what: str, options: argparse.Namespace) -> FoundBoard:
    try:
        with Board(open_port(options, port), timeout=options.timeout) as device:
            info = device.info()
            return FoundBoard(port, what, device.number, info)
    except HostError as error:
        return FoundBoard(port, what, failure=str(error).removeprefix(f"{port}: "))


def _table(found: list[FoundBoard], known: list[Bundle]) -> Table:
    table = Table()
    for heading in ("port", "what it is", "device", "target, engine", "model"):
        table.add_column(heading, overflow="fold")
    for each in found:
        if each.info is None:
            table.add_row(each.port, each.about, "-", each.failure, "-")
            continue
        names = [bundle.name for bundle in known if bundle.number == each.info.model_number]
        model = " ".join([each.info.model_id, *names])
        table.add_row(each.port, each.about, str(each.number), f"{each.info.target}, {each.info.engine}", model)
    return table
