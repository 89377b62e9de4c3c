"""`inkling devices`: native boards on a pseudo-terminal and a socket, silent lines, and no ports."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from tests.conftest import RunInkling
from tests.support import firmware as firmware_tools
from tests.support.host import make_info
from tests.support.lines import answers, fake_line, stays_silent, unused_port
from wire.bundle import Bundle
from wire.control import ErrorCode, ErrorReply, Opcode, reply


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal on which no cell of a table is wrapped."""
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture
def pty() -> Iterator[str]:
    """The path of a pseudo-terminal with a native board."""
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
    """Return the rows of the table by port."""
    rows = [[cell.strip() for cell in row.strip("│").split("│")] for row in out.splitlines() if row.startswith("│")]
    return {row[0]: row[1:] for row in rows}


def test_devices_shows_boards_and_whose_model_they_run(
    run_inkling: RunInkling, pty: str, native_url: str, built: Bundle, other: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    usb = ListPortInfo(pty)
    usb.description, usb.vid, usb.pid = "CP2102 [/usb] to UART", 0x10C4, 0xEA60
    plug_in(monkeypatch, usb)
    with fake_line(stays_silent) as silent:
        gone = unused_port()
        given = [option for port in (native_url, silent, gone, pty) for option in ("--port", port)]
        known = ("--bundle", other.path, "--bundle", built.path)
        code, out, err = run_inkling("devices", *given, *known, "--timeout", 0.3)
    assert (code, err) == (0, "")
    answer = ["1", "native, aot", f"{built.model_id} {built.name}"]
    assert cells(out) == {
        pty: ["CP2102 [/usb] to UART, 10C4:EA60", *answer],
        native_url: ["given by --port", *answer],
        silent: ["given by --port", "-", "the board does not respond: check that it is running and on this port", "-"],
        gone: ["given by --port", "-", f"cannot open {gone}: Connection refused", "-"],
    }


def test_devices_asks_all_ports_at_once_and_exits_1_without_an_answer(
    run_inkling: RunInkling, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(monkeypatch)
    with fake_line(stays_silent) as first, fake_line(stays_silent) as second, fake_line(stays_silent) as third:
        start = time.monotonic()
        code, out, _ = run_inkling("devices", "--port", first, "--port", second, "--port", third, "--timeout", 0.5)
        assert time.monotonic() - start < 3.5  # one after another: 4.5 s
    assert code == 1 and set(cells(out)) == {first, second, third}


def test_devices_asks_a_port_with_several_names_once(
    run_inkling: RunInkling, pty: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two commands on one port would find it in use."""
    by_id, by_path = tmp_path / "by-id", tmp_path / "by-path"
    by_id.symlink_to(pty)
    by_path.symlink_to(by_id)
    monkeypatch.chdir(Path(pty).parent)
    given = [option for port in (by_id, by_path, Path(pty).name, pty, by_id) for option in ("--port", port)]
    plug_in(monkeypatch, ListPortInfo(pty))
    code, out, _ = run_inkling("devices", *given)
    ((port, (description, device, *_)),) = cells(out).items()
    assert (code, port, device) == (0, pty, "1")
    assert description == f"serial port, {by_id}, {by_path}, {Path(pty).name}"
    plug_in(monkeypatch)
    code, out, _ = run_inkling("devices", *given)
    ((port, (description, device, *_)),) = cells(out).items()
    assert (code, port, device) == (0, str(by_id), "1")
    assert description == f"given by --port, {by_path}, {Path(pty).name}, {pty}"


def test_devices_reports_no_ports_and_missing_bundles_in_one_line(
    run_inkling: RunInkling, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plug_in(monkeypatch)
    code, out, err = run_inkling("devices")
    assert (code, out) == (1, "")
    assert err == "inkling: no serial ports found: connect the board with a USB cable that carries data\n"
    code, out, err = run_inkling("devices", "--bundle", tmp_path / "none")
    assert (code, out, err) == (1, "", f"inkling: bundle {tmp_path / 'none'}: no such folder\n")


def test_devices_lists_a_board_that_cannot_run_its_model(
    run_inkling: RunInkling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At boot it reports that its arena is too small; it still answers INFO."""
    plug_in(monkeypatch)
    info = make_info(engine="tflm", target="esp32dev")
    at_boot = reply(Opcode.ERROR, 0, ErrorReply(ErrorCode.MODEL_ARENA, 0).pack(), 1, 0)
    board = answers(lambda command: reply(Opcode.INFO | 0x80, command.request, info.pack(), 1, 0), at_boot)
    with fake_line(board, board) as url:
        code, out, err = run_inkling("devices", "--port", url)
        assert (code, err) == (0, "") and cells(out)[url] == ["given by --port", "1", "esp32dev, tflm", "00000007"]
        code, out, err = run_inkling("info", "--port", url)
        assert (code, err) == (0, "") and "esp32dev, tflm" in out
