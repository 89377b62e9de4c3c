"""The native process: its ports, start and end, and random garbage under the sanitizers."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from tests.support.firmware import REPLY_SECONDS, RunningBoard, bundle_path, program
from wire.bundle import load
from wire.control import REPLY_BIT, Opcode, command, run_data
from wire.frame import SYNC

pytestmark = pytest.mark.emulated

INFO_REPLY_BYTES = 4 + 8 + 4 + 71 + 4


@contextmanager
def process(*arguments: str, environment: str = "native") -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [program(environment), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def port_of(child: subprocess.Popen[bytes]) -> str:
    """Return the URL that the process prints."""
    assert child.stdout
    word, url = child.stdout.readline().decode().split()
    assert word == "port"
    return url


def test_native_offers_a_pty_by_default_that_outlives_its_hosts() -> None:
    with process() as child:
        path = port_of(child)
        assert path.startswith("/dev/")
        for _ in range(3):
            with RunningBoard(path) as board:
                assert board.info().target == "native"
        child.terminate()
        assert child.wait(REPLY_SECONDS) == 0


def test_pty_passes_every_byte_value() -> None:
    with process("--port", "pty") as child, RunningBoard(port_of(child)) as board:
        image = np.resize(np.arange(256, dtype=np.uint8), board.bundle.input_shape)
        first, _ = board.run(image.tobytes())
        again, _ = board.run(image.tobytes())
        assert first[12:-2] == again[12:-2]


def test_pty_that_is_not_read_does_not_block_the_process() -> None:
    with process() as child:
        path = port_of(child)
        unread = os.open(path, os.O_WRONLY | os.O_NOCTTY)
        for _ in range(300):  # 300 replies of 91 bytes: more than a terminal keeps
            os.write(unread, command(Opcode.INFO, 1))
        os.close(unread)
        child.terminate()
        assert child.wait(REPLY_SECONDS) == 0


def test_tcp_port_survives_peers_that_leave_in_the_middle_of_a_command() -> None:
    with process("--port", "tcp:0") as child:
        url = port_of(child)
        for _ in range(3):
            with RunningBoard(url) as board:
                assert board.info().target == "native"
                board.send(board.command(Opcode.RUN, bytes(100))[:50])
            time.sleep(1.2)  # the truncated command times out
            with RunningBoard(url) as board:
                board.send(board.command(Opcode.INFO))
                assert board.reply().request == board.request  # on a loaded machine, after the error TIMEOUT
        assert child.poll() is None


def test_stdio_process_ends_with_its_input() -> None:
    with process("--port", "stdio") as child:
        output, errors = child.communicate(command(Opcode.INFO, 9) * 2, timeout=REPLY_SECONDS)
        assert child.returncode == 0
        assert len(output) == 2 * INFO_REPLY_BYTES
        assert output.startswith(SYNC)
        assert errors == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_process_cleanly(number: int) -> None:
    with process("--port", "tcp:0") as child:
        port_of(child)
        child.send_signal(number)
        assert child.wait(REPLY_SECONDS) == 0


def test_signal_ends_the_process_in_the_middle_of_a_flood() -> None:
    with open("/dev/zero", "rb") as flood:
        child = subprocess.Popen([program("native"), "--port", "stdio"], stdin=flood, stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.3)
            child.terminate()
            assert child.wait(REPLY_SECONDS) == 0
        finally:
            child.kill()
            child.wait()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--port", "usb"], "inkling: --port is pty, tcp:PORT or stdio, not usb"),
        (["--port", "tcp:x"], "inkling: not a TCP port: x"),
        (["--port", "tcp:99999"], "inkling: not a TCP port: 99999"),
        (["--help"], "usage: "),
        (["--port"], "usage: "),
        (["--battery", "65536"], "usage: "),
        (["--battery", "-1"], "usage: "),
        (["--battery", "3.7"], "usage: "),
        (["--batter", "3"], "usage: "),
    ],
)
def test_wrong_arguments_are_reported_in_one_line(arguments: list[str], line: str) -> None:
    with process(*arguments) as child:
        output, errors = child.communicate(timeout=REPLY_SECONDS)
        assert child.returncode != 0
        assert output == b""
        assert errors.decode().startswith(line)
        assert errors.count(b"\n") == 1


def test_port_in_use_is_reported_in_one_line() -> None:
    with process("--port", "tcp:0") as child:
        taken = port_of(child).rsplit(":", 1)[1]
        with process("--port", f"tcp:{taken}") as second:
            _, errors = second.communicate(timeout=REPLY_SECONDS)
            assert second.returncode == 1
            assert errors.startswith(b"inkling: cannot listen: ") and errors.count(b"\n") == 1


@pytest.mark.parametrize("seed", range(4))
def test_random_garbage_is_harmless_under_the_sanitizers(seed: int) -> None:
    """Noise, sync words and damaged commands cause no report and no hang; a valid command at the end works."""
    noise = random.Random(seed)
    bundle = load(bundle_path())
    image = np.load(bundle.golden_path)["images"][0].tobytes()
    stream = bytearray()
    for _ in range(60):
        kind = noise.randrange(4)
        if kind == 0:
            stream += noise.randbytes(noise.randrange(400))
        elif kind == 1:
            stream += SYNC + noise.randbytes(noise.randrange(40))
        else:
            broken = bytearray(
                command(noise.choice((0, 1, 2, 3, 7, 77)), noise.randrange(256), noise.randbytes(noise.randrange(9)))
                if kind == 2
                else command(Opcode.RUN, 3, run_data(noise.randrange(20), image, True))
            )
            for _ in range(noise.randrange(3)):
                broken[noise.randrange(len(broken))] ^= 1 << noise.randrange(8)
            stream += broken[: noise.randrange(len(broken) + 1)] if noise.random() < 0.2 else broken
    stream += bytes(70_000)  # ends a command with a damaged length field
    with process("--port", "stdio", environment="native_sanitized") as child:
        output, errors = child.communicate(bytes(stream) + command(Opcode.INFO, 200), timeout=REPLY_SECONDS)
    assert errors == b""
    assert child.returncode == 0
    assert output[-INFO_REPLY_BYTES:].startswith(SYNC)
    assert output[-INFO_REPLY_BYTES:][14:16] == bytes((Opcode.INFO | REPLY_BIT, 200))
