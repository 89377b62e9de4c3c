"""`python -m host flash` with a PlatformIO that "uploads" by starting the native firmware on a pseudo-terminal."""

import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from host.board import platformio as pio
from tests.conftest import RunInkling
from tests.support import firmware as firmware_tools
from tests.support.host import make_bundle
from tests.support.lines import answers, fake_line
from wire.bundle import Bundle, load
from wire.control import Control, ErrorCode, ErrorReply, Info, Opcode, reply

PROJECT = """
[env:native]
platform = native
board = pretended

[env:another]
extends = env:native

[env:emulated]
platform = native
"""
# Answers `project config` as the real one; any other command runs what the test wants of an upload.
PIO = """#!{python}
import os, subprocess, sys
if sys.argv[1] == "project":
    os.execv(sys.executable, [sys.executable, "-m", "platformio", *sys.argv[1:]])
port = sys.argv[sys.argv.index("--upload-port") + 1]
print("[/dev] Processing", sys.argv[sys.argv.index("-e") + 1], os.environ["INKLING_BUNDLE"], flush=True)
{upload}
"""
STARTS_A_BOARD = """
quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
board = subprocess.Popen([{program!r}], **quiet)
open({pid!r}, "w").write(str(board.pid))
os.path.lexists(port) and os.remove(port)
os.symlink(board.stdout.readline().split()[1], port)
"""


@pytest.fixture(scope="module")
def native() -> Path:
    """The firmware as a process of this machine."""
    return firmware_tools.program("native")


@pytest.fixture(scope="module")
def built() -> Bundle:
    return load(firmware_tools.bundle_path())


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project of the test's own, no PlatformIO but what is on the PATH, and no port but what the test names."""
    (tmp_path / "platformio.ini").write_text(PROJECT)
    monkeypatch.setattr(pio, "PROJECT", tmp_path)
    monkeypatch.setattr(pio, "util", SimpleNamespace(find_spec=lambda _name: None))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(list_ports, "comports", lambda: [])


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """Where the board is plugged in."""
    port = tmp_path / "ttyFAKE"
    port.write_text("")
    return port


