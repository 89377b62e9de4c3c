"""Tests of the statistics of the proxy, on a terminal and at the end."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading

import pytest
from rich.console import Console

from channel_sim import BitFlips, ByteLoss, FrameLoss
from channel_sim.cli.output import View, summary
from channel_sim.live.proxy import Proxy
from tests.support.channel import ROOT, connect, read, until
from tests.support.host import make_bundle, make_frame
from wire.bundle import Bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("show") / "model")


def shown(view: View) -> dict[str, list[str]]:
    """Return the table's rows by their first cell."""
    console = Console(width=100, no_color=True)
    with console.capture() as capture:
        console.print(view.table())
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in capture.get().splitlines() if "│" in row]
    return {row[0]: row[1:] for row in rows} | {"all": [capture.get()]}


def test_view_table_has_statistics(bundle: Bundle) -> None:
    with Proxy("tcp://127.0.0.1:0", FrameLoss(1.0), downlink=ByteLoss(1.0), bundles=[bundle], reconnect=True) as proxy:
        view = View(proxy)
        assert "waiting for the board and the host" in shown(view)["all"][0] and "frames" not in shown(view)
        board, host = connect(proxy.board.url), connect(proxy.url)
        until(lambda: proxy.host.fd and proxy.board.fd)
        assert "waiting" not in shown(view)["all"][0]
        board.sendall(make_frame(bundle, 1))
        host.sendall(b"command")
        until(lambda: proxy.statistics.frames and proxy.bytes_down)
        rows = shown(view)
        assert rows["bytes in"] == rows["bytes lost"] == ["62", "7"]
        assert (rows["frames"], rows["lost"], rows["damaged"]) == (["1", ""], ["1", ""], ["0", ""])
        board.close()
        until(lambda: proxy.statistics.resets)
        assert shown(view)["resets"] == ["1", ""] and "waiting for the board" in shown(view)["all"][0]


def test_summary_lists_all_counts(bundle: Bundle) -> None:
    with Proxy("tcp://127.0.0.1:0", FrameLoss(0.0), downlink=BitFlips(0.5), bundles=[bundle], reconnect=True) as proxy:
        assert summary(proxy) == "uplink 0 bytes, 0 bits flipped, measured BER 0; downlink 0 bytes"
        board, host = connect(proxy.board.url), connect(proxy.url)
        until(lambda: proxy.host.fd and proxy.board.fd)
        board.sendall(make_frame(bundle, 1) + make_frame(bundle, 2)[:40])
        host.sendall(b"x")
        read(board, 1)
        board.close()
        read(host, 102)
        flips = proxy.downlink.bits_flipped
        assert summary(proxy) == (
            "uplink 102 bytes, 0 bits flipped, measured BER 0; 1 frames, 1 truncated by the board; 1 reset; "
            f"downlink 1 bytes, {flips} bits flipped, measured BER {flips / 8:.3g}"
        )


def test_proxy_command_shows_table_on_terminal_then_summary() -> None:
    terminal, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "channel_sim", "proxy", "--board", "pty", "--listen", "pty"],
        stdout=other, stderr=other, stdin=other, cwd=ROOT,
    )  # fmt: skip
    os.close(other)
    output = bytearray()

    def listen() -> None:
        while True:
            try:
                output.extend(os.read(terminal, 4096))
            except OSError:  # the process has ended
                return

    reader = threading.Thread(target=listen)
    reader.start()
    until(lambda: b"bytes per second" in output)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    reader.join(60)
    os.close(terminal)
    assert output.endswith(b"uplink 0 bytes, 0 bits flipped, measured BER 0; downlink 0 bytes\r\n")
