"""The control lines of a port, which an adapter may connect to a board's reset."""

import pytest
import serial

from host.board.port import Port
from inkling.cli import main


@pytest.fixture
def lines_when_opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, bool]]:
    """DTR and RTS as pyserial is about to set them when it opens a port, which then fails."""
    seen = []

    def fake_open(port: serial.Serial) -> None:
        seen.append((port.dtr, port.rts))
        raise serial.SerialException("not here")

    monkeypatch.setattr(serial.Serial, "open", fake_open)
    return seen


@pytest.mark.parametrize(("words", "lines"), [((), (True, True)), (("--no-dtr-rts",), (False, False))])
def test_port_sets_dtr_and_rts_before_it_opens(
    words: tuple[str, ...], lines: tuple[bool, bool], lines_when_opened: list[tuple[bool, bool]]
) -> None:
    assert main(["info", "--port", "/dev/ttyUSB0", *words]) == 1
    assert lines_when_opened == [lines]


def test_port_without_control_lines_ignores_dtr_rts() -> None:
    with Port("loop://", dtr_rts=False) as port:
        port.write(b"x")
        assert port.read(1.0) == b"x"
