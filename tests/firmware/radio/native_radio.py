"""Nodes and gateways as native processes, connected by a simulated radio hub."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from channel_sim.live.radio_hub import RadioHub
from firmware.tools import emulator
from host.board.board import Board
from host.board.key_setting import add_key
from host.classify.decoder import Decoder
from host.keys.key_file import KeyFile
from tests.support import ROOT
from tests.support.firmware import REPLY_SECONDS, SANITIZED, bundle_path, program
from wire.answer import Answer
from wire.bundle import Bundle, load
from wire.model import MIN_BER

GATEWAY = 9
NO_LIMIT = "-D INKLING_LORA_DUTY_PERMILLE=1000"
NO_STATUS = "-D INKLING_STATUS_S=0"


class Programs(NamedTuple):
    """The programs of a node and of a gateway."""

    node: Path
    gateway: Path


def unlimited(flags: str = "", *, status: bool = False) -> Programs:
    """Return sanitized programs without a limit of the duty cycle, by default without status frames, too."""
    flags = f"{SANITIZED} {NO_LIMIT} {flags if status else f'{NO_STATUS} {flags}'}".strip()
    return Programs(program("native_radio", flags), program("native_gateway", flags))


class Golden(NamedTuple):
    """Golden images, and their payloads and classes by the bundle."""

    bundle: Bundle
    images: np.ndarray  # (n, H, W, C) uint8
    payloads: list[str]  # hex, chunk 0
    answers: list[Answer]  # by the board
    indices: np.ndarray  # (n,) class by the decoder, from all symbols and the answer of an undamaged frame


def load_golden() -> Golden:
    bundle = load(bundle_path())
    stored = np.load(bundle.golden_path)
    payloads = [bytes(payload).hex() for payload in stored["payload"]]
    answers = [Answer(int(index), int(level)) for index, level in stored["answers"]]
    words = np.array([answer.word for answer in answers])
    logits = Decoder(bundle).logits(stored["symbols"], np.full(len(words), MIN_BER), words)
    return Golden(bundle, stored["images"], payloads, answers, logits.argmax(axis=1))


@contextmanager
def running_node(
    hub: RadioHub, device: int, elf: Path, bundle: Bundle, key_file: Path | None = None
) -> Iterator[Board]:
    """Run a node on a hub and yield a connection to its serial line. It gets a key, if a key file is named."""
    with emulator.native(elf, "--radio", f"tcp:127.0.0.1:{hub.port}", "--device", str(device)) as url:
        if key_file:
            with Board.open(url, timeout=REPLY_SECONDS) as board:
                add_key(board, key_file)
        keys = KeyFile.load(key_file) if key_file else None
        with Board.open(url, bundle, timeout=REPLY_SECONDS, keys=keys) as board:
            yield board


class ReceiveProcess:
    """`inkling receive` as a process, on a serial line."""

    def __init__(self, url: str, bundle: Bundle, folder: Path, *options: str | Path) -> None:
        # Files, because a full pipe would block the process.
        self._json, self._log = folder / "readings.jsonl", folder / "log.txt"
        command = ["receive", "--port", url, "--bundle", bundle.path, "--json", self._json, *options]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "host", *map(str, command)], cwd=ROOT, stdout=log, stderr=log
            )
        self._wait(lambda: "listening on " in self.printed)

    @property
    def printed(self) -> str:
        """The output so far; the last line at the end is a summary."""
        return self._log.read_text()

    @property
    def readings(self) -> list[dict]:
        """The readings so far."""
        return [line for line in self._lines if "event" not in line]

    @property
    def events(self) -> list[dict]:
        """The events so far, such as status frames."""
        return [line for line in self._lines if "event" in line]

    @property
    def _lines(self) -> list[dict]:
        return [json.loads(line) for line in self._json.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def wait(self, condition: Callable[[list[dict]], bool]) -> None:
        """Wait until the condition holds for the readings."""
        self._wait(lambda: condition(self.readings))

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + REPLY_SECONDS
        while not condition():
            assert self._process.poll() is None and time.monotonic() < deadline, self.printed
            time.sleep(0.05)

    def end(self) -> list[dict]:
        """End the process and return its readings."""
        self._process.terminate()
        assert self._process.wait(REPLY_SECONDS) == 0, self.printed
        return self.readings

    def kill(self) -> None:
        """Clean up after a failed test."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@contextmanager
def receiving(hub: RadioHub, gateway: Path, bundle: Bundle, *options: str | Path) -> Iterator[ReceiveProcess]:
    """Run a gateway on a hub and a receiving host behind it, with further options of `inkling receive`."""
    with (
        emulator.native(gateway, "--radio", f"tcp:127.0.0.1:{hub.port}", "--device", str(GATEWAY)) as url,
        receiving_line(url, bundle, *options) as host,
    ):
        yield host


@contextmanager
def receiving_line(url: str, bundle: Bundle, *options: str | Path) -> Iterator[ReceiveProcess]:
    """Run a receiving host on a serial line, with further options of `inkling receive`."""
    with tempfile.TemporaryDirectory(prefix="inkling-") as folder:
        host = ReceiveProcess(url, bundle, Path(folder), *options)
        try:
            yield host
        finally:
            host.kill()


@contextmanager
def reserved_port() -> Iterator[int]:
    """Yield a TCP port that the kernel gives to no other process; a server that names it can listen on it."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
