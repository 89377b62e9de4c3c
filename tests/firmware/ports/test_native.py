"""The native process: its ports, how it starts and ends, and random garbage under the sanitizers."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from tests.support.firmware import RunningBoard, bundle_path, program
from wire.bundle import load
from wire.control import Opcode, command, run_data
from wire.frame import SYNC

INFO_REPLY_BYTES = 4 + 8 + 4 + 67 + 4


@contextmanager
def process(*arguments: str, environment: str = "native") -> Iterator[subprocess.Popen]:
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


def port_of(child: subprocess.Popen) -> str:
    word, url = child.stdout.readline().decode().split()
    assert word == "port"
    return url


def test_pty_is_the_default_and_outlives_its_hosts() -> None:
    with process() as child:
        path = port_of(child)
        assert path.startswith("/dev/")
        for _ in range(3):
            board = RunningBoard(path)
            assert board.info().target == "native"
            board.line.close()
        child.terminate()
        assert child.wait(timeout=5) == 0


def test_pty_passes_every_byte() -> None:
    with process("--port", "pty") as child:
        board = RunningBoard(port_of(child))
        image = np.resize(np.arange(256, dtype=np.uint8), board.bundle.input_shape)
        first, _ = board.run(image.tobytes())
        again, _ = board.run(image.tobytes())
        assert first[12:-2] == again[12:-2]


def test_a_pty_that_nobody_reads_holds_nothing_up() -> None:
    with process() as child:
        path = port_of(child)
        deaf = os.open(path, os.O_WRONLY | os.O_NOCTTY)
        for _ in range(300):  # 300 replies of 87 bytes: more than a terminal keeps
            os.write(deaf, command(Opcode.INFO, 1))
        os.close(deaf)
        child.terminate()
        assert child.wait(timeout=5) == 0


def test_tcp_stays_up_when_its_peer_leaves_in_the_middle() -> None:
    with process("--port", "tcp:0") as child:
        url = port_of(child)
        for _ in range(3):
            board = RunningBoard(url)
            assert board.info().target == "native"
            board.send(board.command(Opcode.RUN, bytes(100))[:50])
            board.line.close()
            time.sleep(1.2)  # the broken command times out; its reply has no taker
        board = RunningBoard(url)
        assert board.info().target == "native"
        assert child.poll() is None


def test_stdio_ends_with_its_input() -> None:
    with process("--port", "stdio") as child:
        said, complaint = child.communicate(command(Opcode.INFO, 9) * 2, timeout=10)
        assert child.returncode == 0
        assert len(said) == 2 * INFO_REPLY_BYTES
        assert said.startswith(SYNC)
        assert complaint == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(number: int) -> None:
    with process("--port", "tcp:0") as child:
        port_of(child)
        child.send_signal(number)
        assert child.wait(timeout=5) == 0


def test_a_signal_ends_it_in_the_middle_of_a_flood() -> None:
    with open("/dev/zero", "rb") as flood:
        child = subprocess.Popen([program("native"), "--port", "stdio"], stdin=flood, stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.3)
            child.terminate()
            assert child.wait(timeout=5) == 0
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
    ],
)
def test_wrong_arguments_get_one_line(arguments: list[str], line: str) -> None:
    with process(*arguments) as child:
        said, complaint = child.communicate(timeout=10)
        assert child.returncode != 0
        assert said == b""
        assert complaint.decode().startswith(line)
        assert complaint.count(b"\n") == 1


def test_port_that_is_taken() -> None:
    with process("--port", "tcp:0") as child:
        taken = port_of(child).rsplit(":", 1)[1]
        with process("--port", f"tcp:{taken}") as second:
            _, complaint = second.communicate(timeout=10)
            assert second.returncode == 1
            assert complaint.startswith(b"inkling: cannot listen: ")


@pytest.mark.parametrize("seed", range(4))
def test_random_garbage_under_the_sanitizers(seed: int) -> None:
    """Noise, noise with syncs, and damaged commands: no report, no hang, and a good command at the end counts."""
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
                command(noise.choice((0, 1, 2, 3, 77)), noise.randrange(256), noise.randbytes(noise.randrange(9)))
                if kind == 2
                else command(Opcode.RUN, 3, run_data(noise.randrange(20), image, True))
            )
            for _ in range(noise.randrange(3)):
                broken[noise.randrange(len(broken))] ^= 1 << noise.randrange(8)
            stream += broken[: noise.randrange(len(broken) + 1)] if noise.random() < 0.2 else broken
    stream += bytes(70_000)  # ends whatever a damaged length field is still waiting for
    with process("--port", "stdio", environment="native_sanitized") as child:
        said, complaint = child.communicate(bytes(stream) + command(Opcode.INFO, 200), timeout=60)
    assert complaint == b""
    assert child.returncode == 0
    assert said[-INFO_REPLY_BYTES:].startswith(SYNC)
    assert said[-INFO_REPLY_BYTES:][14:16] == bytes((Opcode.INFO | 0x80, 200))
