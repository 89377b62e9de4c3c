"""`inkling flash` with a fake PlatformIO whose upload starts the native firmware on a pseudo-terminal."""

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

from host.board import platformio
from host.keys.key_file import KeyFile
from tests.conftest import RunInkling
from tests.host.secured_board import SecuredBoard
from tests.support import ROOT
from tests.support import firmware as firmware_tools
from tests.support.host import make_info
from tests.support.lines import answers, fake_line
from wire.bundle import Bundle
from wire.control import Control, ErrorCode, ErrorReply, Opcode, reply

PROJECT = """
[env:native]
platform = native
board = fake

[env:another]
extends = env:native

[env:emulated]
platform = native
"""
# Passes `project config` to the real PlatformIO; any other command runs the test's code for an upload.
PIO = """#!{python}
import os, subprocess, sys
if sys.argv[1] == "project":
    os.execv(sys.executable, [sys.executable, "-m", "platformio", *sys.argv[1:]])
port = sys.argv[sys.argv.index("--upload-port") + 1]
print("[/dev] Processing", sys.argv[sys.argv.index("-e") + 1], os.environ["INKLING_BUNDLE"], flush=True)
{upload}
"""
START_A_BOARD = """
quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
board = subprocess.Popen([{program!r}], **quiet)
open({pid!r}, "w").write(str(board.pid))
os.path.lexists(port) and os.remove(port)
os.symlink(board.stdout.readline().split()[1], port)
"""


@pytest.fixture(scope="module")
def native() -> Path:
    """The program of the native firmware."""
    return firmware_tools.program("native")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a project with two fake boards. The only PlatformIO is the test's; there is no port."""
    (tmp_path / "platformio.ini").write_text(PROJECT)
    (tmp_path / "firmware").mkdir()
    (tmp_path / platformio.BUILD_SCRIPT).write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformio, "util", SimpleNamespace(find_spec=lambda _name: None))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(list_ports, "comports", lambda: [])
    return tmp_path


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """The path of the board's port."""
    port = tmp_path / "ttyFAKE"
    port.write_text("")
    return port


