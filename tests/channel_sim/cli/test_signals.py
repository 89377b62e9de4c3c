"""Tests of signals: `inkling sim` ends within a second, whatever blocks it."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.channel import connect, printed_url, server, start

GRACE_S = 4.0  # for the end of a process on a machine with other work; the process itself allows one second


def ends_after(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Return exit status, output and errors after a signal. The process has to end in time."""
    begin = time.monotonic()
    process.send_signal(number)
    status = process.wait(60)
    assert time.monotonic() - begin < GRACE_S
    return status, *process.communicate(timeout=60)


@pytest.mark.parametrize("command", ["proxy", "air"])
def test_command_ends_cleanly_when_its_terminal_closes(command: str) -> None:
    arguments = {"proxy": ("--board", "pty", "--listen", "pty"), "air": ("lora:snr=0",)}[command]
    process = start(command, *arguments)
    printed_url(process)
    status, _, err = ends_after(process, signal.SIGHUP)
    assert (status, err) == (0, "")


def test_replay_ends_when_its_terminal_closes(tmp_path: Path) -> None:
    """It waits for a host."""
    header = {"channel": [], "downlink_channel": [], "seed": 0, "started": ""}
    (tmp_path / "trace.jsonl").write_text(str({"inkling_recording": 1, **header}).replace("'", '"') + "\n")
    process = start("replay", tmp_path / "trace.jsonl", "--listen", "tcp://127.0.0.1:0")
    printed_url(process)
    assert ends_after(process, signal.SIGHUP)[0] == 130


def test_proxy_ends_in_time_while_it_connects() -> None:
    """A listener whose queue is full answers no attempt."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for line in waiting:
            line.setblocking(False)
            line.connect_ex(address)
        process = start(
            "proxy", "--board", f"socket://127.0.0.1:{address[1]}", "--listen", "tcp://127.0.0.1:0", "--reconnect"
        )
        printed_url(process)
        time.sleep(0.5)
        _, out, err = ends_after(process, signal.SIGTERM)
        assert out.startswith("uplink 0 bytes")
        notice = f"cannot open the board at socket://127.0.0.1:{address[1]}: timed out; waiting for it"
        assert err == f"inkling: {notice}\n"
        for line in waiting:
            line.close()


def test_proxy_ends_in_time_if_nobody_reads_its_recording(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    process = start(
        "proxy", "--board", "tcp://127.0.0.1:0", "--listen", "tcp://127.0.0.1:0", "--record", tmp_path / "fifo"
    )
    _, board = printed_url(process), connect(printed_url(process))
    board.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while True:
            board.sendall(bytes(100_000))
    assert ends_after(process, signal.SIGINT)[0] == 130
    board.close()
    os.close(reader)


def test_proxy_sums_up_a_board_that_is_lost_over_and_over() -> None:
    port, url = server()
    process = start("proxy", "--board", url, "--listen", "tcp://127.0.0.1:0", "--reconnect")
    printed_url(process)
    for _ in range(6):
        port.accept()[0].close()
    board = port.accept()[0]
    status, out, err = ends_after(process, signal.SIGINT)
    board.close()
    notices = err.splitlines()
    assert status == 0 and "6 resets" in out and 1 <= len(notices) <= 2
    assert all(notice.startswith(f"inkling: lost the board at {url}: ") for notice in notices)
    assert notices[-1].endswith(" times)")
