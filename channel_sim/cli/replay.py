"""`inkling sim replay`: replay the uplink of a recording to a host."""

import argparse
import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import closing

from channel_sim.cli.arguments import compose, load_bundles
from channel_sim.cli.output import damage
from channel_sim.live.endpoints import ProxyError, TcpEndpoint, open_endpoint
from channel_sim.live.recording import Recording
from channel_sim.live.stream import Stream

READ_BYTES = 1 << 16


def run(options: argparse.Namespace) -> int:
    """Replay the recording to the first host that connects; return the exit status."""
    recording = Recording(options.recording)
    stream = Stream(compose(options.channel), options.seed, load_bundles(options.bundle))
    endpoint = open_endpoint("host", options.listen, 0, may_come_later=False)
    if not isinstance(endpoint, TcpEndpoint):
        raise ProxyError(f"a replay needs --listen tcp://HOST:PORT, got {options.listen}")
    with closing(endpoint):
        print(f"listening on {endpoint.url}", flush=True)
        while endpoint.fd is None:
            select.select([fd for fd in [endpoint.waiting_fd] if fd is not None], [], [])
            endpoint.accept()
        with socket.socket(fileno=os.dup(endpoint.fd)) as host:
            host.setblocking(True)
            try:
                _play(_timed(recording, stream, options.what), host, options.speed)
            except OSError as error:  # also of a host without power, which is no ConnectionError
                raise ProxyError(f"the host disconnected during the replay: {error.strerror}") from None
    print(f"replayed {damage(stream.statistics)}", flush=True)
    return 0


def _timed(recording: Recording, stream: Stream, what: str) -> Iterator[tuple[float, bytes]]:
    """Iterate over (second of the recording, bytes to send)."""
    seconds = 0.0
    for seconds, way, received, sent in recording.passages():
        if way != "up":
            continue
        piece = received if what == "received" else sent
        if piece:
            yield seconds, stream.feed(piece)
        elif what == "received":  # a frame stalled here and was not continued
            yield seconds, stream.flush()
    yield seconds, stream.flush()


def _play(pieces: Iterator[tuple[float, bytes]], host: socket.socket, speed: float | None) -> None:
    """Send everything and wait until the host has received it, sees the end of the stream and disconnects."""
    start, first = time.monotonic(), None
    for seconds, data in pieces:
        first = seconds if first is None else first
        if speed:
            time.sleep(max(0.0, start + (seconds - first) / speed - time.monotonic()))
        host.sendall(data)
    host.shutdown(socket.SHUT_WR)
    while host.recv(READ_BYTES):  # commands to the board are ignored
        pass
