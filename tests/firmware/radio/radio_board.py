"""Nodes and gateways as processes, joined by a simulated air."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from channel_sim.live.radio_hub import RadioHub
from firmware.tools import core_dir, emulator
from firmware.tools.build import build
from host.board.board import Board
from tests.support.firmware import build_lock, bundle_path
from wire.bundle import Bundle, load

GATEWAY = 9
SANITIZED = "-g -fsanitize=address,undefined -fno-sanitize-recover=all"
NO_LIMIT = "-D INKLING_LORA_DUTY_PERMILLE=1000"
PATIENCE_S = 30


@cache
def program(environment: str, variant: str = "", flags: str = "") -> Path:
    """The built native_radio or native_gateway; a variant has more flags and a folder of its own."""
    folder = core_dir.ROOT / ".pio" / f"radio_{variant}" if variant else None
    with build_lock():
        return build(environment, build_dir=folder, flags=flags)


class Golden(NamedTuple):
    """Pictures, and what the bundle makes of them."""

    bundle: Bundle
    images: np.ndarray  # (n, H, W, C) uint8
    payloads: list[str]  # hex, chunk 0
    indices: np.ndarray  # (n,) class by the decoder, from all symbols


def golden() -> Golden:
    bundle = load(bundle_path())
    kept = np.load(bundle.golden_path)
    payloads = [bytes(payload).hex() for payload in kept["payload"]]
    return Golden(bundle, kept["images"], payloads, kept["logits"].argmax(axis=1))


@contextmanager
def node(air: RadioHub, device: int, program: Path, bundle: Bundle) -> Iterator[Board]:
    """A node on this air, by its serial port."""
    with (
        emulator.native(program, "--radio", f"tcp:127.0.0.1:{air.port}", "--device", str(device)) as url,
        Board.open(url, bundle, timeout=PATIENCE_S) as board,
    ):
        yield board


class Listener:
    """`host receive` behind a gateway, both as processes."""

    def __init__(self, url: str, bundle: Bundle, folder: Path) -> None:
        # Files, since a pipe that is full would stop it.
        self._json, self._log = folder / "readings.jsonl", folder / "log.txt"
        command = ["receive", "--port", url, "--bundle", bundle.path, "--json", self._json]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "host", *map(str, command)], cwd=core_dir.ROOT, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE_S
        while "listening on " not in self.said and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self._process.poll() is None, self.said

    @property
    def said(self) -> str:
        """What it has printed so far, a summary last."""
        return self._log.read_text()

    def end(self) -> list[dict]:
        """Ctrl-C once nothing more comes; the readings."""
        size = -1
        while size != (size := self._json.stat().st_size):
            time.sleep(1.5)
        self._process.terminate()
        assert self._process.wait(PATIENCE_S) == 0, self.said
        return [json.loads(line) for line in self._json.read_text().splitlines()]

    def stop(self) -> None:
        """For a test that has failed."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@contextmanager
def listener(air: RadioHub, program: Path, bundle: Bundle) -> Iterator[Listener]:
    """A gateway on this air and a host behind it, listening."""
    with (
        emulator.native(program, "--radio", f"tcp:127.0.0.1:{air.port}", "--device", str(GATEWAY)) as url,
        tempfile.TemporaryDirectory(prefix="inkling-") as folder,
    ):
        host = Listener(url, bundle, Path(folder))
        try:
            yield host
        finally:
            host.stop()
