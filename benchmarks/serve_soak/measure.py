"""A deployment whose broker and decoders are killed at random: what the store lacks in the end, and memory."""

import contextlib
import datetime
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.serve_demo.deployment import GATEWAYS, Deployment, DeploymentSettings
from benchmarks.serve_soak.truth import Truth
from host.errors import HostError
from host.store.query import ReadingQuery, StatusQuery
from host.store.store import Store
from wire.system import stop_signals

VICTIMS = "mosquitto", "decode-0", "decode-1"
SAMPLE_S = 5.0  # between samples of memory
QUIET_SHARE = 1 / 3  # of the time at the end, without kills: memory is compared in it
SETTLED_S = 15.0  # without a new reading: everything that is on its way has arrived
MOST_S = 300.0  # to settle
EVERYTHING = 1 << 30
PAGE_KB = os.sysconf("SC_PAGE_SIZE") / 1024


@dataclass(frozen=True)
class Faults:
    """When processes are killed, and for how long they are gone, uniformly between two values in seconds."""

    every_s: tuple[float, float]
    gone_s: tuple[float, float]


@dataclass
class Soak:
    """A soak of a deployment; `run` returns its figures."""

    deployment: DeploymentSettings
    seconds: float
    faults: Faults
    log: Callable[[str], None]
    memory_mb: defaultdict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))

    def run(self) -> dict:
        """Run, compare, and return the figures. Raises HostError if a process ends by itself, or on a signal."""
        stopped = threading.Event()
        truth = Truth(frozenset(200 + place for names in GATEWAYS.values() for place in range(len(names))))
        deployment = Deployment(self.deployment, stopped, self.log, on_reception=truth.take)
        with stop_signals(stopped.set), contextlib.ExitStack() as running:
            deployment.start(running)
            self.log(f"The page: {deployment.page_url}")
            self._disturb(deployment, stopped)
            if stopped.is_set():
                raise HostError("interrupted")
            deployment.stop_nodes()
            self._settle(deployment)
        with Store(self.deployment.out / "readings.sqlite3", read_only=True) as store:
            counts = truth.compare(
                (one for one, _ in store.stream(ReadingQuery())), store.statuses(StatusQuery(limit=EVERYTHING))
            )
        return {
            **counts,
            "commands_failed": sum(node.failed for node in deployment.nodes),
            "kills": self.kills,
            "memory": {name: self._memory(samples) for name, samples in sorted(self.memory_mb.items())},
            "nodes": self.deployment.nodes,
            "gateways": sum(map(len, GATEWAYS.values())),
            "every_s": self.deployment.every_s,
            "snr_db": self.deployment.snr_db,
            "seconds": self.seconds,
            "seed": self.deployment.seed,
            "date": datetime.date.today().isoformat(),
        }

    def _disturb(self, deployment: Deployment, stopped: threading.Event) -> None:
        """Kill processes and start them again, until the time is over."""
        rng = np.random.default_rng(self.deployment.seed)
        began = time.monotonic()
        kill_at = began + rng.uniform(*self.faults.every_s)
        launch_at: dict[str, float] = {}
        sample_at = began
        while not stopped.wait(0.05) and (now := time.monotonic()) - began < self.seconds:
            deployment.check()
            for name in [name for name, due in launch_at.items() if due <= now]:
                deployment.launch(name)
                del launch_at[name]
            if now >= kill_at and now - began < (1 - QUIET_SHARE) * self.seconds:
                name = VICTIMS[rng.integers(len(VICTIMS))]
                if name not in launch_at:
                    deployment.kill(name)
                    self.kills[name] += 1
                    launch_at[name] = now + rng.uniform(*self.faults.gone_s)
                kill_at = now + rng.uniform(*self.faults.every_s)
            if now >= sample_at:
                sample_at = now + SAMPLE_S
                for name, pid in deployment.pids().items():
                    self.memory_mb[name].append((now - began, _resident_mb(pid)))
        for name in launch_at:
            deployment.launch(name)

    def _settle(self, deployment: Deployment) -> None:
        """Wait until nothing arrives any more."""
        began = changed = time.monotonic()
        readings = -1
        with Store(self.deployment.out / "readings.sqlite3", read_only=True) as store:
            while time.monotonic() - changed < SETTLED_S:
                deployment.check()
                if time.monotonic() - began > MOST_S:
                    raise HostError(f"readings still arrive {MOST_S:.0f} s after the last image")
                if (found := store.size().readings) != readings:
                    readings, changed = found, time.monotonic()
                time.sleep(0.5)

    def _memory(self, samples: list[tuple[float, float]]) -> dict[str, float]:
        """Return the means of the first and last quarter of the time without kills, and the largest value, in MB."""
        begin = (1 - QUIET_SHARE) * self.seconds
        quiet = [megabytes for at, megabytes in samples if at >= begin]
        quarter = max(1, len(quiet) // 4)
        return {
            "first_mb": round(float(np.mean(quiet[:quarter])), 1),
            "last_mb": round(float(np.mean(quiet[-quarter:])), 1),
            "largest_mb": round(max(megabytes for _, megabytes in samples), 1),
        }


def _resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KB / 1024
