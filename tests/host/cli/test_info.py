"""`inkling info`: the board's table, its model, and lines that do not work."""

import subprocess
import sys

import pytest

from tests.conftest import RunInkling
from tests.host.cli.process import run
from tests.support import ROOT
from tests.support.host import make_info
from tests.support.lines import answers, fake_line, stays_silent
from wire.bundle import Bundle
from wire.control import BenchResult, Control, Opcode, reply


def test_info_shows_the_board_and_checks_its_model(
    run_inkling: RunInkling, native_url: str, built: Bundle, bundle: Bundle
) -> None:
    code, out, err = run("info", "--port", native_url, "--bundle", built.path)
    assert (code, err) == (0, "") and built.model_id in out and "native, aot" in out
    code, out, err = run_inkling("info", "--port", native_url, "--bundle", bundle.path)
    assert code == 1 and built.model_id in out
    assert err == (
        f"inkling: the board runs model {built.model_id}, but bundle first is model {bundle.model_id}: "
        "pass the board's own bundle, or flash firmware built from this one\n"
    )


def test_info_reports_a_silent_board_in_one_line(run_inkling: RunInkling) -> None:
    with fake_line(stays_silent) as url:
        code, out, err = run_inkling("info", "--port", url, "--timeout", "0.1")
    hint = "check that it is running and on this port"
    assert (code, out, err) == (1, "", f"inkling: {url}: the board does not respond: {hint}\n")


@pytest.mark.parametrize("url", ["socket://localhost", "socket://localhost:x", "socket://localhost:99999"])
def test_info_reports_a_socket_without_a_port_in_one_line(run_inkling: RunInkling, url: str) -> None:
    error = f"inkling: cannot open {url}: expected socket://HOST:PORT\n"
    assert run_inkling("info", "--port", url) == (1, "", error)


def test_info_reports_a_full_disk_in_one_line(native_url: str) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "host", "info", "--port", native_url]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        b"inkling: No space left on device: standard output, or a temporary file\n",
    )


@pytest.mark.parametrize("command", ["info", "devices", "bench"])
def test_commands_show_a_boards_texts_as_they_are(run_inkling: RunInkling, bundle: Bundle, command: str) -> None:
    """Markup, emoji codes and terminal codes: the target is text by a stranger."""
    info = make_info(target="[/]:cat:\x1b[2J\n", engine="[red]", model_number=bundle.number)

    def reply_to(received: Control) -> bytes:
        data = info.pack() if received.opcode == Opcode.INFO else BenchResult(1, 9, 9, 9, 9).pack()
        return reply(received.opcode | 0x80, received.request, data, 1, 0)

    board = ("--bundle", bundle.path, "--board", "esp32") if command == "bench" else ()
    with fake_line(answers(reply_to)) as url:
        code, out, err = run_inkling(command, "--port", url, *board)
    shown = "".join(line.strip(" │") for line in out.splitlines())
    assert (code, err) == (0, "")
    assert "[/]:cat:\\x1b[2J\\n" in shown and "[red]" in shown
