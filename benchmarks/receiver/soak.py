"""A soak of proxy and receiver: frames of many devices, random faults, resets of either end, and a strict count.

A thread plays the line of 50 boards, the live proxy damages it (flips, lost bytes, cut, lost and doubled frames,
garbage in between) and a process of its own is the host. Now and then the board's connection is reset in the middle
of a frame, or the host's. What the receiver says is held against a plain search for the very bytes of the frames that
were sent, over the same bytes that the receiver got: every frame that came unharmed has to be counted as such.
"""

import argparse
import json
import multiprocessing
import os
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event as Flag
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from channel_sim import parse
from channel_sim.live.proxy import Proxy, ProxyError
from host.board.port import Port
from host.classify.ber import BerEstimator
from host.errors import PortError
from host.receive.events import FeatureFrame
from host.receive.headers import SEQUENCES
from host.receive.stream import StreamReceiver
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle
from wire.frame import SYNC
from wire.payload import pack

CHANNEL = "bsc:ber=5e-4+byte-loss:p=1e-4+truncation:p=0.02+frame-loss:p=0.01+duplicate:p=0.02"
DEVICES = 50
GARBAGE_SHARE, GARBAGE_BYTES = 0.01, 40
FRAMES_BETWEEN_RESETS = 5000  # on average, of each end
BURST = 16  # frames that are written at once
MOST_UNDER_WAY = 1 << 14  # bytes that the host has not read yet: a reset throws them away
PATIENCE_S = 2.0  # what is still under way then was lost in a reset
QUIET_S = 0.5  # as `host receive` has it
WARM_UP_SHARE = 0.1  # of the frames, before memory is looked at
MOST_GROWTH = 16 << 20  # of memory after that


@dataclass
class Library:
    """Every frame that is ever sent: of each device, sequence number and chunk one, with random levels."""

    bundle: Bundle
    frames: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)  # by device and sequence
    keys: dict[bytes, tuple] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(2511)
        for device in range(DEVICES):
            for sequence in range(SEQUENCES):
                self.frames[device, sequence] = [
                    self._make(device, sequence, chunk, rng) for chunk in range(len(self.bundle.chunks))
                ]

    def _make(self, device: int, sequence: int, chunk: int, rng: np.random.Generator) -> bytes:
        bundle, (_, count) = self.bundle, self.bundle.chunk_symbols(chunk)
        levels = rng.integers(0, 1 << bundle.bits_per_symbol, count)
        frame = bundle.frame(levels, device, sequence, chunk)
        self.keys[frame] = (device, sequence, chunk, pack(levels, bundle.bits_per_symbol))
        return frame


class Finder:
    """The plain search: the very bytes of the library's frames, wherever they stand in a stream."""

    def __init__(self, library: Library) -> None:
        self._keys = library.keys
        self._sizes = sorted({len(frame) for frame in library.keys})
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple]:
        """The keys of the frames that end in the next bytes of the stream."""
        stream, found, position = self._rest + data, [], 0
        while (position := stream.find(SYNC, position)) >= 0:
            sizes = [size for size in self._sizes if stream[position : position + size] in self._keys]
            if sizes:
                found.append(self._keys[stream[position : position + sizes[0]]])
                position += sizes[0]
            elif position + self._sizes[-1] > len(stream):
                break
            else:
                position += 1
        keep = position if position >= 0 else max(0, len(stream) - len(SYNC) + 1)
        self._rest = stream[keep:]
        return found


@dataclass
class Heard:
    """What the host process counted."""

    frames: int = 0
    clean: int = 0  # their payload, by the CRC-16
    unharmed: int = 0  # the very bytes that were sent
    lost_clean: int = 0  # of these: not counted as clean
    interrupted: int = 0  # came unharmed but for a silence of QUIET_S in the middle, at which a receiver settles
    by_chance: int = 0  # counted as unharmed, and never sent like that: one damaged CRC-16 in 65536 is right
    resets: int = 0
    rss_growth_bytes: int = 0


