"""Reading of a port through its end: nothing that arrived is left without the silence that settles it."""

import queue
import socket
import threading

import pytest

from host.board import port_reader
from host.board.port_reader import PortEvents, PortReader, PortState

DEADLINE_S = 30.0


@pytest.mark.parametrize("end", ["closed", "stopped"])
def test_port_reader_ends_a_connection_with_one_silence(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUIET_S", "RETRY_S"):  # the end comes first, and nothing after it
        monkeypatch.setattr(port_reader, name, 1000.0)
    calls: queue.Queue[bytes | str] = queue.Queue()
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        state = PortState(f"socket://127.0.0.1:{server.getsockname()[1]}")
        reader = PortReader(state, PortEvents(calls.put, calls.put, lambda: calls.put("found")), stopped)
        thread = threading.Thread(target=reader.run)
        thread.start()
        peer, _ = server.accept()
        with peer:
            peer.sendall(b"part")
            assert calls.get(timeout=DEADLINE_S) == b"part"
            if end == "stopped":
                stopped.set()
                assert calls.get(timeout=DEADLINE_S) == b""
        if end == "closed":
            assert calls.get(timeout=DEADLINE_S) == b""
            assert calls.get(timeout=DEADLINE_S) == state.problem != ""
            assert not state.connected
    stopped.set()
    thread.join(DEADLINE_S)
    assert not thread.is_alive() and calls.empty()
