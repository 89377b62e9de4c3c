"""Tests of the live proxy, between an echoing TCP server (board) and pyserial (host)."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import serial

from channel_sim import BitFlips, ByteLoss, Compose, Stream, Truncation
from channel_sim.live.proxy import QUIET_S, Proxy, ProxyError
from tests.support import ROOT

DATA = np.random.default_rng(0).bytes(50_000)


class Echo:
    """Echoes and keeps all bytes, and disconnects on request."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self.server.getsockname()[1]}"
        self.received = bytearray()
        self.line: socket.socket | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                self.line, _ = self.server.accept()
                self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while data := self.line.recv(4096):
                    self.received += data
                    self.line.sendall(data)
            except OSError:
                if self.server.fileno() < 0:
                    return

    def hang_up(self) -> None:
        while self.line is None:  # the client is connected before accept() returns
            time.sleep(0.001)
        self.line.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def echo() -> Iterator[Echo]:
    board = Echo()
    yield board
    board.server.shutdown(socket.SHUT_RDWR)
    board.server.close()


def exchange(port: serial.SerialBase, data: bytes) -> bytes:
    """Write from another thread, so that a full pty cannot block both ends."""
    writer = threading.Thread(target=port.write, args=(data,))
    writer.start()
    received = port.read(len(data))
    writer.join()
    return received


@pytest.mark.parametrize("listen_on", ["tcp://127.0.0.1:0", "pty"])
def test_proxy_corrupts_uplink_only(echo: Echo, listen_on: str) -> None:
    with Proxy(echo.url, BitFlips(0.05), seed=3, listen_on=listen_on) as proxy:
        with serial.serial_for_url(proxy.url, timeout=60) as port:
            received = exchange(port, DATA)
        assert bytes(echo.received) == DATA
        assert received == Stream(BitFlips(0.05), 3).feed(DATA)
        assert proxy.bytes_down == proxy.statistics.bytes_in == len(DATA)
        assert proxy.statistics.ber == pytest.approx(0.05, abs=0.002)
        assert proxy.failure is None


def test_proxy_damage_continues_after_host_returns(echo: Echo) -> None:
    with Proxy(echo.url, BitFlips(0.1), seed=4) as proxy:
        received = b""
        for part in (DATA[:777], DATA[777:3000], DATA[3000:5000]):
            with serial.serial_for_url(proxy.url, timeout=60) as port:
                received += exchange(port, part)
    assert received == Stream(BitFlips(0.1), 4).feed(DATA[:5000])


def test_stream_counts_lost_bytes(echo: Echo) -> None:
    channel = Compose(BitFlips(0.01), ByteLoss(0.02))
    expected = Stream(channel, 5).feed(DATA)
    with Proxy(echo.url, channel, seed=5) as proxy, serial.serial_for_url(proxy.url, timeout=60) as port:
        port.write(DATA)
        assert port.read(len(expected)) == expected
        assert proxy.statistics.bytes_lost == len(DATA) - len(expected) > 0


def test_proxy_passes_single_byte_at_once(echo: Echo) -> None:
    with Proxy(echo.url, BitFlips(0.0)) as proxy, serial.serial_for_url(proxy.url, timeout=60) as port:
        times = []
        for _ in range(50):
            start = time.perf_counter()
            port.write(b"x")
            assert port.read(1) == b"x"
            times.append(time.perf_counter() - start)
    # A delayed acknowledgement would cost 40 ms and a polling sleep its own length, every time.
    assert sorted(times)[len(times) // 2] < QUIET_S / 2, "the proxy waits for more bytes"


def test_proxy_reports_board_that_disconnects(echo: Echo) -> None:
    with Proxy(echo.url, BitFlips(0.0)) as proxy, serial.serial_for_url(proxy.url, timeout=60) as port:
        assert exchange(port, b"hello") == b"hello"
        echo.hang_up()
        with pytest.raises(serial.SerialException, match="disconnected"):
            port.read(1)
        assert proxy.wait(60)
        assert proxy.failure == f"lost the board at {echo.url}: the line was closed"


def test_proxy_command_missing_board_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"socket://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ProxyError, match=f"cannot open the board at {url}: Connection refused"):
        Proxy(url, BitFlips(0.0))


def test_open_endpoint_refuses_unusable_endpoints(echo: Echo) -> None:
    with pytest.raises(ProxyError, match="cannot open the host at udp://localhost:1: invalid URL"):
        Proxy(echo.url, BitFlips(0.0), listen_on="udp://localhost:1")
    with pytest.raises(ProxyError, match="cannot wait for bytes from loop://"):
        Proxy("loop://", BitFlips(0.0))
    with pytest.raises(ValueError, match="needs whole frames"):
        Proxy(echo.url, Truncation(0.1))


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "channel_sim", "proxy", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_proxy_command_ends_cleanly_on_signal(echo: Echo, name: signal.Signals) -> None:
    process = start("--board", echo.url, "--listen", "tcp://127.0.0.1:0", "--ber", "0.1", "--seed", "6")
    assert process.stdout
    url = process.stdout.readline().split()[-1]
    with serial.serial_for_url(url, timeout=60) as port:
        received = exchange(port, DATA)
    assert received == Stream(BitFlips(0.1), 6).feed(DATA)
    os.kill(process.pid, name)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("uplink 50000 bytes, ") and out.endswith("; downlink 50000 bytes\n")
    assert "measured BER 0.1" in out or "measured BER 0.09" in out


def test_proxy_command_continues_without_reader(echo: Echo) -> None:
    process = start("--board", echo.url, "--listen", "tcp://127.0.0.1:0")
    assert process.stdout and process.stderr
    url = process.stdout.readline().split()[-1]
    process.stdout.close()
    with serial.serial_for_url(url, timeout=60) as port:
        assert exchange(port, DATA) == DATA
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(60) == 0 and process.stderr.read() == ""


def test_proxy_command_reports_lost_board(echo: Echo) -> None:
    process = start("--board", echo.url, "--listen", "pty", "--byte-loss", "0.1")
    assert process.stdout and process.stdout.readline().startswith("listening on /dev/")
    echo.hang_up()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == f"inkling: lost the board at {echo.url}: the line was closed\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--board", "/dev/no-such-port", "--listen", "pty"], "No such file or directory"),
        (["--board", "/dev/no-such-port", "--listen", "pty", "--ber", "0.7"], "lies between 0 and 0.5"),
        (["--board", "socket://localhost", "--listen", "pty"], "expected socket://HOST:PORT"),
    ],
)
def test_command_mistakes_are_one_line(arguments: list[str], message: str) -> None:
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and out == ""
    assert err.count("\n") == 1 and message in err
