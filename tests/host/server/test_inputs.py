"""Inputs of a server: a port's bytes, its silences, its loss and its return."""

import queue
import socket
import threading
from collections.abc import Iterator

import pytest

from host.board.port_reader import PortEvents
from host.server.inputs import QUIET_NOTE_S, InputState, PortInput

DEADLINE_S = 30.0


class Recorder:
    """Records what a PortInput calls."""

    def __init__(self) -> None:
        self.calls: queue.Queue[tuple[str, object]] = queue.Queue()
        self.events = PortEvents(
            lambda data: self.calls.put(("data", data)),
            lambda reason: self.calls.put(("lost", reason)),
            lambda: self.calls.put(("found", None)),
        )

    def next(self) -> tuple[str, object]:
        return self.calls.get(timeout=DEADLINE_S)

    def bytes_until_silence(self) -> bytes:
        received = b""
        while True:
            kind, data = self.next()
            assert kind == "data" and isinstance(data, bytes)
            if not data:
                return received
            received += data


@pytest.fixture
def stopped() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_port_input_hands_on_bytes_and_then_a_silence(stopped: threading.Event) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        recorder = Recorder()
        reader = PortInput(f"socket://127.0.0.1:{server.getsockname()[1]}", recorder.events, stopped)
        reader.start()
        peer, _ = server.accept()
        with peer:
            peer.sendall(b"first")
            assert recorder.bytes_until_silence() == b"first"
            peer.sendall(b"second")
            assert recorder.bytes_until_silence() == b"second"
        assert recorder.next()[0] == "lost"
        stopped.set()
        reader.join(DEADLINE_S)
    assert not reader.is_alive() and recorder.calls.empty()


def test_port_input_waits_for_a_port_and_reports_each_change_once(stopped: threading.Event) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    recorder = Recorder()
    reader = PortInput(f"socket://127.0.0.1:{port}", recorder.events, stopped)
    reader.start()
    kind, reason = recorder.next()
    assert kind == "lost" and str(port) in str(reason)
    assert reader.state.as_json(0.0) == {"name": f"socket://127.0.0.1:{port}", "state": "lost", "text": reason}
    with socket.create_server(("127.0.0.1", port)) as server:
        peer, _ = server.accept()
        with peer:
            assert recorder.next() == ("found", None)
            assert reader.state.connected and not reader.state.problem
        assert recorder.next()[0] == "lost"


def test_port_input_ends_for_a_name_that_no_port_can_have(stopped: threading.Event) -> None:
    recorder = Recorder()
    reader = PortInput("socket://nowhere", recorder.events, stopped)
    reader.start()
    assert recorder.next() == ("lost", "cannot open socket://nowhere: expected socket://HOST:PORT")
    reader.join(DEADLINE_S)
    assert not reader.is_alive()


def test_input_state_tells_a_quiet_port_from_a_lost_one() -> None:
    state = InputState("/dev/ttyUSB0")
    assert state.as_json(0.0)["state"] == "lost"
    state.connected = True
    assert state.as_json(0.0)["state"] == "quiet"
    state.heard = 100.0
    assert state.as_json(101.0) == {"name": "/dev/ttyUSB0", "state": "open", "text": "last heard 1 s ago"}
    assert state.as_json(100.0 + QUIET_NOTE_S)["state"] == "quiet"
