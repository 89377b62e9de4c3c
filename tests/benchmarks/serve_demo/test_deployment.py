"""The whole deployment without hardware: nodes, air, gateways, broker, decoders, page."""

import contextlib
import json
import threading
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.serve_demo.cli import BUILD_DIR
from benchmarks.serve_demo.deployment import SITES, Deployment, DeploymentSettings
from host.mqtt import topics
from tests.support.mqtt.broker import wait_until

pytestmark = [pytest.mark.emulated, pytest.mark.slow]


def test_sites_are_in_different_partitions() -> None:
    assert {topics.slot(site) % 2 for site in SITES} == {0, 1}


def test_deployment_shows_what_its_nodes_send(tmp_path: Path) -> None:
    settings = DeploymentSettings(Path("bundles/cifar10"), 4, 1, 5.0, 1.0, "127.0.0.1:0", tmp_path, BUILD_DIR)
    deployment = Deployment(settings, threading.Event(), lambda text: None)
    with contextlib.ExitStack() as running:
        deployment.start(running)
        wait_until(lambda: len(readings_on(deployment.page_url)) >= 24)
        deployment.check()
        readings = readings_on(deployment.page_url)
    assert deployment.summary().split()[0].isdecimal()
    assert {reading["site"] for reading in readings} == {*SITES}
    assert {reading["frame"] for reading in readings} == {"answer", "features"}
    # At this SNR, nothing is lost on the air, and both gateways of the garden hear each image.
    assert all(reading["lost"] == 0 for reading in readings)
    heard = Counter(len(reading["receptions"]) for reading in readings if reading["site"] == SITES[0])
    assert heard[2] >= 0.7 * heard.total() and not heard.keys() - {1, 2}
    assert len({reading["id"] for reading in readings}) == len(readings) <= sum(node.sent for node in deployment.nodes)


def readings_on(url: str) -> list[dict]:
    with urllib.request.urlopen(f"{url}/api/readings?limit=100", timeout=60.0) as answer:
        found: list[dict] = json.loads(answer.read())["readings"]
        return found
