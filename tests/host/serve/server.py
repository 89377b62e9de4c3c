"""The page on a real socket: uvicorn in a thread, on a free port of the loopback interface."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette

from host.serve.hub import Hub

START_S = STOP_S = 60.0  # on a loaded machine


@dataclass(frozen=True)
class RunningPage:
    """A page that is being served."""

    url: str
    hub: Hub


@contextmanager
def serve(app: Starlette, hub: Hub) -> Iterator[RunningPage]:
    """Serve an application until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    started = threading.Event()

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await uvicorn.Server.startup(server, sockets)
        started.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    assert started.wait(START_S), "the server did not start"
    try:
        yield RunningPage(f"http://127.0.0.1:{listener.getsockname()[1]}", hub)
    finally:
        hub.close()
        server.should_exit = True
        thread.join(STOP_S)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"
