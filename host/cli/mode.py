"""`inkling mode`: show or set what a board sends: features, its answer, or the answer where it is sure."""

import argparse

from host.board.board import Board
from host.cli.arguments import open_board
from host.cli.output import plain_console
from host.errors import HostError
from wire.answer import confidence_floor
from wire.control import Info, Mode, ModeSetting


def run(options: argparse.Namespace) -> int:
    """Set the mode on request, show it, and return the exit status."""
    with open_board(options) as board:
        setting = set_mode(board, options.mode, options.threshold)
        plain_console().print(f"device {board.device}: {describe(setting)}")
    return 0


def set_mode(board: Board, mode: str | None, threshold: int | None) -> ModeSetting:
    """Set the mode of a board, its threshold, or both, and return what it then reports.

    None leaves a setting as it is. Raises HostError if the board's model lacks what the mode sends.
    """
    if mode is None and threshold is None:
        return board.mode()
    info = board.info()
    number = info.mode if mode is None else Mode[mode.upper()]
    _check(info, number)
    return board.mode(ModeSetting(number, info.threshold if threshold is None else threshold))


def describe(setting: ModeSetting) -> str:
    """Return a mode in words, with the probability at which the mode adaptive begins to send answers."""
    if setting.mode not in list(Mode):
        return f"unknown mode {setting.mode}"
    mode = Mode(setting.mode)
    if mode != Mode.ADAPTIVE:
        return f"mode {mode.name.lower()}"
    if setting.threshold == 0:
        return "mode adaptive, threshold 0: always the answer"
    floor = confidence_floor(setting.threshold)
    return f"mode adaptive, threshold {setting.threshold}: the answer if its confidence is at least {floor:.1%}"


def _check(info: Info, mode: int) -> None:
    if mode != Mode.FEATURES and not info.classes:
        raise HostError(f"the board's model {info.model_id} has no answer head: its only mode is features")
    if mode != Mode.ANSWER and not info.symbols:
        raise HostError(f"the board's model {info.model_id} has no features: its only mode is answer")
