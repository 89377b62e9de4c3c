"""`inkling sim replay`: play the uplink of a recording to a host."""

import argparse
import os
import select
import signal
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
    """Play the recording to the first host that comes; the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    recording = Recording(options.recording)
    stream = Stream(compose(options.channel), options.seed, load_bundles(options.bundle))
    end = open_endpoint("host", options.listen, 0, may_come_later=False)
    if not isinstance(end, TcpEndpoint):
        raise ProxyError(f"a replay listens on tcp://HOST:PORT, not on {options.listen}")
    with closing(end):
        print(f"listening on {end.url}", flush=True)
        while end.fd is None:
            select.select([end.waiting_fd], [], [])
            end.accept()
        with socket.socket(fileno=os.dup(end.fd)) as host:
            host.setblocking(True)
            try:
                _play(_timed(recording, stream, options.what), host, options.speed)
            except ConnectionError as error:
                raise ProxyError(f"the host has gone in the middle: {error.strerror}") from None
    print(f"played {damage(stream.statistics)}", flush=True)
    return 0


def _timed(recording: Recording, stream: Stream, what: str) -> Iterator[tuple[float, bytes]]:
    """What is to be sent, and at which second of the recording."""
    seconds = 0.0
    for seconds, way, received, sent in recording.passages():
        if way != "up":
            continue
        piece = received if what == "received" else sent
        if piece:
            yield seconds, stream.feed(piece)
        elif what == "received":  # a frame stopped here, which the next bytes do not go on with
            yield seconds, stream.settle()
    yield seconds, stream.settle()


def _play(pieces: Iterator[tuple[float, bytes]], host: socket.socket, speed: float | None) -> None:
    """Send all of it, and wait until the host has it: it sees the end of the line, and hangs up."""
    start, first = time.monotonic(), None
    for seconds, data in pieces:
        first = seconds if first is None else first
        if speed:
            time.sleep(max(0.0, start + (seconds - first) / speed - time.monotonic()))
        host.sendall(data)
    host.shutdown(socket.SHUT_WR)
    while host.recv(READ_BYTES):  # what it may have asked the board
        pass
