"""The control lines of a port: an adapter may have wired them to a board's reset."""

import pytest
import serial

from inkling.cli import main
from host.board.port import Port


@pytest.fixture
def lines_when_opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, bool]]:
    """DTR and RTS as pyserial sets them while it opens a port; no port is there."""
    seen = []

    def opened(port: serial.Serial) -> None:
        seen.append((port.dtr, port.rts))
        raise serial.SerialException("not here")

    monkeypatch.setattr(serial.Serial, "open", opened)
    return seen


@pytest.mark.parametrize(("words", "lines"), [((), (True, True)), (("--no-dtr-rts",), (False, False))])
def test_lines_are_set_before_the_port_opens(
    words: tuple[str, ...], lines: tuple[bool, bool], lines_when_opened: list[tuple[bool, bool]]
) -> None:
    assert main(["info", "--port", "/dev/ttyUSB0", *words]) == 1
    assert lines_when_opened == [lines]


def test_lines_make_no_difference_where_there_are_none() -> None:
    with Port("loop://", dtr_rts=False) as port:
        port.write(b"x")
        assert port.read(1.0) == b"x"
