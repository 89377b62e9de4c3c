"""Connections to a real broker: presence, reconnection, and one clear line for what is wrong."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from host.mqtt import topics
from host.mqtt.broker import Broker
from host.mqtt.connection import Connection
from host.mqtt.sender import MemoryOutbox, Sender
from tests.support.mqtt.broker import WAIT_S, Mosquitto, listening, running, wait_until
from tests.support.mqtt.certificates import Authority


@contextmanager
def connected(broker: Broker, client: str = "north", outbox: MemoryOutbox | None = None) -> Iterator[Sender]:
    """Run a connection."""
    sender = Sender(broker, client, [outbox] if outbox else [])
    sender.start()
    try:
        yield sender
    finally:
        sender.close()


def problem(broker: Broker) -> str:
    """Return why no connection can be made."""
    with connected(broker) as sender:
        found = sender.first_attempt(WAIT_S)
    assert found and "\n" not in found
    return found


def test_presence_is_retained_and_ends_with_the_connection(tmp_path: Path) -> None:
    with running(tmp_path) as mosquitto:
        with connected(Broker.of(mosquitto.url)) as sender:
            assert sender.first_attempt(WAIT_S) is None
            with listening(mosquitto, topics.online("north")) as listener:
                wait_until(lambda: listener.messages)
                assert listener.messages[0][:2] == ("inkling/online/north", b"online")
                sender.close()
                wait_until(lambda: len(listener.messages) == 2)
                assert listener.messages[1][1] == b"offline"
        with listening(mosquitto, topics.online("north")) as listener:
            wait_until(lambda: listener.messages)
            assert listener.messages == [("inkling/online/north", b"offline", True)]


def test_connection_comes_back_after_the_broker_was_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "host")
    with running(tmp_path) as mosquitto, connected(Broker.of(mosquitto.url)) as sender:
        assert sender.first_attempt(WAIT_S) is None
        mosquitto.kill()
        wait_until(lambda: not sender.online)
        wait_until(lambda: "Connection refused" in (sender.problem or ""))
        mosquitto.start()
        wait_until(lambda: sender.online)
        assert (sender.connections, sender.problem) == (2, None)
    texts = [record.getMessage() for record in caplog.records]
    assert [text.split(" (")[0] for text in texts] == [
        f"connected to {mosquitto.url}",
        f"lost {mosquitto.url}; trying again",
        f"cannot connect to {mosquitto.url}: Connection refused; trying again",
        f"connected to {mosquitto.url}",
    ]


def test_problem_names_host_that_does_not_exist() -> None:
    assert problem(Broker.of("mqtt://no-such-host.invalid")).startswith("cannot find the broker no-such-host.invalid")


def test_problem_names_wrong_password(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("")
    with running(tmp_path, "allow_anonymous false", f"password_file {tmp_path / 'users'}") as mosquitto:
        (tmp_path / "wrong").write_text("wrong")
        url = mosquitto.url.replace("//", "//ann@")
        assert "refuses this client (Not authorized): check user, password" in problem(
            Broker.of(url, password_file=tmp_path / "wrong")
        )
        assert "refuses this client (Not authorized)" in problem(Broker.of(mosquitto.url))


def test_problem_names_port_that_speaks_something_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT_S)
        sender = Connection(Broker.of(f"mqtt://127.0.0.1:{server.getsockname()[1]}"), "north")
        sender.start()
        server.accept()[0].close()
        assert "closed the connection before it stood" in (sender.first_attempt(WAIT_S) or "")
        sender.close()


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Mosquitto, Authority]]:
    """A broker with TLS, which demands a client certificate."""
    authority = Authority(tmp_path)
    server = authority.sign("server")
    files = (f"cafile {authority.certificate}", f"certfile {server.certificate}", f"keyfile {server.key}")
    with running(tmp_path, *files, "require_certificate true") as mosquitto:
        yield mosquitto, authority


def test_tls_carries_messages_and_demands_certificates(secured: tuple[Mosquitto, Authority], tmp_path: Path) -> None:
    mosquitto, authority = secured
    url, client = f"mqtts://localhost:{mosquitto.port}", authority.sign("client")
    outbox = MemoryOutbox(most=300)
    broker = Broker.of(url, ca=authority.certificate, certificate=client.certificate, key=client.key)
    for n in range(300):
        outbox.put("test", bytes(1000 + n))
    with connected(broker, outbox=outbox) as sender:
        assert sender.first_attempt(WAIT_S) is None
        wait_until(lambda: outbox.waiting == 0)
    assert "cannot trust the certificate" in problem(Broker.of(url))
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "stranger")
    assert "cannot trust the certificate" in problem(Broker.of(url, ca=stranger.certificate))
    assert "closed the connection before it stood" in problem(Broker.of(url, ca=authority.certificate))
    assert "closed the connection before it stood" in problem(Broker.of(f"mqtt://localhost:{mosquitto.port}"))


def test_tls_to_a_port_without_it_is_reported(tmp_path: Path) -> None:
    with running(tmp_path) as mosquitto:
        found = problem(Broker.of(mosquitto.url.replace("mqtt:", "mqtts:")))
    assert found.startswith("cannot connect to mqtts:") or "does not speak TLS" in found


def test_two_clients_with_one_name_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running(tmp_path) as mosquitto:
        broker = Broker.of(mosquitto.url)
        with connected(broker) as first:
            assert first.first_attempt(WAIT_S) is None
            with connected(broker) as second:
                assert second.first_attempt(WAIT_S) is None
                wait_until(lambda: "another program" in caplog.text)
                assert f"lost {mosquitto.url}, it seems to another program that connects as north" in caplog.text
