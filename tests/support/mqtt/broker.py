"""A real mosquitto for tests, on loopback, and a subscriber that keeps what it receives."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from paho.mqtt import client as paho

from benchmarks.broker import free_port, listens, program

WAIT_S = 60.0  # a loaded machine; nothing here takes a second on an idle one


def wait_until(condition: Callable[[], object], what: str = "") -> None:
    """Wait for a condition; fail after WAIT_S."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, what or "the condition did not come true"
        time.sleep(0.02)


class Mosquitto:
    """A broker whose sessions and messages outlast its end, and those of the last `save` also a kill."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        self._database = folder / "mosquitto.db"
        lines = [f"listener {self.port} 127.0.0.1", *settings]
        lines += [] if any(line.startswith("allow_anonymous") for line in settings) else ["allow_anonymous true"]
        lines += ["persistence true", f"persistence_location {folder}/"]
        lines += ["max_queued_messages 0", "max_inflight_messages 0", "user root"]
        self._config.write_text("\n".join(lines) + "\n")
        self._command = [program(), "-c", str(self._config)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL without TLS."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it listens."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_until(self._listens, "mosquitto does not start")

    def _listens(self) -> bool:
        assert self._process and self._process.poll() is None, self._log.read_text()
        return listens(self.port)

    def save(self) -> None:
        """Let it write sessions and messages to its file."""
        assert self._process
        self._database.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        wait_until(self._database.exists, "mosquitto does not save")

    def kill(self) -> None:
        """End it at once."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it if it runs."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(WAIT_S)


@contextmanager
def running(folder: Path, *settings: str) -> Iterator[Mosquitto]:
    """Run a broker with further lines of its configuration."""
    broker = Mosquitto(folder, *settings)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


class Listener:
    """A subscriber that keeps what it receives, in order: topic, payload, whether it was retained."""

    def __init__(self, broker: Mosquitto, *filters: str) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self._filters = filters
        self._subscribed = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = lambda _client, _data, m: self.messages.append((m.topic, bytes(m.payload), m.retain))
        self._client.on_connect = lambda client, *_: client.subscribe([(name, 1) for name in filters])
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert self._subscribed.wait(WAIT_S)

    def last(self, topic: str) -> bytes | None:
        """Return the newest payload of a topic."""
        return next((payload for name, payload, _ in reversed(self.messages) if name == topic), None)

    def on(self, start: str) -> list[bytes]:
        """Return the payloads of the topics that begin like this."""
        return [payload for name, payload, _ in self.messages if name.startswith(start)]

    def send(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Publish a message, and wait until the broker has it."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(WAIT_S)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def listening(broker: Mosquitto, *filters: str) -> Iterator[Listener]:
    """Subscribe to filters of a running broker."""
    listener = Listener(broker, *filters)
    try:
        yield listener
    finally:
        listener.close()
