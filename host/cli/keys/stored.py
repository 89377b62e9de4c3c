"""`inkling keys list`, `revoke`, `remove` and `require`: show and change the key file."""

import argparse
from contextlib import AbstractContextManager
from typing import Any

from rich.table import Table

from host.board.board import Board
from host.board.key_setting import find_key
from host.cli.arguments import key_path, open_port
from host.cli.output import Output, plain_console
from host.errors import HostError
from host.keys.key_file import DEMANDS, DeviceKeys, KeyFile
from wire.text import printable


def list_keys(options: argparse.Namespace) -> int:
    """Show the devices of the key file, and on request the board on a port; return the exit status."""
    file = KeyFile.load(key_path(options))
    rows = {device: _values(device, keys) for device, keys in sorted(file.devices.items())}
    if options.port:
        device, board = _ask(options, file)
        rows[device] = {**rows.get(device, _values(device, None)), "board": board}
    if options.json:
        output = Output("-")
        for values in rows.values():
            output.json_line(**values)
        return 1 if output.missed else 0
    console = plain_console(wrap=True)
    count = len(file.devices)
    console.print(printable(f"key file {file.path}: {count} device" + "s" * (count != 1)))
    if rows:
        console.print(_table(list(rows.values()), with_board=bool(options.port)))
    return 0


def revoke(options: argparse.Namespace) -> int:
    """Revoke a device and return the exit status."""
    with _edit(options) as file:
        file.revoke(options.device)
    plain_console().print(
        f"device {options.device} is revoked: this host refuses its frames from now on; the board keeps sending them "
        "until it gets a new key (inkling keys rotate) or its flash is erased"
    )
    return 0


def remove(options: argparse.Namespace) -> int:
    """Remove a device from the key file and return the exit status. Raises HostError without --yes."""
    with _edit(options) as file:
        if not options.yes:
            raise HostError(
                f"without its key in {key_path(options)}, this host takes plain frames of device {options.device}, "
                "which anybody can forge, and a board that still has the key must be erased: add --yes to remove it, "
                "or revoke it instead"
            )
        file.remove(options.device)
    plain_console().print(
        f"device {options.device} has no key any more: this host takes its plain frames from now on, and no secured "
        "ones; a board that still has the key sends only these until its flash is erased"
    )
    return 0


def require(options: argparse.Namespace) -> int:
    """Set what the frames of a device must be, and return the exit status."""
    with _edit(options) as file:
        file.demand(options.device, DEMANDS[options.require])
    plain_console().print(f"device {options.device}: its frames must be `{options.require}` from now on")
    return 0


def _edit(options: argparse.Namespace) -> AbstractContextManager[KeyFile]:
    """Return KeyFile.edit of the key file. Raises HostError, before a file is made, if it has no key of the device."""
    path = key_path(options)
    KeyFile.load(path).get(options.device)
    return KeyFile.edit(path)


def _ask(options: argparse.Namespace, file: KeyFile) -> tuple[int, dict[str, Any]]:
    """Return the number of the board on the port, and what it reports of its key."""
    with Board(open_port(options), timeout=options.timeout) as board:
        state = board.key_state()
        device = board.require_device()
        matches = state.has_key and find_key(board, file, state) is not None
    return device, {
        "has_key": state.has_key,
        "in_file": matches,
        "permanent": state.is_permanent,
        "counter": state.counter,
    }


def _values(device: int, keys: DeviceKeys | None) -> dict[str, Any]:
    """Return what is shown of a device. None: the file has no key of it."""
    if keys is None:
        return {"device": device, "made": None}
    return {
        "device": device,
        "made": keys.likely.made,
        "require": keys.require.name.lower(),
        "revoked": keys.revoked,
        "pending": bool(keys.pending),
        "permanent": keys.permanent if keys.current else None,
    }


def _table(rows: list[dict[str, Any]], with_board: bool) -> Table:
    table = Table()
    for heading in ("device", "made", "require", "state", "permanent", *(["board"] if with_board else [])):
        table.add_column(heading, overflow="fold")
    for values in rows:
        cells = [str(values["device"]), "-", "-", "no key in the file", "-"]
        if values["made"]:
            permanent = {True: "yes", False: "no", None: "unknown"}[values["permanent"]]
            cells = [str(values["device"]), values["made"], values["require"], _state(values), permanent]
        table.add_row(*cells, *([_board_text(values.get("board"))] if with_board else []))
    return table


def _state(values: dict[str, Any]) -> str:
    states = [name for name in ("revoked", "pending") if values[name]]
    return ", ".join(states) or "in use"


def _board_text(board: dict[str, Any] | None) -> str:
    if board is None:
        return "-"
    if not board["has_key"]:
        return "has no key"
    which = "has its key" if board["in_file"] else "has another key"
    return f"{which}, counter {board['counter']}{'' if board['permanent'] else ', not permanent'}"