@pytest.fixture
def uploads(native: Path, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Puts a `pio` on the PATH whose upload is this Python code; ends the board that it started."""
    pid = tmp_path / "board.pid"

    def install(upload: str) -> None:
        upload = upload.format(program=str(native), pid=str(pid))
        script = tmp_path / "bin" / "pio"
        script.parent.mkdir()
        script.write_text(PIO.format(python=sys.executable, upload=upload))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    yield install
    if pid.exists():
        os.kill(int(pid.read_text()), signal.SIGTERM)


def test_a_flashed_board_is_asked_what_it_runs(
    run_inkling: RunInkling, port: Path, built: Bundle, tmp_path: Path, uploads: Callable[[str], None]
) -> None:
    uploads(STARTS_A_BOARD)
    code, out, err = run_inkling("flash", "--env", "native", "--bundle", built.path, "--port", port)
    assert (code, err) == (0, "")
    assert out == f"{port}: device 1, native, now runs {built.name} {built.model_id}, engine aot\n"
    assert (tmp_path / pio.LOG).read_text() == f"[/dev] Processing native {built.path.resolve()}\n"


def test_the_port_of_a_board_in_dfu_mode_comes_with_the_upload(
    run_inkling: RunInkling, port: Path, built: Bundle, tmp_path: Path, uploads: Callable[[str], None]
) -> None:
    (tmp_path / "platformio.ini").write_text(PROJECT.replace("pretended", "pretended\nupload_protocol = dfu"))
    port.unlink()
    uploads(STARTS_A_BOARD)
    flash = ("flash", "--env", "native", "--bundle", built.path)
    code, _, err = run_inkling(*flash)
    assert code == 1 and err.startswith("inkling: which port? native is flashed by USB DFU") and err.count("\n") == 1
    code, out, err = run_inkling(*flash, "--port", port)
    assert (code, err) == (0, "") and out.startswith(f"{port}: device 1, native, now runs ")


def test_a_board_that_cannot_run_its_model_is_told(
    run_inkling: RunInkling, port: Path, built: Bundle, uploads: Callable[[str], None]
) -> None:
    shape, model = built.input_shape, built.number
    info = Info(1, (0, 1, 0), model, "tflm", "native", shape, 128, 3, 3, 0, 0, 0, 1, 999)

    def tells(command: Control) -> bytes:
        if command.opcode == Opcode.INFO:
            return reply(Opcode.INFO | 0x80, command.request, info.pack(), 1, 0)
        return reply(Opcode.ERROR, command.request, ErrorReply(ErrorCode.MODEL_ARENA, command.opcode).pack(), 1, 0)

    uploads("")
    at_boot = reply(Opcode.ERROR, 0, ErrorReply(ErrorCode.MODEL_ARENA, 0).pack(), 1, 0)
    with fake_line(answers(tells, at_boot)) as url:
        code, out, err = run_inkling("flash", "--env", "native", "--bundle", built.path, "--port", url)
    told = "inkling: the board refused: its arena is too small for the model (MODEL_ARENA)\n"
    assert (code, out, err) == (1, "", told)


def test_another_model_than_was_flashed_is_told(
    run_inkling: RunInkling, port: Path, built: Bundle, tmp_path: Path, uploads: Callable[[str], None]
) -> None:
    uploads(STARTS_A_BOARD)
    other = make_bundle(tmp_path / "other")
    code, out, err = run_inkling("flash", "--env", "native", "--bundle", other.path, "--port", port)
    assert (code, out) == (1, "")
    assert err == (
        f"inkling: flashed native with model {other.model_id}, but the board on this port is native with model "
        f"{built.model_id}: is it the board that was flashed?\n"
    )


def test_another_target_than_was_flashed_is_told(
    run_inkling: RunInkling, port: Path, built: Bundle, uploads: Callable[[str], None]
) -> None:
    uploads(STARTS_A_BOARD)
    code, _, err = run_inkling("flash", "--env", "another", "--bundle", built.path, "--port", port)
    assert code == 1 and err.startswith(f"inkling: flashed another with model {built.model_id}, but the board on this ")


def test_a_board_that_does_not_come_back_is_told(
    run_inkling: RunInkling, port: Path, built: Bundle, uploads: Callable[[str], None]
) -> None:
    uploads("os.remove(port)")
    code, _, err = run_inkling("flash", "--env", "native", "--bundle", built.path, "--port", port, "--timeout", 0.5)
    reason = f"cannot open {port}: No such file or directory"
    assert (code, err) == (1, f"inkling: flashed, but the board did not come back within 0.5 s: {reason}\n")


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("inkling: bundle x: encoder.tflite is missing\n*** [check] Error 1", "bundle x: encoder.tflite is missing"),
        (
            "main.c:3:1: error: expected ';'\n*** [main.o] Error 1\n=== [FAILED] Took 1 s ===",
            "main.c:3:1: error: expected ';'",
        ),
        (
            "A fatal error occurred: Could not open /dev/x\n*** [upload] Error 2",
            "A fatal error occurred: Could not open /dev/x",
        ),
        ("openocd: no device", "openocd: no device"),
    ],
)
def test_a_failed_build_or_upload_is_one_line(
    run_inkling: RunInkling, port: Path, built: Bundle, tmp_path: Path, uploads: Callable[[str], None], says: str, told: str
) -> None:
    uploads(f"sys.exit({says!r})")
    code, out, err = run_inkling("flash", "--env", "native", "--bundle", built.path, "--port", port)
    log = tmp_path / pio.LOG
    assert (code, out, err) == (1, "", f"inkling: native was not flashed: {told} (all of it: {log})\n")
    assert says in log.read_text()


def test_what_is_no_board_is_not_flashed(
    run_inkling: RunInkling, port: Path, built: Bundle, tmp_path: Path, uploads: Callable[[str], None]
) -> None:
    uploads("sys.exit('must not be called')")
    common = ("--bundle", built.path, "--port", port)
    code, _, err = run_inkling("flash", "--env", "none", *common)
    assert (code, err) == (1, "inkling: platformio.ini has no environment none; boards: native, another\n")
    code, _, err = run_inkling("flash", "--env", "emulated", *common)
    assert code == 1 and err.startswith("inkling: emulated runs on this machine, there is no board to flash: build it ")
    (tmp_path / "platformio.ini").write_text("[env:x")
    code, _, err = run_inkling("flash", "--env", "x", *common)
    assert code == 1 and err.startswith(f"inkling: PlatformIO cannot read {tmp_path / 'platformio.ini'}: ")
    (tmp_path / "platformio.ini").unlink()
    code, _, err = run_inkling("flash", "--env", "x", *common)
    assert (code, err) == (1, f"inkling: {tmp_path} has no platformio.ini: flash from a clone of the project\n")


def test_without_platformio_it_says_how_to_install_it(run_inkling: RunInkling, port: Path, built: Bundle) -> None:
    code, _, err = run_inkling("flash", "--env", "native", "--bundle", built.path, "--port", port)
    assert (code, err) == (1, "inkling: PlatformIO is not installed: pip install '.[firmware]' in a clone of Inkling\n")


def test_a_missing_port_is_told_with_those_that_are_there(
    run_inkling: RunInkling, port: Path, built: Bundle, monkeypatch: pytest.MonkeyPatch, uploads: Callable[[str], None]
) -> None:
    uploads(STARTS_A_BOARD)
    flash = ("flash", "--env", "native", "--bundle", built.path)
    plug = "plug the board in, with a cable that carries data"
    code, _, err = run_inkling(*flash)
    assert (code, err) == (1, f"inkling: no serial port here: {plug}\n")
    code, _, err = run_inkling(*flash, "--port", "/dev/none")
    assert (code, err) == (1, f"inkling: there is no port /dev/none, and no serial port here: {plug}\n")

    usb, onboard = ListPortInfo(str(port)), ListPortInfo("/dev/ttyS7")
    usb.description, usb.vid, usb.pid = "CP2102 USB to UART", 0x10C4, 0xEA60
    monkeypatch.setattr(list_ports, "comports", lambda: [onboard, usb])
    code, _, err = run_inkling(*flash, "--port", "/dev/none")
    there = f"/dev/ttyS7 (serial port); {port} (CP2102 USB to UART, 10C4:EA60)"
    assert (code, err) == (1, f"inkling: there is no port /dev/none; there are: {there}\n")
    code, out, err = run_inkling(*flash)  # the only one on USB
    assert (code, err) == (0, "") and out.startswith(f"{port}: device 1")

    monkeypatch.setattr(list_ports, "comports", lambda: [onboard])
    code, _, err = run_inkling(*flash)
    assert (code, err) == (1, "inkling: which port? give --port; there are: /dev/ttyS7 (serial port)\n")
