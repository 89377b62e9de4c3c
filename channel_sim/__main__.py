"""`python -m channel_sim proxy`: put a bad link between a board and a host."""

import argparse
import os
import signal
import sys
import threading

from channel_sim.bsc import BitFlips
from channel_sim.channel import Channel, Compose
from channel_sim.erasure import ByteLoss
from channel_sim.proxy import Proxy, ProxyError

EXAMPLES = """examples:
  python -m channel_sim proxy --board socket://localhost:4000 --listen tcp://127.0.0.1:4001 --ber 0.05
  python -m channel_sim proxy --board /dev/ttyUSB0 --listen pty --ber 0.01 --byte-loss 0.001
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        channel: Channel = BitFlips(options.ber)
        if options.byte_loss:
            channel = Compose(channel, ByteLoss(options.byte_loss))
        proxy = Proxy(options.board, channel, options.seed, options.listen, options.baud)
    except (ProxyError, ValueError) as error:
        print(f"channel_sim: {error}", file=sys.stderr)
        return 1
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    with proxy:
        _say(f"listening on {proxy.url}")
        _watch(proxy, stopped)
    _say(_line(proxy))
    if proxy.failure:
        print(f"channel_sim: {proxy.failure}", file=sys.stderr)
        return 1
    return 0


def _say(text: str) -> None:
    """Print a line at once. A reader that has had enough (`| head -1`) is no reason to stop the proxy."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _watch(proxy: Proxy, stopped: threading.Event) -> None:
    """Show the statistics, on a terminal only, until a signal comes or the board goes."""
    if not sys.stdout.isatty():
        while not (stopped.is_set() or proxy.wait(0.1)):
            pass
        return
    from rich.live import Live  # a quarter of a second that pipes need not pay

    with Live(_line(proxy), refresh_per_second=4, transient=True) as live:
        while not (stopped.is_set() or proxy.wait(0.25)):
            live.update(_line(proxy))


def _line(proxy: Proxy) -> str:
    up = proxy.statistics
    lost = f", {up.bytes_lost} lost" if up.bytes_lost else ""
    return (
        f"uplink {up.bytes_in} bytes{lost}, {up.bits_flipped} bits flipped, measured BER {up.ber:.3g}; "
        f"downlink {proxy.bytes_down} bytes"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m channel_sim", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    proxy = commands.add_parser(
        "proxy",
        help="corrupt, live, what a board sends",
        description="Passes bytes between a board and a host. What the board sends is corrupted; what the "
        "host sends is not. The same seed and the same bytes give the same damage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = proxy.add_argument
    add("--board", required=True, metavar="URL", help="device or socket://HOST:PORT of the board")
    add("--listen", required=True, metavar="WHERE", help="tcp://HOST:PORT (port 0: any free one) or pty")
    add("--ber", type=float, default=0.0, metavar="P", help="bit error rate, 0 to 0.5 (default 0)")
    add("--byte-loss", type=float, default=0.0, metavar="P", help="chance that a byte vanishes (default 0)")
    add("--seed", type=int, default=0, metavar="N", help="seed of the damage (default 0)")
    add("--baud", type=int, default=115200, help="speed of a real serial board (default 115200)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
