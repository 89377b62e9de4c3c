"""`python -m channel_sim replay`: play the uplink of a recording to a host."""

import argparse
import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing

from channel_sim.channels.parse import HELP
from channel_sim.cli.arguments import add_channel, compose, load_bundles
from channel_sim.cli.output import damage
from channel_sim.live.endpoints import ProxyError, TcpEndpoint, open_endpoint
from channel_sim.live.recording import Recording
from channel_sim.live.stream import Stream

DESCRIPTION = """Plays what a board sent, as a recording of `proxy --record` has it, to a host that connects. Ends when
the host has taken all and hangs up. A trace that was recorded without a channel can be put through any.
"""
EXAMPLES = """
examples:
  python -m channel_sim replay trace.jsonl --listen tcp://127.0.0.1:4001
  python -m channel_sim replay trace.jsonl --listen tcp://127.0.0.1:4001 --what sent --speed 1
  python -m channel_sim replay trace.jsonl --listen tcp://127.0.0.1:4001 --channel bsc:ber=0.05 --seed 7
and for each
  python -m host receive --port socket://127.0.0.1:4001 --bundle bundles/cifar10
"""
READ_BYTES = 1 << 16


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "replay",
        help="play a recording to a host",
        description=DESCRIPTION,
        epilog=HELP + "\n" + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("recording", metavar="FILE", help="made by proxy --record")
    add("--listen", required=True, metavar="WHERE", help="tcp://HOST:PORT (port 0: any free one)")
    add("--what", choices=("received", "sent"), default="received", help="as the bytes came from the board (the "
        "default), or as they went on to the host")  # fmt: skip
    add("--speed", type=_speed, metavar="X", help="times as fast as it was; without it, as fast as the host reads")
    add_channel(parser)
    parser.set_defaults(command=run)


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


def _speed(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"a speed is a number above 0, not {text!r}")
    return value
