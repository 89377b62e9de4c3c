"""A soak of proxy, receiver and classifier: frames of many devices, random faults, resets of either end.

A thread simulates a line of 50 boards. The live proxy damages it: bit flips, lost bytes, truncated, lost and duplicate
frames, garbage in between. Another process is the host. At random, the board's connection is reset in the middle of a
frame, or the host's. The receiver's events are compared with a plain search for the bytes of the frames that were sent,
in the same bytes that the receiver got. The receiver has to count every frame that arrived undamaged. With keys, these
are the frames that are authentic to the last bit.
"""

import argparse
import multiprocessing
import os
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event as Flag
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks import command
from benchmarks.progress import progress_bar
from benchmarks.receiver.library import Finder, Key, Library, library
from benchmarks.receiver.measure import DEVICES
from channel_sim import parse
from channel_sim.live.proxy import Proxy
from host.board.port import Port
from host.classify.classifier import Classifier
from host.errors import PortError
from host.receive.events import Event, FeatureFrame
from host.receive.stream import StreamReceiver
from wire.bundle import load as load_bundle
from wire.frame import QUIET_S

CHANNEL = "bsc:ber=5e-4+byte-loss:p=1e-4+truncation:p=0.02+frame-loss:p=0.01+duplicate:p=0.02"
GARBAGE_SHARE, GARBAGE_BYTES = 0.01, 40
FRAMES_BETWEEN_RESETS = 5000  # on average, of each end
BURST = 16  # frames per write
MAX_UNREAD_BYTES = 1 << 14  # sent and not yet read by the host; a reset discards them
SILENCES = 3  # of QUIET_S each, which the host has to hear before bytes that it has not read count as lost in a reset
WARM_UP_SHARE = 0.1  # of the frames, before memory is measured
MAX_GROWTH_BYTES = 16 << 20  # of memory after that


@dataclass
class Counts:
    """The counts of the host process."""

    frames: int = 0
    clean: int = 0  # frames with a correct CRC-16 or payload tag
    undamaged: int = 0  # frames whose bytes arrived undamaged
    lost_clean: int = 0  # undamaged frames that the receiver did not report as clean
    interrupted: int = 0  # undamaged frames with a silence of QUIET_S in the middle, at which the receiver flushes
    # Reported as clean, but never sent: one damaged frame in 65536 has a correct CRC-16, and one in 2^32 a correct tag.
    by_chance: int = 0
    resets: int = 0
    rss_growth_bytes: int = 0


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended, in seconds."""
    return sum(os.times()[:4])


@dataclass(frozen=True)
class HostControl:
    """State shared by the host process and the process that started it."""

    read: "Synchronized[int]"  # bytes read so far
    silences: "Synchronized[int]"  # reads that gave nothing, since the last one that gave something
    warm: Flag  # set when memory should not grow any more
    stop: Flag  # set when everything has been sent
    result: Connection  # takes the Counts


def listen(url: str, path: Path, secured: bool, seed: int, control: HostControl) -> None:
    """Run the host process: receive until `control.stop` and silence, with random resets of its own end."""
    frames_sent = library(load_bundle(path), secured)
    bundle = frames_sent.bundle
    receiver, classifier = StreamReceiver([bundle], policies=frames_sent.policies), Classifier.of([bundle])
    rng, counts = np.random.default_rng([seed, 2]), Counts()
    difference: Counter[Key] = Counter()
    started_with = 0

    def count(key: Key, change: int) -> None:
        difference[key] += change
        if not difference[key]:
            del difference[key]

    def take(events: list[Event]) -> None:
        frames = [event for event in events if isinstance(event, FeatureFrame)]
        classifier.read_all(frames)
        for frame in frames:
            counts.frames += 1
            counts.clean += frame.crc_ok
            if key := frames_sent.key_of(frame):
                count(key, -1)

    def arrived(undamaged: list[Key], by_patient: list[Key]) -> None:
        counts.undamaged += len(undamaged)
        counts.interrupted += len(by_patient) - len(undamaged)
        for key in undamaged:
            count(key, 1)

    quiet = False
    finder, patient = Finder(frames_sent), Finder(frames_sent)
    while not (control.stop.is_set() and quiet):
        leave_after = int(rng.exponential(FRAMES_BETWEEN_RESETS * 60))
        try:
            with Port(url) as port:
                while leave_after > 0 and not (control.stop.is_set() and quiet):
                    data = port.read(QUIET_S)
                    leave_after, quiet = leave_after - len(data), not data
                    control.read.value += len(data)
                    control.silences.value = 0 if data else control.silences.value + 1
                    take(receiver.feed(data) if data else receiver.flush())
                    arrived(finder.feed(data) if data else finder.finish(), patient.feed(data))
                    if control.warm.is_set() and not started_with:
                        started_with = resident_bytes()
                    elif started_with:
                        counts.rss_growth_bytes = max(counts.rss_growth_bytes, resident_bytes() - started_with)
        except PortError:  # the proxy closed the connection
            time.sleep(0.1)
        take(receiver.flush())
        arrived(finder.finish(), patient.finish())
        counts.resets += 1
    counts.lost_clean = sum(count for count in difference.values() if count > 0)
    counts.by_chance = -sum(count for count in difference.values() if count < 0)
    control.result.send(counts)


class Boards:
    """The line of all boards: a TCP port like QEMU's, with random resets."""

    def __init__(self, frames_sent: Library, frames: int, seed: int) -> None:
        self._library, self._frames = frames_sent, frames
        self._rng = np.random.default_rng([seed, 1])
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self.sent = 0
        self.resets = 0
        self.done = threading.Event()
        self._numbers = [0] * DEVICES

    def run(self, unread: Callable[[int], int], silences: "Synchronized[int]") -> None:
        """Send everything as fast as the host reads.

        unread: maps bytes written to bytes not yet read by the host. silences: as in HostControl. A host that is slow
        never loses bytes: those that it has not read count as lost only if it waits for bytes and hears nothing.
        """
        line, _ = self._server.accept()
        first = self._library.first()
        line.sendall(first)
        discarded, written = 0, len(first)
        while self.sent < self._frames:
            burst = b"".join(self._next() for _ in range(min(BURST, self._frames - self.sent)))
            if self._rng.random() < BURST / FRAMES_BETWEEN_RESETS:
                burst = burst[: int(self._rng.integers(len(burst)))]
                line.sendall(burst)
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
                line.close()
                line, _ = self._server.accept()
                self.resets += 1
            else:
                line.sendall(burst)
            written += len(burst)
            silences.value = 0
            while unread(written) - discarded > MAX_UNREAD_BYTES:
                time.sleep(0.002)
                if silences.value >= SILENCES:
                    discarded = unread(written)
        self._line = line  # stays open until the host has read everything
        self.done.set()

    def _next(self) -> bytes:
        device = int(self._rng.integers(DEVICES))
        self._numbers[device] += 1
        self.sent += 1
        frame = self._library.frame(device, self._numbers[device], self._rng)
        if self._rng.random() < GARBAGE_SHARE:
            return self._rng.bytes(int(self._rng.integers(GARBAGE_BYTES))) + frame
        return frame


