"""`inkling receive` on lines that fall silent, are shared or flap, and with consumers that block."""

import fcntl
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.cli import receive
from host.cli.output import Output
from host.cli.reports import notes as reports
from inkling.cli import main
from tests.host.cli.process import finish, start
from tests.support import ROOT
from tests.support.host import make_frame
from tests.support.lines import fake_line, sends, stays_silent
from wire.bundle import Bundle
from wire.control import ErrorCode, ErrorReply, Opcode, reply

GRACE_S = 4.0  # for the end of a process on a machine with other work; the process itself allows one second
PIPE_BYTES, LINE_BYTES = 4096, 200  # of the output, and more than a line of it has
IGNORING_HANGUP = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""
OWNING_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: descriptor of the far end, and the path of the port."""
    far, near = pty.openpty()
    tty.setraw(near)
    try:
        yield far, os.ttyname(near)
    finally:
        os.close(near)
        os.close(far)


def wait_for_output(process: subprocess.Popen[str]) -> str:
    """Return the first line of output: the port is open."""
    assert process.stdout
    return process.stdout.readline()


def ends_after(process: subprocess.Popen[str], number: signal.Signals) -> int:
    """Return the exit status after a signal. The process has to end in time, whatever blocks it."""
    begin = time.monotonic()
    process.send_signal(number)
    status = process.wait(60)
    assert time.monotonic() - begin < GRACE_S
    return status


def await_full(pipe: int) -> None:
    """Wait until a pipe of PIPE_BYTES no longer takes what its writer has, which are lines."""
    held, since = 0, time.monotonic()
    while held < PIPE_BYTES - LINE_BYTES or time.monotonic() - since < 3.0:
        now = int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
        if now != held:
            held, since = now, time.monotonic()
        time.sleep(0.05)


def test_receive_reopens_a_port_that_is_silent_for_too_long(bundle: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "readings.jsonl"
    with fake_line(stays_silent, sends(make_frame(bundle, 0), hold=True)) as url:
        silence = ("--max-silence", 1.5, "--reconnect", "--count", 1, "--json", target)
        code, out, err = finish(start("receive", "--port", url, "--bundle", bundle.path, *silence))
    lost = f"lost {url}: nothing received for 1.5 s"
    assert code == 0 and "clean" in out and out.count("listening on") == 2
    assert err.startswith(f"inkling: {lost}; waiting for it to come back\n")
    silent, gone, reading = map(json.loads, target.read_text().splitlines())
    assert (silent["event"], silent["port"]) == ("silent", url) and silent["seconds"] >= 1.5
    assert (gone["event"], gone["reason"]) == ("lost", lost) and reading["sequence"] == 0


def test_receive_ends_if_a_port_is_silent_for_too_long(bundle: Bundle) -> None:
    with fake_line(sends(make_frame(bundle, 0), hold=True)) as url:
        code, out, err = finish(start("receive", "--port", url, "--bundle", bundle.path, "--max-silence", 1))
    summary = "inkling: 1 frames, 0 lost, 0 duplicates, 0 late, 0 of unknown models, 0 bytes of garbage\n"
    assert (code, err) == (1, f"{summary}inkling: lost {url}: nothing received for 1 s\n") and "clean" in out


def test_receive_notes_a_silence_and_its_end(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A port that stays open, such as a camera's that sees no motion."""
    monkeypatch.setattr(receive, "SILENCE_NOTE_S", 0.8)
    target = tmp_path / "readings.jsonl"

    def late(connection: socket.socket) -> None:
        time.sleep(2.2)
        connection.sendall(make_frame(bundle, 0))
        stays_silent(connection)

    with fake_line(late) as url:
        arguments = ["receive", "--port", url, "--bundle", str(bundle.path), "--count", "1", "--json", str(target)]
        assert main(arguments) == 0
    events = [json.loads(text) for text in target.read_text().splitlines()]
    assert [event.get("event") for event in events] == ["silent", "silent", "heard", None]
    seconds = [event["seconds"] for event in events[:3]]
    assert seconds[0] >= 0.8 and 2 * seconds[0] <= seconds[1] + 0.1 <= seconds[2] + 0.1
    notes = capsys.readouterr().err.splitlines()
    assert notes[0] == f"inkling: nothing from {url}: check the board and the line (after 1 s of silence)"
    assert notes[2] == f"inkling: bytes from {url} again (after {seconds[2]:.0f} s of silence)"


