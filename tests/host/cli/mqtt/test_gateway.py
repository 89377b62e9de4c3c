"""`inkling gateway` as a process: without onnxruntime, killed, stopped, and with something wrong."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.broker import free_port
from host.gateway.subscriber import parse_message
from host.site.packets import GatewayPacket
from tests.conftest import RunInkling
from tests.host.cli import process
from tests.support.lines import unused_port
from tests.support.mqtt.broker import WAIT_S, Listener, Mosquitto, listening, running, wait_until
from tests.support.mqtt.certificates import Authority
from tests.support.mqtt.forwarder import EUI, Forwarder, received
from tests.support.mqtt.gateway_line import FakeGateway, fake_gateway

# What a small machine does not have, beside the host's heavy packages.
MISSING = (
    "onnxruntime",
    "PIL",
    "rich",
    "shtab",
    "starlette",
    "uvicorn",
    "prometheus_client",
    "onnx",
    "torch",
    "matplotlib",
)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with running(tmp_path) as broker:
        yield broker


def words(folder: Path, broker: Mosquitto, *more: object) -> list[object]:
    buffer = folder / "buffer"
    return ["gateway", "--mqtt", broker.url, "--site", "home", "--name", "north", "--buffer", buffer, *more]


@contextmanager
def started(*arguments: object, blocked: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """Run a command, and kill it if it is still there at the end."""
    running_process = process.start(*arguments, blocked=blocked)
    try:
        yield running_process
    finally:
        if running_process.poll() is None:
            running_process.kill()
        running_process.communicate()


def packets(listener: Listener) -> list[GatewayPacket]:
    return [parse_message(topic, payload) for topic, payload, _ in listener.messages if "/packets/" in topic]


def send(board: FakeGateway, *numbers: int) -> None:
    for number in numbers:
        board.receive(b"%d" % number)


def test_gateway_runs_without_what_a_small_machine_lacks(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with (
        fake_gateway() as (board, url),
        listening(mosquitto, "inkling/#") as listener,
        started(*words(tmp_path, mosquitto, "--port", url), blocked=MISSING) as gateway,
    ):
        send(board, *range(10))
        wait_until(lambda: len(packets(listener)) == 10)
        gateway.send_signal(signal.SIGTERM)
        status, out, err = process.finish(gateway)
        wait_until(lambda: listener.last("inkling/online/gateway-home-north") == b"offline")
    assert (status, out) == (0, "")
    first, *connections, last = (re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in err.splitlines())
    packets_wait = f"0 packets wait in {tmp_path / 'buffer'}"
    assert first == f"{url} to {mosquitto.url}, inkling/packets/208/home/north; {packets_wait}"
    assert sorted(connections) == [f"connected to {mosquitto.url}", f"{url}: opened"]
    assert last == "10 packets received, 0 wait on disk"
    assert json.loads(listener.last("inkling/gateways/home/north") or b"")["received"] == 10


@pytest.mark.slow
def test_killed_gateway_loses_nothing_that_it_received(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Each packet is on disk when its datagram is acknowledged, and the broker is away."""
    port = free_port()
    command = words(tmp_path, mosquitto, "--semtech-udp", f":{port}", "--forwarder", f"{EUI.hex()}=roof")
    mosquitto.kill()
    forwarder = Forwarder(port)
    sent = 0
    for _ in range(3):
        with started(*command) as gateway:
            _until_listening(forwarder)
            for _ in range(20):
                forwarder.send(received(b"%d" % sent))
                sent += 1
            gateway.kill()
            assert gateway.wait(WAIT_S) == -signal.SIGKILL
    mosquitto.start()
    with listening(mosquitto, "inkling/#") as listener, started(*command) as gateway:
        wait_until(lambda: len({packet.id for packet in packets(listener)}) == sent)
        assert gateway.poll() is None
    forwarder.close()
    assert [int(packet.payload) for packet in packets(listener)] == list(range(sent))
    assert {packet.gateway for packet in packets(listener)} == {"roof"}


def _until_listening(forwarder: Forwarder) -> None:
    """Wait until the gateway answers: before that, the system refuses datagrams."""

    def answered() -> bool:
        try:
            forwarder.pull()
        except ConnectionRefusedError:
            return False
        return True

    wait_until(answered)


