"""One measurement: decoders are stopped, packets wait at the broker, and readings are counted once they go on."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from paho.mqtt import client as paho

from benchmarks import broker
from host.errors import HostError
from host.mqtt import topics
from host.mqtt.broker import Broker
from host.mqtt.sender import MemoryOutbox, Sender
from host.site.packets import GatewayPacket
from wire.answer import Answer
from wire.bundle import Bundle
from wire.frame import SEQUENCES

SITES, DEVICES = 64, 4  # devices of each site
MOST_S = 600.0
CONFIG = """listener {port} 127.0.0.1
allow_anonymous true
user root
max_queued_messages 0
max_inflight_messages 1000
"""
TICKS = os.sysconf("SC_CLK_TCK")


def measure(bundle: Bundle, processes: int, gateways: int, packets: int, folder: Path) -> dict:
    """Return the figures of one measurement. Each image is heard by all gateways, undamaged.

    Raises HostError if the broker or a decoder cannot be started, or readings are missing after MOST_S.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    images = packets // gateways
    with contextlib.ExitStack() as running:
        port, broker_pid = _start_broker(running, folder)
        decoders = [_start_decoder(running, bundle, port, number, processes, folder) for number in range(processes)]
        readings = running.enter_context(_counted(port))
        _signal(decoders, signal.SIGSTOP)  # their sessions exist, so that the broker keeps what they do not take
        _publish(bundle, port, images, gateways)
        cpu, broker_cpu, began = sum(map(_cpu_s, decoders)), _cpu_s(broker_pid), time.monotonic()
        _signal(decoders, signal.SIGCONT)
        _await(lambda: len(readings) >= images, "readings are missing")
        cpu, broker_cpu = sum(map(_cpu_s, decoders)) - cpu, _cpu_s(broker_pid) - broker_cpu
        seconds = readings[images - 1] - began
    sent = images * gateways
    return {
        "processes": processes,
        "gateways": gateways,
        "packets": sent,
        "seconds": round(seconds, 2),
        "packets_per_s": round(sent / seconds),
        "packets_per_cpu_s": round(sent / cpu),
        "broker_packets_per_cpu_s": round(sent / broker_cpu),
        "load": round(os.getloadavg()[0], 1),
    }


def _start_broker(running: contextlib.ExitStack, folder: Path) -> tuple[int, int]:
    """Start a broker that keeps all packets in memory; return its port and process."""
    port, config = broker.free_port(), folder / "mosquitto.conf"
    config.write_text(CONFIG.format(port=port))
    process = _start(running, [broker.program(), "-c", str(config)], folder / "mosquitto.log")
    _await(lambda: broker.listens(port), "mosquitto does not start")
    return port, process


def _start_decoder(
    running: contextlib.ExitStack, bundle: Bundle, port: int, number: int, processes: int, folder: Path
) -> int:
    """Start a decoder, and wait until it is connected; return its process."""
    log = folder / f"decode-{number}-{time.monotonic_ns()}.log"
    command = [sys.executable, "-m", "inkling", "decode", "--mqtt", f"mqtt://127.0.0.1:{port}", "--bundle"]
    command += [str(bundle.path), "--partition", f"{number}/{processes}", "--state", str(folder / "state")]
    process = _start(running, [*command, "--no-home-assistant"], log)
    _await(lambda: log.read_text().count("connected to") >= 2, f"a decoder does not start: see {log}")
    return process


def _signal(processes: list[int], number: int) -> None:
    for process in processes:
        os.kill(process, number)


def _start(running: contextlib.ExitStack, command: list[str], log: Path) -> int:
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def end() -> None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()

    running.callback(end)
    return process.pid


def _publish(bundle: Bundle, port: int, images: int, gateways: int) -> None:
    """Let the broker have all packets: the images of all devices in turn, each by all gateways."""
    golden = np.load(bundle.golden_path)
    symbols, answers = golden["symbols"], golden["answers"]
    outbox = MemoryOutbox(images * gateways)
    for image in range(images):
        sender, round_number = image % (SITES * DEVICES), image // (SITES * DEVICES)
        site, device = f"site{sender % SITES}", 1 + sender // SITES
        shown = image % len(symbols)
        answer = Answer(*map(int, answers[shown]))
        packet = bundle.frame(symbols[shown], device, round_number % SEQUENCES, answer=answer, sync=False)
        for gateway in range(gateways):
            name = f"gateway{gateway}"
            values = GatewayPacket(site, name, "b", image, time.time(), packet, True, -5.0 - gateway)
            outbox.put(topics.packets(site, name), json.dumps(values.as_json()).encode())
    publisher = Sender(Broker.of(f"mqtt://127.0.0.1:{port}"), "packets", [outbox])
    publisher.start()
    try:
        _await(lambda: not outbox.waiting, "the broker does not take the packets")
    finally:
        publisher.close()


@contextlib.contextmanager
def _counted(port: int) -> Iterator[list[float]]:
    """Subscribe to all readings; the list grows by the time of each, by time.monotonic()."""
    times: list[float] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "readings", protocol=paho.MQTTv5)
    client.on_message = lambda _client, _data, message: times.append(time.monotonic())
    client.connect("127.0.0.1", port)
    client.subscribe(f"{topics.ROOT}/readings/#", qos=0)
    client.loop_start()
    try:
        yield times
    finally:
        client.disconnect()
        client.loop_stop()


def _await(condition: Callable[[], bool], problem: str) -> None:
    deadline = time.monotonic() + MOST_S
    while not condition():
        if time.monotonic() > deadline:
            raise HostError(f"{problem} after {MOST_S:.0f} s")
        time.sleep(0.02)


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process and its children in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(_cpu_s(int(child)) for child in children)