@pytest.fixture
def uploads(native: Path, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Put a `pio` on the PATH whose upload is this Python code; at the end, stop the board that it started."""
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


def test_flash_checks_what_the_flashed_board_runs(
    run_inkling: RunInkling, port: Path, built: Bundle, tmp_path: Path, uploads: Callable[[str], None]
) -> None:
    uploads(START_A_BOARD)
    code, out, err = run_inkling("flash", "--env", "native", "--bundle", built.path, "--port", port)
    assert (code, err) == (0, "")
    assert out == f"{port}: device 1, native, now runs {built.name} {built.model_id}, engine aot\n"
    assert (tmp_path / platformio.LOG).read_text() == f"[/dev] Processing native {built.path.resolve()}\n"


def test_flash_by_dfu_needs_the_port_that_the_board_has_afterwards(
    run_inkling: RunInkling, port: Path, built: Bundle, tmp_path: Path, uploads: Callable[[str], None]
) -> None:
    (tmp_path / "platformio.ini").write_text(PROJECT.replace("fake", "fake\nupload_protocol = dfu"))
    port.unlink()
    uploads(START_A_BOARD)
    flash = ("flash", "--env", "native", "--bundle", built.path)
    code, _, err = run_inkling(*flash)
    assert (
        code == 1
        and err.startswith("inkling: native is flashed by USB DFU and has no serial port before: pass --port ")
        and err.count("\n") == 1
    )
    code, out, err = run_inkling(*flash, "--port", port)
    assert (code, err) == (0, "") and out.startswith(f"{port}: device 1, native, now runs ")


def test_flash_reports_a_board_that_cannot_run_its_model(
    run_inkling: RunInkling, port: Path, built: Bundle, uploads: Callable[[str], None]
) -> None:
    info = make_info(model_number=built.number, engine="tflm")

    def reply_to(command: Control) -> bytes:
        if command.opcode == Opcode.INFO:
            return reply(Opcode.INFO | 0x80, command.request, info.pack(), 1, 0)
        return reply(Opcode.ERROR, command.request, ErrorReply(ErrorCode.MODEL_ARENA, command.opcode).pack(), 1, 0)

    uploads("")
    at_boot = reply(Opcode.ERROR, 0, ErrorReply(ErrorCode.MODEL_ARENA, 0).pack(), 1, 0)
    with fake_line(answers(reply_to, at_boot)) as url:
        code, out, err = run_inkling("flash", "--env", "native", "--bundle", built.path, "--port", url)
    error = "inkling: the board reported an error: its arena is too small for the model (MODEL_ARENA)\n"
    assert (code, out, err) == (1, "", error)


def test_flash_secure_gives_the_board_a_key(
    run_inkling: RunInkling, built: Bundle, default_keys: Path, uploads: Callable[[str], None]
) -> None:
    """Only after the check; a board that has its key keeps it, and one with an unknown key is reported at once."""
    uploads("print(sys.argv, os.environ)")
    flash, board = ("flash", "--env", "native", "--bundle", built.path, "--secure"), SecuredBoard(model=built)
    firmware = f"device 7, native, now runs {built.name} {built.model_id}, engine aot\n"
    for outcome in ("has a new key", "already has its key"):
        with fake_line(answers(board.answer)) as url:
            done = run_inkling(*flash, "--port", url)
        assert done == (0, f"{url}: {firmware}device 7 {outcome}, in {default_keys}\n", "")
        assert board.executed[:2] == [Opcode.INFO, Opcode.BENCH]
        log = Path(platformio.LOG).read_text()
        assert board.key and KeyFile.load(default_keys).devices[7].candidates == [board.key]
        assert "INKLING_BUNDLE" in log and board.key.hex() not in log and repr(board.key)[2:-1] not in log
    board.key = bytes(16)
    with fake_line(answers(board.answer)) as url:
        code, out, err = run_inkling(*flash, "--port", url)
    assert (code, out) == (1, "") and err.startswith(f"inkling: device 7 has a key, and {default_keys} has another key")
    assert err.endswith("or erase the board's flash (see docs/security.md)\n") and err.count("\n") == 1
    default_keys.chmod(0o604)
    Path(platformio.LOG).unlink()
    assert f"chmod 600 {default_keys}" in run_inkling(*flash, "--port", "loop://")[2]
    assert not Path(platformio.LOG).exists(), "nothing is flashed"


def test_flash_reports_another_model_than_was_flashed(
    run_inkling: RunInkling, port: Path, built: Bundle, other: Bundle, uploads: Callable[[str], None]
) -> None:
    uploads(START_A_BOARD)
    code, out, err = run_inkling("flash", "--env", "native", "--bundle", other.path, "--port", port)
    assert (code, out) == (1, "")
    assert err == (
        f"inkling: flashed native with model {other.model_id}, but the board on this port is native with model "
        f"{built.model_id}: check that --port is the port of the flashed board\n"
    )


def test_flash_reports_another_target_than_was_flashed(
    run_inkling: RunInkling, port: Path, built: Bundle, uploads: Callable[[str], None]
) -> None:
    uploads(START_A_BOARD)
    code, _, err = run_inkling("flash", "--env", "another", "--bundle", built.path, "--port", port)
    assert code == 1 and err.startswith(f"inkling: flashed another with model {built.model_id}, but the board on this ")


def test_flash_reports_a_board_that_does_not_come_back(
    run_inkling: RunInkling, port: Path, built: Bundle, uploads: Callable[[str], None]
) -> None:
    uploads("os.remove(port)")
    code, _, err = run_inkling("flash", "--env", "native", "--bundle", built.path, "--port", port, "--timeout", 0.5)
    reason = f"cannot open {port}: No such file or directory"
    assert (code, err) == (1, f"inkling: flashed, but the board did not respond within 0.5 s: {reason}\n")


@pytest.mark.parametrize(
    ("output", "line"),
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
        (
            "inkling: the encoder needs about 85 kB\nA fatal error occurred: Could not open /dev/x",
            "A fatal error occurred: Could not open /dev/x",
        ),
        (
            "inkling: the encoder needs about 85 kB\nld: region `RAM' overflowed by 9 bytes\ncollect2: error: ld",
            "the encoder needs about 85 kB",
        ),
        ("openocd: no device", "openocd: no device"),
    ],
)
def test_flash_reports_a_failed_build_or_upload_in_one_line(
    run_inkling: RunInkling,
    port: Path,
    built: Bundle,
    tmp_path: Path,
    uploads: Callable[[str], None],
    output: str,
    line: str,
) -> None:
    uploads(f"sys.exit({output!r})")
    code, out, err = run_inkling("flash", "--env", "native", "--bundle", built.path, "--port", port)
    log = tmp_path / platformio.LOG
    assert (code, out, err) == (1, "", f"inkling: flashing native failed: {line} (full output: {log})\n")
    assert output in log.read_text()


def test_flash_names_the_package_and_the_log(
    run_inkling: RunInkling, port: Path, built: Bundle, tmp_path: Path, uploads: Callable[[str], None]
) -> None:
    """Of a download that fails, and of a log that cannot be written."""
    uploads("print('Platform Manager: Installing espressif32 @ 6')\nsys.exit('HTTPClientError: ')")
    flash = ("flash", "--env", "native", "--bundle", built.path, "--port", port)
    code, out, err = run_inkling(*flash)
    start = "inkling: flashing native failed: PlatformIO could not download espressif32 @ 6 (HTTPClientError): check "
    assert (code, out, err.count("\n")) == (1, "", 1) and err.startswith(start)
    log = tmp_path / platformio.LOG
    log.unlink()
    log.symlink_to("/dev/full")
    assert run_inkling(*flash) == (1, "", f"inkling: No space left on device: {log}\n")


def test_flash_refuses_what_is_not_a_board(
    run_inkling: RunInkling, port: Path, built: Bundle, tmp_path: Path, uploads: Callable[[str], None]
) -> None:
    uploads("sys.exit('must not be called')")
    common = ("--bundle", built.path, "--port", port)
    code, _, err = run_inkling("flash", "--env", "none", *common)
    assert (code, err) == (1, "inkling: platformio.ini has no environment none; boards: native, another\n")
    code, _, err = run_inkling("flash", "--env", "emulated", *common)
    assert code == 1 and err.startswith("inkling: emulated runs on this machine, not on a board: build it ")
    (tmp_path / "platformio.ini").write_text("[env:x")
    code, _, err = run_inkling("flash", "--env", "x", *common)
    assert code == 1 and err.startswith(f"inkling: PlatformIO cannot read {tmp_path / 'platformio.ini'}: ")


def test_flash_finds_the_project_above_the_working_directory(
    run_inkling: RunInkling, project: Path, port: Path, built: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = project / "notes" / "deep"
    deep.mkdir(parents=True)
    (project / "notes" / "platformio.ini").write_text("")  # of another project, without Inkling's build script
    monkeypatch.chdir(deep)
    assert platformio.project_folder() == project

    (project / "platformio.ini").unlink()
    assert platformio.project_folder() == ROOT, "the clone that the tests run in"

    monkeypatch.setattr(platformio, "CLONE", project / "site-packages")
    code, out, err = run_inkling("flash", "--env", "native", "--bundle", built.path, "--port", port)
    hint = "which building firmware needs: run this command in a clone"
    assert (code, out, err) == (1, "", f"inkling: {deep} is not in a clone of Inkling, {hint}\n")


def test_flash_without_platformio_names_the_package_to_install(
    run_inkling: RunInkling, port: Path, built: Bundle
) -> None:
    code, _, err = run_inkling("flash", "--env", "native", "--bundle", built.path, "--port", port)
    assert (code, err) == (
        1,
        "inkling: PlatformIO is not installed; in a clone of Inkling: pip install '.[firmware]'\n",
    )


def test_flash_reports_a_missing_port_with_the_list_of_ports(
    run_inkling: RunInkling, port: Path, built: Bundle, monkeypatch: pytest.MonkeyPatch, uploads: Callable[[str], None]
) -> None:
    uploads(START_A_BOARD)
    flash = ("flash", "--env", "native", "--bundle", built.path)
    none = "no serial ports found: connect the board with a USB cable that carries data"
    code, _, err = run_inkling(*flash)
    assert (code, err) == (1, f"inkling: {none}\n")
    code, _, err = run_inkling(*flash, "--port", "/dev/none")
    assert (code, err) == (1, f"inkling: port /dev/none not found; {none}\n")

    usb, onboard = ListPortInfo(str(port)), ListPortInfo("/dev/ttyS7")
    usb.description, usb.vid, usb.pid = "CP2102 USB to UART", 0x10C4, 0xEA60
    monkeypatch.setattr(list_ports, "comports", lambda: [onboard, usb])
    code, _, err = run_inkling(*flash, "--port", "/dev/none")
    ports = f"/dev/ttyS7 (serial port); {port} (CP2102 USB to UART, 10C4:EA60)"
    assert (code, err) == (1, f"inkling: port /dev/none not found; ports: {ports}\n")
    code, out, err = run_inkling(*flash)  # the only USB port
    assert (code, err) == (0, "") and out.startswith(f"{port}: device 1")

    monkeypatch.setattr(list_ports, "comports", lambda: [onboard])
    code, _, err = run_inkling(*flash)
    assert (code, err) == (
        1,
        "inkling: 0 USB ports found: choose a port with --port; ports: /dev/ttyS7 (serial port)\n",
    )