def test_receive_notes_two_boards_with_one_number_once(bundle: Bundle) -> None:
    stream = b"".join(make_frame(bundle, n, device=4) + make_frame(bundle, 20 + n, device=4) for n in range(12))
    with fake_line(sends(stream, hold=True)) as url:
        code, _, err = finish(start("receive", "--port", url, "--bundle", bundle.path, "--count", 24))
    note, _summary = err.splitlines()
    assert code == 0 and note == (
        "inkling: two boards seem to send as device 4, so half of its frames are unexpected: build each with its own "
        "number (-D INKLING_DEVICE=N)"
    )


def test_receive_sums_up_floods_of_foreign_models_and_errors(bundle: Bundle, other: Bundle) -> None:
    frames = [make_frame(other, n, device=device) for device in range(40) for n in range(2)]
    errors = [
        reply(Opcode.ERROR, 0, ErrorReply(ErrorCode.CAMERA, 0).pack(), device, bundle.number) for device in range(30)
    ]
    with fake_line(sends(b"".join([*frames, *errors, make_frame(bundle, 0)]), hold=True)) as url:
        code, _, err = finish(start("receive", "--port", url, "--bundle", bundle.path, "--count", 1))
    *notes, summary = err.splitlines()
    assert code == 0 and "80 of unknown models" in summary
    unknown = [note for note in notes if "unknown model" in note]
    reported = [note for note in notes if "reported an error" in note]
    assert [len(unknown), len(reported)] == [4, 4]
    assert unknown[3].startswith("inkling: device 39 ") and unknown[3].endswith(" (36 similar notes left out)")
    assert reported[3].startswith("inkling: device 29 ") and reported[3].endswith(" (26 similar notes left out)")


