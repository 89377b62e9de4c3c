"""The processes of a deployment: nodes, gateways, broker, decoders, page; started in order, ended in reverse."""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import broker
from channel_sim.channels.lora import LoRa
from channel_sim.live.radio_hub import RadioHub
from firmware.tools.build import build
from firmware.tools.emulator import native
from host.board.board import Board
from host.board.errors import DeviceError
from host.errors import HostError
from wire.bundle import Bundle
from wire.bundle import load as load_bundle
from wire.control import Mode, ModeSetting

SITES = ("garden", "meadow")  # their slots are in different partitions of two
GATEWAYS = {"garden": ("house", "shed"), "meadow": ("mast",)}
PARTITIONS = 2
THRESHOLD = 12  # confidence level from which a node sends its answer, so that both kinds of frame are seen
SPREAD_DB = 3.0  # standard deviation of the nodes' SNRs
START_S, END_S = 90.0, 30.0
# Packets may take more than LoRa's legal share of the time, as 20 nodes would else be silent in their first minutes.
FLAGS = "-D INKLING_LORA_DUTY_PERMILLE=1000 -D INKLING_STATUS_S=60"
# Written after each change, so that a broker that is killed has what it has acknowledged.
BROKER = """listener {port} 127.0.0.1
allow_anonymous true
user root
max_queued_messages 0
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval 1
"""
Log = Callable[[str], None]


@dataclass(frozen=True)
class DeploymentSettings:
    """Settings of a deployment."""

    bundle: Path
    nodes: int
    seed: int
    snr_db: float
    every_s: float
    listen: str
    out: Path
    build_dir: Path


@dataclass
class Node:
    """A node, and what it has sent."""

    site: str
    device: int
    url: str = ""
    sent: int = 0
    failed: int = 0