def resident_bytes() -> int:
    """Memory of this process that is in RAM (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def listen(url: str, path: Path, seed: int, read: "Synchronized[int]", warm: Flag, stop: Flag, end: Connection) -> None:
    """The host's process: receive until told to stop and all is quiet, resetting its own end now and then.

    read: how many bytes it has read so far; warm: from here on, memory should not grow.
    """
    library = Library(load_bundle(path))
    receiver, rng, heard = StreamReceiver([library.bundle]), np.random.default_rng([seed, 2]), Heard()
    links = [BerEstimator() for _ in range(DEVICES)]
    difference: Counter[tuple] = Counter()
    started_with = 0

    def take(events: list) -> None:
        for event in events:
            if isinstance(event, FeatureFrame):
                heard.frames += 1
                heard.clean += event.crc_ok
                if event.device < DEVICES:
                    links[event.device].update(event)
                if event.crc_ok and event.sync_flips == event.header_flips == 0:
                    difference[event.device, event.sequence, event.chunk, event.payload] -= 1

    quiet = False
    while not (stop.is_set() and quiet):
        finder, patient = Finder(library), Finder(library)
        leave_after = int(rng.exponential(FRAMES_BETWEEN_RESETS * 60))
        try:
            with Port(url) as port:
                while leave_after > 0 and not (stop.is_set() and quiet):
                    data = port.read(QUIET_S)
                    leave_after, quiet = leave_after - len(data), not data
                    read.value += len(data)
                    take(receiver.feed(data) if data else receiver.flush())
                    unharmed = finder.feed(data)
                    heard.unharmed += len(unharmed)
                    heard.interrupted += len(patient.feed(data)) - len(unharmed)
                    difference.update(unharmed)
                    if not data:
                        finder = Finder(library)
                    if warm.is_set() and not started_with:
                        started_with = resident_bytes()
                    elif started_with:
                        heard.rss_growth_bytes = max(heard.rss_growth_bytes, resident_bytes() - started_with)
        except PortError:  # the proxy hung up
            time.sleep(0.1)
        take(receiver.flush())
        heard.resets += 1
    heard.lost_clean = sum(count for count in difference.values() if count > 0)
    heard.by_chance = -sum(count for count in difference.values() if count < 0)
    end.send(heard)


class Boards:
    """The line of all boards: a TCP port, as QEMU has it, that is reset now and then."""

    def __init__(self, library: Library, frames: int, seed: int) -> None:
        self._library, self._frames = library, frames
        self._rng = np.random.default_rng([seed, 1])
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self.sent = 0
        self.resets = 0
        self.done = threading.Event()
        self._sequences = [0] * DEVICES

    def run(self, under_way: Callable[[int], int]) -> None:
        """Send everything, as fast as the host reads; under_way: of so many bytes, how many it has not read yet."""
        line, _ = self._server.accept()
        gone = written = 0
        while self.sent < self._frames:
            burst = b"".join(self._next() for _ in range(min(BURST, self._frames - self.sent)))
            if self._rng.random() < BURST / FRAMES_BETWEEN_RESETS:
                burst = burst[: int(self._rng.integers(len(burst)))]
                line.sendall(burst)
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
                line.close()
                line, _ = self._server.accept()
                self.resets += 1
            else:
                line.sendall(burst)
            written += len(burst)
            patience = time.monotonic() + PATIENCE_S
            while under_way(written) - gone > MOST_UNDER_WAY:
                time.sleep(0.002)
                if time.monotonic() > patience:
                    gone = under_way(written)
        self._line = line  # open until the host has all
        self.done.set()

    def _next(self) -> bytes:
        device = int(self._rng.integers(DEVICES))
        self._sequences[device] = (self._sequences[device] + 1) % SEQUENCES
        self.sent += 1
        frames = self._library.frames[device, self._sequences[device]]
        frame = frames[int(self._rng.integers(len(frames)))]
        if self._rng.random() < GARBAGE_SHARE:
            return self._rng.bytes(int(self._rng.integers(GARBAGE_BYTES))) + frame
        return frame


def soak(path: Path, frames: int, seed: int, console: Console) -> dict:
    """Run it; the figures. BundleError, ProxyError when it cannot begin."""
    library = Library(load_bundle(path))
    boards = Boards(library, frames, seed)
    context = multiprocessing.get_context("spawn")
    warm, stop, read = context.Event(), context.Event(), context.Value("q", 0)
    result, results = context.Pipe(duplex=False)
    started, started_with, growth = time.monotonic(), 0, 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Proxy(boards.url, parse(CHANNEL), seed, bundles=[library.bundle], reconnect=True) as proxy:
        host = context.Process(target=listen, args=(proxy.url, path, seed, read, warm, stop, results), daemon=True)
        host.start()

        def under_way(written: int) -> int:
            up = proxy.statistics
            return written + up.bytes_out - up.bytes_in - up.bytes_unheard - read.value

        while proxy.host.fd is None and host.is_alive():
            time.sleep(0.01)
        sender = threading.Thread(target=boards.run, args=(under_way,), daemon=True)
        sender.start()
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("soak", total=frames)
            while not boards.done.wait(0.25) and host.is_alive() and sender.is_alive() and not proxy.failure:
                bar.update(task, completed=boards.sent)
                if boards.sent > WARM_UP_SHARE * frames:
                    warm.set()
                    started_with = started_with or resident_bytes()
                    growth = max(growth, resident_bytes() - started_with)
        stop.set()
        heard = result.recv() if result.poll(60) else None
        host.join(10)
        statistics, failure = proxy.statistics, proxy.failure
    crashes = (heard is None) + (not boards.done.is_set()) + bool(failure)
    heard = heard or Heard()
    return {
        "frames": boards.sent,
        "lost_clean": heard.lost_clean,
        "crashes": crashes,
        "rss_growth_bytes": max(growth, heard.rss_growth_bytes),
        "received": heard.frames,
        "clean": heard.clean,
        "unharmed": heard.unharmed,
        "interrupted": heard.interrupted,
        "clean_by_chance": heard.by_chance,
        "board_resets": boards.resets,
        "host_resets": heard.resets,
        "bytes": statistics.bytes_in,
        "bytes_unheard": statistics.bytes_unheard,
        "channel": CHANNEL,
        "seed": seed,
        "seconds": round(time.monotonic() - started, 1),
    }


def main() -> int:
    """Parse the command line and soak; status 1 when an unharmed frame was lost, something crashed or memory grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receiver.soak", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/cifar10"), help="default: %(default)s")
    parser.add_argument("--frames", type=int, default=1_000_000, help="to send (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("build/bench/soak.json"), help="default: %(default)s")
    args = parser.parse_args()
    if args.frames < 1 or args.seed < 0:
        parser.error("--frames must be at least 1, --seed at least 0")
    console = Console()
    try:
        figures = soak(args.bundle, args.frames, args.seed, console)
    except (BundleError, ProxyError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        console.print(f"{name:>18}  {value}", highlight=False, soft_wrap=True)
    fine = not (figures["lost_clean"] or figures["crashes"] or figures["rss_growth_bytes"] > MOST_GROWTH)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
