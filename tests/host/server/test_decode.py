"""`inkling decode` with a real broker: partitions, a process that is killed, another that takes over."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from paho.mqtt import client as paho

from host.mqtt import topics
from host.mqtt.broker import Broker
from host.mqtt.sender import MemoryOutbox, Sender
from host.site.packets import GatewayPacket
from tests.support.mqtt.broker import Mosquitto, wait_until
from wire.bundle import Bundle

SITES = "barn", "cabin", "dock", "forest"
GATEWAYS = "north", "south"
IMAGES = 40  # of one device in each site
SYMBOLS = np.arange(128) % 8


class Readings:
    """A subscriber of all readings: what it got, by id."""

    def __init__(self, broker: Mosquitto) -> None:
        self.ids: Counter[str] = Counter()
        self.by_id: dict[str, dict] = {}
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "test-readings", protocol=paho.MQTTv5)
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", broker.port)
        self._client.subscribe("inkling/readings/#", qos=1)
        self._client.loop_start()

    def _take(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        reading = json.loads(message.payload)
        self.ids[reading["id"]] += 1
        self.by_id[reading["id"]] = reading

    def images(self) -> set[tuple[str, int]]:
        """Return site and sequence number of all images read."""
        return {(one["site"], one["image_number"]) for one in self.by_id.values()}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def decoder(broker: Mosquitto, bundle: Bundle, folder: Path, partition: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "inkling", "decode", "--mqtt", broker.url, "--partition", partition]
    command += ["--bundle", str(bundle.path), "--state", str(folder / "state"), "--no-home-assistant"]
    log = (folder / f"decode-{partition.replace('/', '-')}-{time.monotonic_ns()}.log").open("w")
    with log:
        return subprocess.Popen(command, stderr=log, text=True, env=os.environ)


def end(processes: list["subprocess.Popen[str]"]) -> None:
    for process in processes:
        process.kill()
        process.wait()


def test_decode_survives_kills_and_takeover_without_loss_or_second_ids(
    tmp_path: Path, broker: Mosquitto, bundle: Bundle
) -> None:
    assert {topics.slot(site) % 2 for site in SITES} == {0, 1}, "both partitions have a site"
    readings, outbox = Readings(broker), MemoryOutbox(100_000)
    sender = Sender(Broker.of(broker.url), "test-gateways", [outbox])
    sender.start()
    running = [decoder(broker, bundle, tmp_path, partition) for partition in ("0/2", "1/2")]
    try:
        for process, name in zip(running, ("0-of-2", "1-of-2"), strict=True):
            # A session has to exist before packets are kept for it.
            wait_until(partial(_is_online, broker, f"decode-{name}"), f"{name}: {process.poll()}")
        standby = decoder(broker, bundle, tmp_path, "0/2")
        running.append(standby)
        for number in range(IMAGES):
            for site in SITES:
                for place, gateway in enumerate(GATEWAYS):
                    packet = bundle.frame(SYMBOLS, 3, number % 32, sync=False)
                    values = GatewayPacket(site, gateway, "b", number, time.time(), packet, True, -5.0 - place)
                    outbox.put(topics.packets(site, gateway), json.dumps(values.as_json()).encode())
            sender.wake()
            time.sleep(0.3)  # the images are apart in time, as a device's are
            if number == 10:
                running[0].send_signal(signal.SIGKILL)  # the standby takes over
            if number == 20:
                running[1].send_signal(signal.SIGKILL)
                running[1].wait()
                running.append(decoder(broker, bundle, tmp_path, "1/2"))
        wait_until(lambda: not outbox.waiting, "the broker has all packets")
        wait_until(lambda: len(readings.images()) == len(SITES) * IMAGES, f"{len(readings.images())} images")
        assert len(readings.by_id) == len(SITES) * IMAGES, "a second id for an image"
        assert all(
            {one["gateway"] for one in reading["receptions"]} <= {*GATEWAYS} for reading in readings.by_id.values()
        )
        assert sum(len(reading["receptions"]) == 2 for reading in readings.by_id.values()) > 0.9 * len(readings.by_id)
        assert not any(reading["lost"] for reading in readings.by_id.values())
    finally:
        sender.close()
        readings.close()
        end(running)


def _is_online(broker: Mosquitto, client: str) -> bool:
    """Return True if a client's retained state at the broker is `online`."""
    states: list[bytes] = []
    reader = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    reader.on_message = lambda _client, _data, message: states.append(bytes(message.payload))
    reader.connect("127.0.0.1", broker.port)
    reader.subscribe(topics.online(client), qos=1)
    reader.loop_start()
    deadline = time.monotonic() + 1.0
    while not states and time.monotonic() < deadline:
        time.sleep(0.02)
    reader.disconnect()
    reader.loop_stop()
    return states == [b"online"]