@dataclass
class Deployment:
    """All processes of a deployment. Raises HostError if one cannot be started, or ends."""

    settings: DeploymentSettings
    stopped: threading.Event
    log: Log
    nodes: list[Node] = field(default_factory=list)
    page_url: str = ""
    # Called for each packet that a gateway or node gets, with its site, and as RadioHub calls it.
    on_reception: Callable[[str, int, int, bytes, bytes], None] = lambda *packet: None
    _programs: dict[str, list[str]] = field(default_factory=dict)
    _processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)  # those that should run
    _feeders: list[threading.Thread] = field(default_factory=list)
    _broker: str = ""

    def start(self, running: ExitStack) -> None:
        """Start everything; `running` ends it, in reverse order."""
        settings = self.settings
        bundle = load_bundle(settings.bundle)
        self.log(f"Building the firmware of nodes and gateways with {bundle.path}")
        node, gateway = (
            build(name, bundle=settings.bundle, build_dir=settings.build_dir, flags=FLAGS)
            for name in ("native_radio", "native_gateway")
        )
        settings.out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(settings.out / "state", ignore_errors=True)  # of an earlier demo
        for path in [*settings.out.glob("*.sqlite*"), settings.out / "mosquitto.db"]:
            path.unlink(missing_ok=True)
        self._start_broker(running)
        self._start_page(running)  # first, so that it ends after the decoders
        for number in range(PARTITIONS):
            self._start_inkling(
                running, f"decode-{number}", "decode", "--mqtt", self._broker, "--partition", f"{number}/{PARTITIONS}",
                "--bundle", bundle.path, "--state", settings.out / "state",
            )  # fmt: skip
        for number in range(PARTITIONS):  # both connections: the broker keeps packets only for sessions that exist
            log = self._log_file(f"decode-{number}")
            self._await(log.stem, partial(_says, log, "connected to", 2))
        rng = np.random.default_rng(settings.seed)
        for place, site in enumerate(SITES):
            devices = [number for number in range(1, settings.nodes + 1) if number % len(SITES) == place]
            snr_db = {number: settings.snr_db + SPREAD_DB * float(rng.standard_normal()) for number in devices}
            heard = partial(self.on_reception, site)
            hub = RadioHub(LoRa(settings.snr_db), settings.seed + place, snr_db=snr_db, on_reception=heard)
            air = running.enter_context(hub)
            radio = f"tcp:127.0.0.1:{air.port}"
            for index, name in enumerate(GATEWAYS[site]):
                url = running.enter_context(native(gateway, "--radio", radio, "--device", str(200 + index)))
                self._start_inkling(
                    running, f"gateway-{name}", "gateway", "--port", url, "--mqtt", self._broker, "--site", site,
                    "--name", name, "--buffer", settings.out / f"gateway-{name}.sqlite",
                )  # fmt: skip
            for name in GATEWAYS[site]:
                opened = partial(_says, self._log_file(f"gateway-{name}"), ": opened")
                self._await(f"gateway-{name}", opened)
            for device in devices:
                url = running.enter_context(native(node, "--radio", radio, "--device", str(device)))
                self.nodes.append(Node(site, device, url))
            self.log(f"Site {site}: {len(devices)} nodes, gateways {', '.join(GATEWAYS[site])}")
        images = np.load(bundle.golden_path)["images"]
        self._feeders = [
            threading.Thread(target=self._feed, args=(one, bundle, images, int(rng.integers(1 << 31))), daemon=True)
            for one in self.nodes
        ]
        for thread in self._feeders:
            thread.start()
        running.callback(self.stop_nodes)

    def stop_nodes(self) -> None:
        """Let the nodes send no more images."""
        self.stopped.set()
        for thread in self._feeders:
            thread.join(END_S)

    def check(self) -> None:
        """Raise HostError if a process has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise HostError(f"{name} ended: see {self._log_file(name)}")

    def summary(self) -> str:
        """Return one line on what was sent."""
        failed = sum(node.failed for node in self.nodes)
        return (
            f"{sum(node.sent for node in self.nodes)} images sent by {len(self.nodes)} nodes"
            f"{f', {failed} commands failed' if failed else ''}; logs and stores are in {self.settings.out}"
        )

    def _start_broker(self, running: ExitStack) -> None:
        port = broker.free_port()
        config = self.settings.out / "mosquitto.conf"
        config.write_text(BROKER.format(port=port, folder=self.settings.out.resolve()))
        self._broker = f"mqtt://127.0.0.1:{port}"
        self._start(running, "mosquitto", [broker.program(), "-c", str(config)])
        self._await("mosquitto", lambda: broker.listens(port))
        self.log(f"Broker: {self._broker}")

    def _start_page(self, running: ExitStack) -> None:
        file = self.settings.out / "inkling.toml"
        sites = "".join(f"[sites.{site}]\ndecoded_over_mqtt = true\n" for site in SITES)
        file.write_text(
            f'[page]\nlisten = "{self.settings.listen}"\n[store]\nfile = "readings.sqlite3"\n'
            f'[mqtt]\nurl = "{self._broker}"\n{sites}'
        )
        self._start_inkling(running, "serve", "serve", "--config", file)
        log = self._log_file("serve")
        self._await("serve", lambda: "the page is at " in log.read_text())
        self.page_url = next(line.split()[-1] for line in log.read_text().splitlines() if "the page is at " in line)
        self._await("serve", lambda: _is_well(self.page_url))

    def _start_inkling(self, running: ExitStack, name: str, *arguments: str | Path) -> None:
        self._start(running, name, [sys.executable, "-m", "inkling", *map(str, arguments)])

    def _start(self, running: ExitStack, name: str, arguments: list[str]) -> None:
        self._log_file(name).unlink(missing_ok=True)
        self._programs[name] = arguments
        self.launch(name)
        running.callback(self._end, name)

    def launch(self, name: str) -> None:
        """Start a program that has ended, or has not run yet."""
        with self._log_file(name).open("ab") as log:
            arguments = self._programs[name]
            self._processes[name] = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """Kill a program, as a power cut would, until `launch`."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def pids(self) -> dict[str, int]:
        """Return the ids of the processes that run, by name."""
        return {name: process.pid for name, process in self._processes.items()}

    def _end(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.log(f"{name} does not end: killed")
            process.kill()
            process.wait()

    def _log_file(self, name: str) -> Path:
        return self.settings.out / f"{name}.log"

    def _await(self, name: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise HostError(f"{name} does not start: see {self._log_file(name)}")
            if self.stopped.wait(0.1):
                raise HostError("ended while starting")

    def _feed(self, node: Node, bundle: Bundle, images: np.ndarray, seed: int) -> None:
        """Let a node send images until the end; a command that fails is repeated with the next image."""
        rng = np.random.default_rng(seed)
        pause = rng.uniform(0.0, self.settings.every_s)
        with contextlib.suppress(HostError), Board.open(node.url, bundle) as board:
            board.mode(ModeSetting(Mode.ADAPTIVE, THRESHOLD))
            while not self.stopped.wait(pause):
                pause = self.settings.every_s * float(rng.uniform(0.8, 1.2))
                try:
                    board.run_by_radio(images[rng.integers(len(images))], by_mode=True)
                    node.sent += 1
                except (DeviceError, HostError):
                    node.failed += 1


def _says(log: Path, text: str, times: int = 1) -> bool:
    return log.read_text().count(text) >= times


def _is_well(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5.0) as answer:
            return json.loads(answer.read())["status"] == "ok"
    except (urllib.error.URLError, ValueError, OSError):
        return False
