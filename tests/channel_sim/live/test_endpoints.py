"""Tests of endpoints: every kind on either side of the proxy; endpoints that disappear and return."""

import os
import signal
import socket
import struct
import termios
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import serial

from channel_sim import BitFlips, ByteLoss, FrameLoss, LoRa, Stream
from channel_sim.live.proxy import QUIET_S, Proxy, ProxyError
from channel_sim.live.recording import Recorder, Recording
from tests.support.channel import Device, connect, printed_url, read, read_all, server, start, until
from tests.support.host import make_bundle, make_frame
from wire.bundle import Bundle

DATA = np.random.default_rng(1).bytes(3000)


def has_resets(proxy: Proxy, count: int) -> bool:
    return proxy.statistics.resets == count


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("ends") / "model")


def reset(line: socket.socket) -> None:
    """Abort a connection with a TCP reset, as a crash does."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def test_proxy_between_two_listeners() -> None:
    with Proxy("tcp://127.0.0.1:0", BitFlips(0.1), 2) as proxy:
        board, host = connect(proxy.board.url), connect(proxy.url)
        until(lambda: proxy.host.fd)
        board.sendall(DATA)
        assert read(host, len(DATA)) == Stream(BitFlips(0.1), 2).feed(DATA)
        host.sendall(DATA)
        assert read(board, len(DATA)) == DATA
        board.close()
        assert proxy.wait(60)
        assert proxy.failure == f"lost the board at {proxy.board.url}: the line was closed"


def test_proxy_between_two_sockets() -> None:
    (board_port, board_url), (host_port, host_url) = server(), server()
    with Proxy(board_url, BitFlips(0.1), 2, host_url) as proxy:
        board, host = board_port.accept()[0], host_port.accept()[0]
        board.sendall(DATA)
        assert read(host, len(DATA)) == Stream(BitFlips(0.1), 2).feed(DATA)
        reset(host)
        assert proxy.wait(60) and proxy.failure == f"lost the host at {host_url}: Connection reset by peer"


def test_proxy_between_two_terminals() -> None:
    with (
        Proxy("pty", BitFlips(0.1), 2, "pty") as proxy,
        serial.Serial(proxy.board.url, timeout=60) as board,
        serial.Serial(proxy.url, timeout=60) as host,
    ):
        board.write(DATA)
        assert host.read(len(DATA)) == Stream(BitFlips(0.1), 2).feed(DATA)
        host.write(DATA)
        assert board.read(len(DATA)) == DATA


def test_proxy_between_two_devices(tmp_path: Path) -> None:
    board, host = Device(tmp_path / "ttyBoard"), Device(tmp_path / "ttyHost")
    board.plug()
    host.plug()
    with Proxy(str(board.path), BitFlips(0.1), 2, str(host.path)) as proxy:
        assert termios.tcgetattr(board.fd)[4] == termios.B115200
        os.write(board.fd, DATA)
        assert host.read(len(DATA)) == Stream(BitFlips(0.1), 2).feed(DATA)
        os.write(host.fd, DATA)
        assert board.read(len(DATA)) == DATA
        board.unplug()
        assert proxy.wait(60) and str(proxy.failure).startswith(f"lost the board at {board.path}: ")


def test_proxy_downlink_has_its_own_channel() -> None:
    expected = Stream(ByteLoss(0.1), (2, 1)).feed(DATA)
    with Proxy("tcp://127.0.0.1:0", BitFlips(0.1), 2, downlink=ByteLoss(0.1)) as proxy:
        board, host = connect(proxy.board.url), connect(proxy.url)
        until(lambda: proxy.board.fd)
        host.sendall(DATA)
        assert read(board, len(expected)) == expected
        assert (proxy.downlink.bytes_in, proxy.downlink.bytes_out) == (len(DATA), len(expected))
        assert proxy.downlink.bytes_lost == len(DATA) - len(expected) > 0 == proxy.statistics.bytes_in


def test_proxy_refuses_frame_channel_on_downlink(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="a downlink carries no feature frames"):
        Proxy("pty", BitFlips(0.0), downlink=FrameLoss(0.1), bundles=[bundle])


@pytest.mark.parametrize("politely", [True, False])
def test_proxy_reopens_board_and_continues_damage(politely: bool, tmp_path: Path) -> None:
    port, url = server()
    with Proxy(url, BitFlips(0.1), 3, reconnect=True) as proxy:
        proxy.recorder = Recorder(tmp_path / "trace.jsonl", ["bsc:ber=0.1"], [], 3)
        host = connect(proxy.url)
        until(lambda: proxy.host.fd)
        received = b""
        for turn in range(3):
            board = port.accept()[0]
            assert proxy.statistics.resets == turn
            board.sendall(DATA[turn * 1000 : turn * 1000 + 1000])
            received += read(host, 1000)
            host.sendall(b"?")
            assert read(board, 1) == b"?"
            board.close() if politely else reset(board)
        until(lambda: proxy.statistics.resets == 3)
        assert proxy.last_reset.startswith(f"lost the board at {url}: ") and proxy.failure is None
    assert received == Stream(BitFlips(0.1), 3).feed(DATA)
    assert b"".join(Recording(tmp_path / "trace.jsonl").uplink("received")) == DATA
    assert b"".join(Recording(tmp_path / "trace.jsonl").uplink("sent")) == received


def test_tcp_endpoint_accepts_a_board_again() -> None:
    with Proxy("tcp://127.0.0.1:0", BitFlips(0.1), 3, reconnect=True) as proxy:
        host, received = connect(proxy.url), b""
        until(lambda: proxy.host.fd)
        for turn in range(3):
            board = connect(proxy.board.url)
            board.sendall(DATA[turn * 1000 : turn * 1000 + 1000])
            received += read(host, 1000)
            reset(board)
            until(partial(has_resets, proxy, turn + 1))
    assert received == Stream(BitFlips(0.1), 3).feed(DATA)


@pytest.mark.parametrize("politely", [True, False])
def test_tcp_endpoint_host_disconnects_and_returns(politely: bool) -> None:
    with Proxy("tcp://127.0.0.1:0", BitFlips(0.1), 3) as proxy:
        board, received = connect(proxy.board.url), b""
        for turn in range(3):
            host = connect(proxy.url)
            until(lambda: proxy.host.fd)
            board.sendall(DATA[turn * 1000 : turn * 1000 + 1000])
            received += read(host, 1000)
            host.close() if politely else reset(host)
            until(lambda: proxy.host.fd is None)
        board.sendall(b"dropped: no host.")
        until(lambda: proxy.statistics.bytes_dropped == 17)
        assert proxy.failure is None and proxy.statistics.resets == 0
    assert received == Stream(BitFlips(0.1), 3).feed(DATA)


def test_socket_endpoint_reconnects_to_host() -> None:
    port, url = server()
    with Proxy("tcp://127.0.0.1:0", BitFlips(0.1), 3, url, reconnect=True) as proxy:
        board, received = connect(proxy.board.url), b""
        for turn in range(3):
            host = port.accept()[0]
            until(lambda: proxy.host.fd)
            board.sendall(DATA[turn * 1000 : turn * 1000 + 1000])
            received += read(host, 1000)
            reset(host)
            until(partial(has_resets, proxy, turn + 1))
    assert received == Stream(BitFlips(0.1), 3).feed(DATA)


def test_device_endpoint_missing_at_first_and_unplugged(tmp_path: Path) -> None:
    board, received = Device(tmp_path / "ttyBoard"), b""
    with Proxy(str(board.path), BitFlips(0.1), 3, reconnect=True) as proxy:
        host = connect(proxy.url)
        until(lambda: proxy.host.fd)
        for turn in range(3):
            board.plug()
            until(lambda: proxy.board.fd)
            os.write(board.fd, DATA[turn * 1000 : turn * 1000 + 1000])
            received += read(host, 1000)
            board.unplug()
            until(partial(has_resets, proxy, turn + 1))
    assert received == Stream(BitFlips(0.1), 3).feed(DATA)


def test_endpoint_port_in_use_is_not_waited_for() -> None:
    port, url = server()
    with pytest.raises(ProxyError, match=r"cannot open the host at tcp://127\.0\.0\.1:\d+: Address already in use"):
        Proxy("pty", BitFlips(0.0), listen_on=url.replace("socket", "tcp"), reconnect=True)
    port.close()


def test_framer_flushes_frame_cut_by_reset(bundle: Bundle) -> None:
    first, second = make_frame(bundle, 1), make_frame(bundle, 2)
    with Proxy("tcp://127.0.0.1:0", FrameLoss(0.0), bundles=[bundle], reconnect=True) as proxy:
        host = connect(proxy.url)
        until(lambda: proxy.host.fd)
        board = connect(proxy.board.url)
        board.sendall(first[:40])
        until(lambda: proxy.statistics.bytes_in == 40)
        assert proxy.statistics.bytes_out == 0
        board.close()
        assert read(host, 40) == first[:40]
        connect(proxy.board.url).sendall(second)
        assert read(host, len(second)) == second
        assert (proxy.statistics.frames_cut, proxy.statistics.frames) == (1, 1)


def test_proxy_passes_stalled_frame_after_silence(bundle: Bundle) -> None:
    frame = make_frame(bundle, 1)
    with Proxy("tcp://127.0.0.1:0", FrameLoss(0.0), bundles=[bundle]) as proxy:
        host, board = connect(proxy.url), connect(proxy.board.url)
        until(lambda: proxy.host.fd)
        board.sendall(frame[:40])
        host.settimeout(QUIET_S + 10)
        assert read(host, 40) == frame[:40]
        board.sendall(frame)
        assert read(host, len(frame)) == frame
        assert (proxy.statistics.frames_cut, proxy.statistics.frames) == (1, 1)


def test_stream_frame_damage_is_independent_of_cuts(bundle: Bundle) -> None:
    stream = b"".join(make_frame(bundle, n) for n in range(300))
    expected = Stream(FrameLoss(0.3), 5, [bundle]).feed(stream)
    with Proxy("tcp://127.0.0.1:0", FrameLoss(0.3), 5, bundles=[bundle]) as proxy:
        host, board = connect(proxy.url), connect(proxy.board.url)
        until(lambda: proxy.host.fd)
        for first in range(0, len(stream), 101):
            board.sendall(stream[first : first + 101])
            until(lambda: proxy.statistics.bytes_in)  # so that it takes some time
        board.close()
        assert read_all(host) == expected  # all of it, although the board has gone
        statistics = proxy.statistics
        assert (statistics.frames, statistics.frames_damaged) == (300, 0)
        assert statistics.frames_lost * len(make_frame(bundle, 0)) == len(stream) - len(expected)
        assert statistics.rate == statistics.bytes_in / statistics.seconds > 0


def test_proxy_ends_on_frame_that_channel_cannot_carry(tmp_path: Path) -> None:
    big = make_bundle(tmp_path / "big", n_symbols=1000)
    with Proxy("tcp://127.0.0.1:0", LoRa(10.0), bundles=[big]) as proxy:
        connect(proxy.board.url).sendall(make_frame(big, 1))
        assert proxy.wait(60) and proxy.failure == "a LoRa payload has 1 to 255 bytes, not 385"


def test_proxy_command_waits_for_board(bundle: Bundle) -> None:
    port, url = server()
    process = start(
        "proxy", "--board", url, "--host", "tcp://127.0.0.1:0", "--reconnect", "--bundle", bundle.path,
        "--channel", "frame-loss:p=0", "--channel", "bsc:ber=0", "--downlink-channel", "byte-loss:p=0",
    )  # fmt: skip
    host, frame = connect(printed_url(process)), make_frame(bundle, 1)
    for _ in range(2):
        board = port.accept()[0]
        host.sendall(b"?")
        assert read(board, 1) == b"?"
        board.sendall(frame)
        assert read(host, len(frame)) == frame
        board.close()
    board = port.accept()[0]
    os.kill(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    notice = f"inkling: lost the board at {url}: the line was closed; waiting for it to come back"
    assert {line.removesuffix(" (2 times)") for line in err.splitlines()} == {notice}
    assert out.startswith(f"uplink {2 * len(frame)} bytes, 0 bits flipped, measured BER 0; 2 frames; ")
    assert out.endswith("bytes/s; 2 resets; downlink 2 bytes\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--channel", "lora:snr=-9"], "LoRa needs whole frames: give the bundle of the board's model"),
        (["--channel", "rain:mm=3"], "unknown channel 'rain'; known: "),
        (["--channel", "lora:snr=-9", "--bundle", "/no/such"], "bundle /no/such: no such folder"),
        (["--downlink-channel", "truncation:p=0.1"], "a downlink carries no feature frames: use a channel that"),
        (["--board", "hwgrep://["], "cannot open the board at hwgrep://[: unterminated character set"),
        (["--record", "/no/such/file"], "cannot record to /no/such/file: No such file or directory"),
        (["--record", "/dev/full"], "cannot record to /dev/full: No space left on device"),
    ],
)
def test_command_mistakes_are_one_line(arguments: list[str], message: str) -> None:
    process = start("proxy", "--board", "pty", "--listen", "pty", *arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and out == ""
    assert err.count("\n") == 1 and message in err
