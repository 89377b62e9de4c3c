"""`inkling info`: show a board's firmware, model and memory."""

import argparse

from rich.table import Table

from host.board.board import Board
from host.board.errors import BoardError, DeviceError
from host.cli.arguments import open_board
from host.cli.mode import describe
from host.cli.output import plain_console
from wire.bundle import load as load_bundle
from wire.control import ErrorCode, Info, ModeSetting


def run(options: argparse.Namespace) -> int:
    """Request INFO, show it, check the model, and return the exit status."""
    bundle = load_bundle(options.bundle) if options.bundle else None
    with open_board(options, bundle) as board:
        info = board.info()
        table = Table(show_header=False, title=f"device {board.device}")
        for name, value in [*_rows(info), ("device key", _key_text(board))]:
            table.add_row(name, value)
        plain_console(wrap=True).print(table)
        board.check(info)
    return 0


def _key_text(board: Board) -> str:
    """Return whether board and key file have a key of the device."""
    try:
        state = board.key_state()
    except BoardError as error:
        if error.code == ErrorCode.UNKNOWN_COMMAND:
            return "none: its firmware knows no keys"
        raise
    except DeviceError:  # INFO has been answered: a noisy line
        return "unknown: no valid reply"
    assert board.keys and board.device is not None
    is_stored = board.device in board.keys.devices
    if not state.has_key:
        return "none, but the key file has one" if is_stored else "none"
    kept = "" if state.is_permanent else ", until it restarts"
    return f"yes{kept}; {'one' if is_stored else 'none'} in the key file"


def _rows(info: Info) -> list[tuple[str, str]]:
    height, width, channels = info.input_shape
    return [
        ("target, engine", f"{info.target}, {info.engine}"),
        ("firmware, wire version", f"{'.'.join(map(str, info.firmware_version))}, {info.wire_version}"),
        ("model id", info.model_id),
        ("image", f"{height} x {width} x {channels}"),
        ("symbols", f"{info.symbols} of {info.bits_per_symbol} bits, {info.chunks} chunks"),
        ("answers", f"{info.classes} classes" if info.classes else "none"),
        ("mode", describe(ModeSetting(info.mode, info.threshold)).removeprefix("mode ")),
        ("encoder memory", f"{info.encoder_ram_bytes} bytes, including an arena of {info.arena_bytes}"),
        ("deepest stack", f"{info.stack_bytes} bytes" if info.stack_bytes else "unknown"),
        ("clock", f"{info.clock_hz / 1e6:g} MHz"),
        ("longest command", f"{info.max_data} bytes of data"),
    ]
