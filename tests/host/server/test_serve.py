"""`inkling serve` as a process: ports, store, page and broker together, through signals and restarts."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from host.mqtt import topics
from host.site.packets import GatewayPacket
from host.store.store import Store
from tests.host.secured import make_status
from tests.support.host import make_bundle
from tests.support.mqtt.broker import listening, running, wait_until
from tests.support.mqtt.gateway_line import fake_gateway
from wire.bundle import Bundle
from wire.replies.status import status_frame

DEADLINE_S = 60.0
SYMBOLS = np.arange(128) % 8


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """128 symbols of 3 bits."""
    return make_bundle(tmp_path_factory.mktemp("serve") / "model")


class Serve:
    """A running `inkling serve`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._url: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.url = self._url.get(timeout=DEADLINE_S)

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)
            if "the page is at " in line:
                self._url.put(line.split()[-1])
        self._url.put("")  # it has ended

    def get(self, path: str) -> Any:  # noqa: ANN401 - whatever the API answers
        with urllib.request.urlopen(self.url + path, timeout=DEADLINE_S) as answer:
            return json.loads(answer.read())

    def wait_for(self, path: str, condition: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - as `get`
        """Return what the API answers once the condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition(found := self.get(path)):
            assert time.monotonic() < deadline, (found, self.lines)
            time.sleep(0.05)
        return found

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(DEADLINE_S) == 0, self.lines


@contextmanager
def serving(*arguments: str | Path) -> Iterator[Serve]:
    command = [sys.executable, "-m", "inkling", "serve", "--listen", "127.0.0.1:0", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        yield Serve(process)
    finally:
        process.kill()
        process.wait()


def has_readings(count: int, found: dict) -> bool:
    return len(found["readings"]) == count


def damaged(packet: bytes, flips: int, seed: int) -> bytes:
    bits = np.unpackbits(np.frombuffer(packet, np.uint8))
    bits[np.random.default_rng(seed).choice(len(bits), flips, replace=False)] ^= 1
    return np.packbits(bits).tobytes()


def test_serve_combines_gateways_remembers_and_resumes(tmp_path: Path, bundle: Bundle) -> None:
    store = tmp_path / "readings.sqlite3"
    packets = [bundle.frame(SYMBOLS, 3, sequence, sync=False) for sequence in range(8)]
    with fake_gateway(8) as (north, north_url), fake_gateway(9) as (south, south_url):
        arguments = "--port", north_url, "--port", south_url, "--bundle", bundle.path, "--store", store
        with serving(*arguments) as serve:
            for number, packet in enumerate(packets[:4]):
                north.receive(damaged(packet, 20, number), crc_ok=False)
                south.receive(damaged(packet, 20, 100 + number), crc_ok=False)
                serve.wait_for("/api/readings", partial(has_readings, number + 1))
            found = serve.wait_for(
                "/api/readings", lambda found: all(len(one["receptions"]) == 2 for one in found["readings"][:3])
            )
            assert [one["image_number"] for one in found["readings"]] == [3, 2, 1, 0]
            (device,) = serve.get("/api/devices")["devices"]
            assert (device["site"], device["device"], device["readings"]) == ("home", 3, 4)
            assert serve.get("/health")["status"] == "ok"
            serve.stop()
        for gateway in (north, south):
            gateway.hang_up()  # the old connection
        with serving(*arguments) as serve:  # the state goes on: the copy of an image is recognized
            south.receive(packets[3])
            north.receive(packets[5])
            found = serve.wait_for("/api/readings", lambda found: found["readings"][0]["sequence"] == 5)
            # One image is missing, or 33: the pause of a restart is long beside the rhythm of this board.
            assert len(found["readings"]) == 5 and found["readings"][0]["lost"] % 32 == 1
            serve.process.kill()
            serve.process.wait()
    with Store(store, read_only=True) as kept:
        assert kept.size().readings == 5


def test_serve_reports_a_lost_port_and_ends_with_what_it_received(tmp_path: Path, bundle: Bundle) -> None:
    store = tmp_path / "readings.sqlite3"
    with (
        fake_gateway(connections=1) as (gateway, url),
        serving("--port", url, "--bundle", bundle.path, "--store", store) as serve,
    ):
        serve.wait_for("/health", lambda health: health["inputs"][0]["state"] == "quiet")
        gateway.hang_up()
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                serve.get("/health")
            except urllib.error.HTTPError as error:
                assert error.code == 503
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        serve.wait_for("/api/events", lambda found: any(one["event"] == "port-lost" for one in found["events"]))
        serve.stop()


def test_serve_has_metrics(tmp_path: Path, bundle: Bundle) -> None:
    with (
        fake_gateway() as (gateway, url),
        serving("--port", url, "--bundle", bundle.path, "--store", tmp_path / "s.sqlite3") as serve,
    ):
        gateway.receive(bundle.frame(SYMBOLS, 3, 0, sync=False))
        serve.wait_for("/api/readings", lambda found: len(found["readings"]) == 1)
        with urllib.request.urlopen(serve.url + "/metrics", timeout=DEADLINE_S) as answer:
            text = answer.read().decode()
        assert 'inkling_readings_total{answered_by="host",device="3",site="home"} 1.0' in text
        assert f'inkling_input_up{{input="{url}"}} 1.0' in text
        serve.stop()


def test_serve_reads_gateways_over_mqtt_and_publishes(tmp_path: Path, bundle: Bundle) -> None:
    file = tmp_path / "inkling.toml"
    with running(tmp_path) as broker, listening(broker, "#") as heard:

        def state() -> Any:  # noqa: ANN401 - JSON
            return json.loads(heard.last("inkling/state/barn/3") or b"{}")

        file.write_text(
            f'[sites.barn]\nbundles = ["{bundle.path}"]\ngateways_over_mqtt = true\n[sites.barn.devices.3]\n'
            f'name = "Gate"\n[mqtt]\nurl = "{broker.url}"\n[store]\nfile = "s.sqlite3"\n'
        )
        with serving("--config", file) as serve:
            wait_until(lambda: heard.last("inkling/online/serve-barn-in") == b"online")
            for gateway in ("north", "south"):
                packet = GatewayPacket("barn", gateway, "b", 0, time.time(), bundle.frame(SYMBOLS, 3, 0, sync=False))
                heard.send(topics.packets("barn", gateway), json.dumps(packet.as_json()).encode())
            # The copy of a gateway that was never heard before is not waited for: it replaces the first record.
            found = serve.wait_for(
                "/api/readings", lambda found: [len(r["receptions"]) for r in found["readings"]] == [2]
            )
            assert {one["gateway"] for one in found["readings"][0]["receptions"]} == {"north", "south"}
            wait_until(lambda: heard.last("inkling/readings/barn/3"), "the reading is published")
            wait_until(lambda: heard.on("homeassistant/device/"), "the device is announced")
            assert json.loads(heard.on("homeassistant/device/")[-1])["dev"]["name"] == "Gate"
            status = status_frame(replace(make_status(1), battery_mv=3500), 3, bundle.number, sync=False)
            packet = GatewayPacket("barn", "north", "b", 1, time.time(), status)
            heard.send(topics.packets("barn", "north"), json.dumps(packet.as_json()).encode())
            wait_until(lambda: state().get("battery_v") == 3.5, "the status is published")
            first = state()["reading"]
            assert serve.get("/api/events")["events"] == []
            serve.process.kill()
        wait_until(lambda: heard.last("inkling/online/serve-barn") == b"offline")
        with serving("--config", file) as serve:  # the battery is known without another status frame
            packet = GatewayPacket("barn", "north", "b", 2, time.time(), bundle.frame(SYMBOLS, 3, 1, sync=False))
            heard.send(topics.packets("barn", "north"), json.dumps(packet.as_json()).encode())
            wait_until(lambda: state()["reading"] != first, "the second image is published")
            assert state()["battery_v"] == 3.5
            forget = urllib.request.Request(
                f"{serve.url}/api/devices/barn/3", method="DELETE", headers={"X-Inkling": "1"}
            )
            urllib.request.urlopen(forget, timeout=DEADLINE_S).close()
            wait_until(lambda: heard.last("inkling/state/barn/3") == b"", "the state is withdrawn")
            wait_until(lambda: heard.on("homeassistant/device/")[-1] == b"", "the announcement is withdrawn")
            assert serve.get("/api/devices")["devices"] == []
            serve.stop()


def run_serve(*arguments: str | Path, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "inkling", "serve", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=cwd, env=environment, timeout=DEADLINE_S
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to serve: pass --port and --bundle"),
        (["--port", "loop://", "--bundle", "nowhere"], "nowhere"),
        (["--port", "loop://"], "site home has no bundles"),
        (["--config", "none.toml"], "none.toml cannot be read: No such file"),
        (["--config", "none.toml", "--port", "loop://"], "put them into none.toml"),
    ],
)
def test_serve_refuses_wrong_arguments_in_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = run_serve("--store", tmp_path / "s.sqlite3", *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr and len(done.stderr.splitlines()) == 1


def test_serve_on_a_network_needs_a_token(tmp_path: Path, bundle: Bundle) -> None:
    arguments = "--port", "loop://", "--bundle", bundle.path, "--store", tmp_path / "s.sqlite3", "--check"
    refused = run_serve("--listen", "0.0.0.0:0", *arguments)
    assert refused.returncode == 1 and "name a file for the token" in refused.stderr
    token = tmp_path / "token"
    accepted = run_serve("--listen", "0.0.0.0:0", *arguments, "--token-file", token)
    assert accepted.returncode == 0, accepted.stderr
    assert len(token.read_text().strip()) == 32 and token.stat().st_mode & 0o777 == 0o600
    assert f"site home: {bundle.name} {bundle.model_id}" in accepted.stdout
