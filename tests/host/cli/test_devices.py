"""`python -m host devices`: native boards on a pseudo-terminal and a socket, silent lines, none at all."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from firmware.tools import emulator
from tests.conftest import RunInkling
from tests.support import firmware as firmware_tools
from tests.support.host import make_bundle
from tests.support.lines import answers, fake_line, stays_silent, unused_port
from wire.bundle import Bundle, load
from wire.control import ErrorCode, ErrorReply, Info, Opcode, reply


@pytest.fixture(scope="module")
def built() -> Bundle:
    return load(firmware_tools.bundle_path())


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen on which no cell of a table is broken."""
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture
def terminal() -> Iterator[str]:
    """A native board on a pseudo-terminal; its name."""
    program = firmware_tools.program("native")
    with subprocess.Popen([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as board:
        assert board.stdout is not None
        try:
            yield board.stdout.readline().split()[1]
        finally:
            board.terminate()


def plug_in(monkeypatch: pytest.MonkeyPatch, *ports: ListPortInfo) -> None:
    monkeypatch.setattr(list_ports, "comports", lambda: list(ports))


def cells(out: str) -> dict[str, list[str]]:
    """The table's rows by their port."""
    rows = [[cell.strip() for cell in row.strip("│").split("│")] for row in out.splitlines() if row.startswith("│")]
    return {row[0]: row[1:] for row in rows}


def test_shows_what_answers_and_whose_model_it_is(
    run_inkling: RunInkling, terminal: str, built: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usb = ListPortInfo(terminal)
    usb.description, usb.vid, usb.pid = "CP2102 [/usb] to UART", 0x10C4, 0xEA60
    plug_in(monkeypatch, usb)
    other = make_bundle(tmp_path / "other")
    with emulator.native(firmware_tools.program("native")) as url, fake_line(stays_silent) as silent:
        gone = unused_port()
        given = [option for port in (url, silent, gone, terminal) for option in ("--port", port)]
        known = ("--bundle", other.path, "--bundle", built.path)
        code, out, err = run_inkling("devices", *given, *known, "--timeout", 0.3)
    assert (code, err) == (0, "")
    answer = ["1", "native, aot", f"{built.model_id} {built.name}"]
    assert cells(out) == {
        terminal: ["CP2102 [/usb] to UART, 10C4:EA60", *answer],
        url: ["given", *answer],
        silent: ["given", "-", "the board is silent: is it running, and this its port?", "-"],
        gone: ["given", "-", f"cannot open {gone}: Connection refused", "-"],
    }


def test_ports_are_asked_at_the_same_time_and_silence_is_status_1(run_inkling: RunInkling, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch)
    with fake_line(stays_silent) as first, fake_line(stays_silent) as second, fake_line(stays_silent) as third:
        start = time.monotonic()
        code, out, _ = run_inkling("devices", "--port", first, "--port", second, "--port", third, "--timeout", 0.5)
        assert time.monotonic() - start < 3.5  # one after the other it would take 4.5 s
    assert code == 1 and set(cells(out)) == {first, second, third}


def test_no_ports_and_broken_bundles_are_one_line(run_inkling: RunInkling, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plug_in(monkeypatch)
    code, out, err = run_inkling("devices")
    assert (code, out) == (1, "")
    assert err == "inkling: no serial port here: plug the board in, with a cable that carries data\n"
    code, out, err = run_inkling("devices", "--bundle", tmp_path / "none")
    assert (code, out, err) == (1, "", f"inkling: bundle {tmp_path / 'none'}: no such folder\n")


def test_a_board_that_cannot_run_its_model_is_listed_all_the_same(run_inkling: RunInkling, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says at its start, unasked, that its arena is too small; INFO it answers."""
    plug_in(monkeypatch)
    info = Info(1, (0, 1, 0), 7, "tflm", "esp32dev", (8, 6, 3), 128, 3, 3, 0, 0, 0, 1, 999)
    at_start = reply(Opcode.ERROR, 0, ErrorReply(ErrorCode.MODEL_ARENA, 0).pack(), 1, 0)
    board = answers(lambda asked: reply(Opcode.INFO | 0x80, asked.request, info.pack(), 1, 0), at_start)
    with fake_line(board, board) as url:
        code, out, err = run_inkling("devices", "--port", url)
        assert (code, err) == (0, "") and cells(out)[url] == ["given", "1", "esp32dev, tflm", "00000007"]
        code, out, err = run_inkling("info", "--port", url)
        assert (code, err) == (0, "") and "esp32dev, tflm" in out