def soak(path: Path, frames: int, seed: int, console: Console, secured: bool = False) -> dict:
    """Run the soak, on request with secured frames, and return its figures.

    Raises BundleError, HostError or ProxyError if it cannot start.
    """
    frames_sent = library(load_bundle(path), secured)
    boards = Boards(frames_sent, frames, seed)
    context = multiprocessing.get_context("spawn")
    warm, stop, read, silences = context.Event(), context.Event(), context.Value("q", 0), context.Value("q", 0)
    result, results = context.Pipe(duplex=False)
    control = HostControl(read, silences, warm, stop, results)
    started, spent, started_with, growth = time.monotonic(), cpu_seconds(), 0, 0
    with Proxy(boards.url, parse(CHANNEL), seed, bundles=[frames_sent.bundle], reconnect=True) as proxy:
        host = context.Process(target=listen, args=(proxy.url, path, secured, seed, control), daemon=True)
        host.start()

        def unread(written: int) -> int:
            up = proxy.statistics
            return written + up.bytes_out - up.bytes_in - up.bytes_dropped - read.value

        while proxy.host.fd is None and host.is_alive():
            time.sleep(0.01)
        sender = threading.Thread(target=boards.run, args=(unread, silences), daemon=True)
        sender.start()
        with progress_bar(console) as bar:
            task = bar.add_task("soak", total=frames)
            while not boards.done.wait(0.25) and host.is_alive() and sender.is_alive() and not proxy.failure:
                bar.update(task, completed=boards.sent)
                if boards.sent > WARM_UP_SHARE * frames:
                    warm.set()
                    started_with = started_with or resident_bytes()
                    growth = max(growth, resident_bytes() - started_with)
        stop.set()
        counts: Counts | None = result.recv() if result.poll(60) else None
        host.join(10)
        statistics, failure = proxy.statistics, proxy.failure
    crashes = (counts is None) + (not boards.done.is_set()) + bool(failure)
    counts = counts or Counts()
    return {
        "frames": boards.sent,
        "lost_clean": counts.lost_clean,
        "crashes": crashes,
        "rss_growth_bytes": max(growth, counts.rss_growth_bytes),
        "received": counts.frames,
        "clean": counts.clean,
        "unharmed": counts.undamaged,
        "interrupted": counts.interrupted,
        "clean_by_chance": counts.by_chance,
        "board_resets": boards.resets,
        "host_resets": counts.resets,
        "bytes": statistics.bytes_in,
        "bytes_dropped": statistics.bytes_dropped,
        "channel": CHANNEL,
        "seed": seed,
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(cpu_seconds() - spent, 1),
    }


def main() -> int:
    """Parse the command line and soak. Exit status 1: an undamaged frame was lost, a crash, or memory grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receiver.soak", description=__doc__)
    command.add_bundle(parser)
    command.add_count(parser, "--frames", 1_000_000, "frames")
    parser.add_argument("--secured", action="store_true", help="send secured frames")
    command.add_seed(parser)
    command.add_path(parser, "--out", "build/bench/soak.json", "file for the figures")
    args = parser.parse_args()

    def run() -> int:
        console = Console()
        figures = soak(args.bundle, args.frames, args.seed, console, args.secured)
        command.write_json(args.out, figures)
        for name, value in figures.items():
            console.print(f"{name:>18}  {value}", highlight=False, soft_wrap=True)
        failed = figures["lost_clean"] or figures["crashes"] or figures["rss_growth_bytes"] > MAX_GROWTH_BYTES
        return 1 if failed else 0

    return command.execute("soak", run)


if __name__ == "__main__":
    sys.exit(main())
