"""The command parser of a board that lost bytes: of all boards on a line, only the one that is meant reports it."""

from collections.abc import Iterable
from ctypes import CDLL

import pytest

from tests.support import wire_c
from tests.support.wire_c import COMMAND, ERROR, NONE, CommandReceiver
from wire import control
from wire.control import ErrorCode

DEVICE, BODY = 7, 40
GOOD = control.command(control.Opcode.RUN, 5, b"\1\0" + bytes(range(BODY)), DEVICE)
GOOD_EVENT = (COMMAND, 0, control.Opcode.RUN, 5, b"\1\0" + bytes(range(BODY)))
OTHER = control.command(control.Opcode.RUN, 1, bytes(300), DEVICE + 1)
LONG = control.command(control.Opcode.RUN, 6, bytes(BODY + 3), DEVICE)
DAMAGED = GOOD[:6] + bytes([GOOD[6] ^ 1]) + GOOD[7:]
Event = tuple[int, int, int, int, bytes]


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> CDLL:
    return wire_c.compile_library(tmp_path_factory.mktemp("wire"))


def error(code: int, opcode: int = 0, request: int = 0) -> Event:
    return ERROR, code, opcode, request, b""


def events(receiver: CommandReceiver, codes: Iterable[int]) -> list[Event]:
    """Return the events that the parser reports by these return values, each read at once."""
    return [receiver.event(code) for code in codes if code != NONE]


@pytest.mark.parametrize("cut", range(len(GOOD)))
def test_parser_reports_overrun_in_a_command_for_this_board(c: CDLL, cut: int) -> None:
    """Neither between commands nor in the first bytes, which may be those of another board's command."""
    receiver = CommandReceiver(c, DEVICE, BODY)
    receiver.feed(GOOD + GOOD[:cut])
    known = (control.Opcode.RUN, 5) if cut >= 16 else (0, 0)
    expected = [error(ErrorCode.OVERRUN, *known)] if cut >= 6 else []
    assert events(receiver, [c.wire_parser_overrun(receiver.parser)]) == expected
    assert receiver.feed(GOOD) == [GOOD_EVENT]
    assert c.wire_parser_overrun(receiver.parser) == NONE


def test_parser_finds_no_sync_across_lost_bytes(c: CDLL) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    receiver.feed(GOOD[:2])
    assert c.wire_parser_overrun(receiver.parser) == NONE
    assert receiver.feed(GOOD[2:] + GOOD) == [GOOD_EVENT]


@pytest.mark.parametrize(
    ("dropped", "expected"),
    [
        (b"", []),
        (bytes(300), []),
        (OTHER, []),
        (OTHER[:100], []),
        (GOOD[16:], []),
        (GOOD[:5], []),
        (GOOD[:8], [error(ErrorCode.OVERRUN)]),
        (GOOD, [error(ErrorCode.OVERRUN, control.Opcode.RUN, 5)]),
        (OTHER + GOOD + GOOD, [error(ErrorCode.OVERRUN, control.Opcode.RUN, 5)]),
        (DAMAGED, [error(ErrorCode.BAD_HEADER)]),
        (LONG[:30], [error(ErrorCode.TOO_LONG, control.Opcode.RUN, 6)]),
    ],
)
def test_parser_reports_bytes_lost_behind_a_full_buffer(c: CDLL, dropped: bytes, expected: list[Event]) -> None:
    """A buffer that is dropped shows whether its board is the one that is meant; its commands are not executed."""
    receiver = CommandReceiver(c, DEVICE, BODY)
    found = events(receiver, (c.wire_parser_skip(receiver.parser, byte) for byte in dropped))
    assert found + events(receiver, [c.wire_parser_overrun(receiver.parser)]) == expected
    assert receiver.body.intact(0)
    assert receiver.feed(GOOD) == [GOOD_EVENT]