def test_receive_sums_up_a_port_that_closes_at_once(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bridge that serves one client only accepts and closes."""
    monkeypatch.setattr(receive, "RETRY_S", 0.01)
    closes = [lambda connection: None] * 9
    with fake_line(*closes, sends(make_frame(bundle, 0), hold=True)) as url:
        assert main(["receive", "--port", url, "--bundle", str(bundle.path), "--count", "1", "--reconnect"]) == 0
    out, err = capsys.readouterr()
    *notes, _summary = err.splitlines()
    assert len(notes) == 4 and notes[3].endswith("; waiting for it to come back (5 similar notes left out)")
    assert out.count("listening on") == 4


def test_notes_are_allowed_again_after_some_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr(reports.time, "monotonic", lambda: now)
    notes = reports.Notes(Output())
    printed = [notes.add(f"note {n}") for n in range(5)]
    now += 60
    printed += [notes.add("note 5"), notes.add("note 6")]
    notes.flush()
    notes.flush()
    assert printed == [True] * 3 + [False] * 2 + [True, False]
    shown = ["note 0", "note 1", "note 2", "note 5 (2 similar notes left out)", "note 6"]
    assert capsys.readouterr().err.splitlines() == [f"inkling: {text}" for text in shown]


def test_receive_names_the_program_that_reads_the_port_too(bundle: Bundle, terminal: tuple[int, str]) -> None:
    """A monitor without a lock takes part of the bytes: no reason to end, but to say so."""
    far, path = terminal
    process = start("receive", "--port", path, "--bundle", bundle.path)
    wait_for_output(process)
    busy = "import os, sys\nfd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)\nwhile True: os.read(fd, 4096)"
    with subprocess.Popen([sys.executable, "-c", busy, path]) as monitor:
        os.set_blocking(far, False)
        deadline, note = time.monotonic() + 60, ""
        assert process.stderr
        os.set_blocking(process.stderr.fileno(), False)
        while not note and time.monotonic() < deadline and process.poll() is None:
            os.write(far, make_frame(bundle, 0))
            time.sleep(0.002)
            note = process.stderr.readline()
        monitor.kill()
    os.set_blocking(process.stderr.fileno(), True)
    assert process.poll() is None
    assert f"(process {monitor.pid})" in note  # beside this process, which has the port open, too
    assert f" also reads {path} and takes some of its bytes: close it" in note
    assert ends_after(process, signal.SIGTERM) == 0
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_receive_ends_in_time_if_nobody_reads_its_output(bundle: Bundle, number: signal.Signals) -> None:
    def endless(connection: socket.socket) -> None:
        n = 0
        while True:
            connection.sendall(make_frame(bundle, n))
            n += 1

    with fake_line(endless) as url:
        process = start("receive", "--port", url, "--bundle", bundle.path)
        wait_for_output(process)
        assert process.stdout
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        await_full(process.stdout.fileno())
        assert ends_after(process, number) == 130
    assert process.stdout and process.stderr and "Traceback" not in process.stderr.read()
    process.stdout.close()


def test_receive_ends_in_time_if_nobody_reads_a_fifo(bundle: Bundle, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    closed = threading.Event()

    def late(connection: socket.socket) -> None:
        closed.wait(60)
        connection.sendall(make_frame(bundle, 0))
        stays_silent(connection)

    with fake_line(late) as url:
        process = start("receive", "--port", url, "--bundle", bundle.path, "--json", tmp_path / "fifo")
        wait_for_output(process)
        os.close(reader)
        closed.set()
        time.sleep(1.0)  # the reading is about to be written
        assert ends_after(process, signal.SIGTERM) == 130
    process.communicate()


def test_receive_ends_in_time_if_its_decoder_does_not_return(bundle: Bundle, tmp_path: Path) -> None:
    """Python runs no handler while foreign code runs."""
    (tmp_path / "spin.c").write_text("void spin(void) { for (volatile int i = 0;; i++) {} }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "spin.so", tmp_path / "spin.c"], check=True)
    program = f"""
import ctypes, sys
from host.classify.classifier import Classifier
from inkling.cli import main
def read(*arguments):
    print("decoding", flush=True)
    ctypes.CDLL({str(tmp_path / "spin.so")!r}).spin()
Classifier.read = read
sys.exit(main())
"""
    with fake_line(sends(make_frame(bundle, 0), hold=True)) as url:
        command = [sys.executable, "-c", program, "receive", "--port", url, "--bundle", str(bundle.path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        while "decoding" not in wait_for_output(process):
            pass
        assert ends_after(process, signal.SIGINT) == 130
    process.communicate()


def test_receive_ends_with_its_terminal(bundle: Bundle) -> None:
    """The terminal is gone when the summary would be printed there."""
    far, near = pty.openpty()
    with fake_line(sends(make_frame(bundle, 0), hold=True)) as url:
        command = [sys.executable, "-m", "host", "receive", "--port", url, "--bundle", str(bundle.path)]
        process = subprocess.Popen(
            [sys.executable, "-c", OWNING_TERMINAL, *command],
            stdin=near, stdout=near, stderr=near, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
        os.close(near)
        seen = b""
        while b"clean" not in seen:
            seen += os.read(far, 4096)
        begin = time.monotonic()
        os.close(far)  # SIGHUP
        assert process.wait(60) in (0, 1, 120) and time.monotonic() - begin < GRACE_S


def test_receive_goes_on_without_its_terminal_under_nohup(bundle: Bundle) -> None:
    with fake_line(sends(make_frame(bundle, 0), hold=True)) as url:
        command = [sys.executable, "-c", IGNORING_HANGUP, sys.executable, "-m", "host"]
        command += ["receive", "--port", url, "--bundle", str(bundle.path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        wait_for_output(process)
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        assert ends_after(process, signal.SIGTERM) == 0
        process.communicate()


def test_receive_reconnect_does_not_wait_for_what_cannot_be(bundle: Bundle, terminal: tuple[int, str]) -> None:
    for port, more in (("foo://x", ()), ("socket://127.0.0.1", ()), (terminal[1], ("--baud", 3_000_000_000))):
        process = start("receive", "--port", port, "--bundle", bundle.path, "--reconnect", *more)
        code, _, err = finish(process)
        assert code == 1 and err.startswith(f"inkling: cannot open {port}: ") and err.count("\n") == 1