def test_last_will_says_that_a_killed_gateway_is_offline(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with (
        listening(mosquitto, "inkling/online/#") as listener,
        started(*words(tmp_path, mosquitto, "--port", unused_port())) as gateway,
    ):
        wait_until(lambda: listener.last("inkling/online/gateway-home-north") == b"online")
        gateway.kill()
        wait_until(lambda: listener.last("inkling/online/gateway-home-north") == b"offline")


def test_gateway_ends_in_time_while_the_broker_is_away(mosquitto: Mosquitto, tmp_path: Path) -> None:
    mosquitto.kill()
    port = free_port()
    forwarder = Forwarder(port)
    with started(*words(tmp_path, mosquitto, "--semtech-udp", f":{port}")) as gateway:
        _until_listening(forwarder)
        for number in range(10):
            forwarder.send(received(b"%d" % number))
        gateway.send_signal(signal.SIGTERM)
        status, _, err = process.finish(gateway)
    forwarder.close()
    assert status == 0 and "Connection refused; trying again" in err
    assert err.endswith("  10 packets received, 10 wait on disk\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--site", "a/b", "--port", "loop://"], "site 'a/b' is no name"),
        ([], "nothing to receive from: pass --port or --semtech-udp"),
        (["--port", "loop://", "--mqtt", "mqtt://ann:secret@h"], "read a password in a URL"),
        (["--port", "loop://", "--mqtt", "h"], "'h' is no broker"),
        (["--port", "socket://x"], "cannot open socket://x: expected socket://HOST:PORT"),
        (["--port", "loop://", "--ca", "missing.pem"], "certificates need TLS"),
        (["--port", "loop://", "--password-file", "missing"], "cannot read the password in missing"),
    ],
)
def test_mistakes_are_one_line(run_inkling: RunInkling, tmp_path: Path, change: list[str], message: str) -> None:
    command = ["gateway", "--mqtt", "mqtt://localhost:1", "--site", "home", "--name", "n", "--buffer", tmp_path / "b"]
    status, out, err = run_inkling(*command, *change)
    lines = [line for line in err.splitlines() if " to mqtt:" not in line and "trying again" not in line]
    assert (status, out, len(lines)) == (1, "", 1) and message in lines[0] and lines[0].startswith("inkling: ")


@pytest.mark.parametrize(
    ("words_", "message"),
    [
        (["--semtech-udp", "1700x"], "must be [HOST]:PORT, such as :1700"),
        (["--semtech-udp", "::1:1700"], "must be [HOST]:PORT"),
        (["--forwarder", "12=roof"], "EUI of 16 hex digits"),
        (["--buffer-mb", "0"], "at least 1"),
    ],
)
def test_wrong_arguments_are_refused(run_inkling: RunInkling, words_: list[str], message: str) -> None:
    status, _, err = run_inkling("gateway", "--mqtt", "mqtt://localhost", "--site", "home", *words_)
    assert status == 2 and message in err and err.count("\n") == 1


def test_check_reports_each_part(run_inkling: RunInkling, mosquitto: Mosquitto, tmp_path: Path) -> None:
    missing = unused_port()
    with fake_gateway() as (_, url):
        status, out, err = run_inkling(*words(tmp_path, mosquitto, "--port", url, "--semtech-udp", ":0", "--check"))
        assert (status, err) == (0, "")
        opened, listens, waiting, connected = out.splitlines()
        assert opened == f"{url}: opened" and listens.startswith("UDP port ") and connected.endswith(": connected")
        assert waiting == f"{tmp_path / 'buffer'}: 0 packets wait"
    mosquitto.kill()
    status, out, err = run_inkling(*words(tmp_path, mosquitto, "--port", missing, "--check"))
    assert (status, err) == (1, "")
    assert f"cannot open {missing}: Connection refused" in out and f"cannot connect to {mosquitto.url}" in out


def test_check_names_a_certificate_that_is_not_trusted(run_inkling: RunInkling, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.sign("server")
    with running(tmp_path, f"certfile {server.certificate}", f"keyfile {server.key}") as mosquitto:
        url = f"mqtts://localhost:{mosquitto.port}"
        command = [*words(tmp_path, mosquitto, "--port", "loop://", "--check"), "--mqtt", url]
        status, out, _ = run_inkling(*map(str, command))
        assert status == 1 and "cannot trust the certificate" in out and "--ca" in out
        status, out, _ = run_inkling(*map(str, command), "--ca", authority.certificate)
        assert status == 0 and f"{url}: connected" in out
