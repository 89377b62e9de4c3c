"""`inkling keys add` and `rotate`: give keys to boards."""

import argparse
from collections.abc import Callable
from pathlib import Path

from host.board.board import Board
from host.board.key_setting import KeyChange, add_key, rotate_key
from host.cli.arguments import key_path, open_port
from host.cli.output import Output, plain_console
from host.keys.key_file import KeyFile
from wire.text import printable


def add(options: argparse.Namespace) -> int:
    """Give a board its first key and return the exit status."""
    return _change(options, add_key)


def rotate(options: argparse.Namespace) -> int:
    """Give a board another key and return the exit status."""
    return _change(options, rotate_key)


def report(change: KeyChange, path: Path) -> None:
    """Print what became of a board's key, with a warning if the board loses it without power."""
    plain_console().print(printable(f"device {change.device} {change.outcome.value}, in {path}"))
    if not change.permanent:
        Output().note(
            f"device {change.device} has no permanent memory that works: when it restarts, it loses its key and sends "
            "plain frames, which this host refuses; then give it a new key (inkling keys add)"
        )


def _change(options: argparse.Namespace, change: Callable[[Board, Path], KeyChange]) -> int:
    path = key_path(options)
    KeyFile.load(path, new=True)  # checks it before the port is opened
    with Board(open_port(options), timeout=options.timeout, device=options.device) as board:
        changed = change(board, path)
    report(changed, path)
    return 0
